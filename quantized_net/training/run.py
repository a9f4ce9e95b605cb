"""Running a trainer, and ending a script in one line."""

import os
import sys

from quantized_net import errors
from quantized_net import files
from quantized_net.training import snapshot


def make_out(path):
    """Makes the output directory and makes sure of its being writable."""
    try:
        os.makedirs(path, exist_ok=True)
        with files.replacing(os.path.join(path, '.writable')) as temporary:
            open(temporary, 'w').close()
        os.remove(os.path.join(path, '.writable'))
    except OSError as e:
        raise errors.UserError(
            '--out %s: can not write there (%s); name another folder'
            % (path, e.strerror))


def run(trainer):
    """Runs a trainer; the errors out of it say how to go on.

    Raises:
        ~quantized_net.errors.Interrupted: After Ctrl-C, with a snapshot.
        ~quantized_net.errors.Paused: After --epoch-budget, likewise.
        ~quantized_net.errors.TrainingFailed: Where a loss is no number, or
            the disk is full.

    """
    try:
        trainer.run(show_loop_exception_msg=False)
    except (errors.Interrupted, errors.Paused) as e:
        newest = snapshot.newest_first(trainer.out)[0]
        raise type(e)(
            '%s; go on with the same command and --resume %s' % (e, newest))
    except errors.TrainingFailed as e:
        kept = snapshot.newest_first(trainer.out)
        raise errors.TrainingFailed('%s; %s' % (
            e, 'the last good snapshot is %s' % kept[0] if kept
            else 'there is no snapshot yet'))
    except OSError as e:
        raise errors.TrainingFailed(
            'writing to %s failed: %s' % (trainer.out, e))


def script(main):
    """Runs the main function of a script and ends the process.

    Exit status: 0; 2 for bad input; 1 for a run that failed; 75 for one that
    stopped before its time was up; 130 after Ctrl-C.  Each error is one line.
    """
    name = os.path.basename(sys.argv[0])
    try:
        main()
        sys.stdout.flush()
        return
    except errors.UserError as e:
        status = 2
        message = 'error: %s' % e
    except errors.TrainingFailed as e:
        status = 1
        message = 'failed: %s' % e
    except errors.Interrupted as e:
        status = 130
        message = str(e)
    except errors.Paused as e:
        status = 75  # EX_TEMPFAIL of sysexits.h
        message = str(e)
    except KeyboardInterrupt:
        status = 130
        message = 'interrupted'
    except BrokenPipeError:
        # the reader of our output went away: no message, no traceback
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    sys.stdout.flush()
    sys.stderr.write('\n%s: %s\n' % (name, ' '.join(message.split())))
    sys.exit(status)
