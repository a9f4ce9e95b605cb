"""Running a trainer, and ending a script in one line."""

import importlib
import os
import sys
import traceback

import chainer
import numpy

from quantized_net import _compat
from quantized_net import errors
from quantized_net import files
from quantized_net.kernels import native
from quantized_net.training import distributed
from quantized_net.training import out_folder
from quantized_net.training import snapshot
from quantized_net.training import streams


def make_out(path):
    """Makes the output folder, locked and writable, without old leftovers.

    Raises:
        ~quantized_net.UserError: Where it can't be written to, or another
            run is at work in it.

    """
    try:
        os.makedirs(path, exist_ok=True)
        out_folder.lock(path)
        out_folder.remove_leftovers(path)
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
        if distributed.current().rank:
            raise
        newest = snapshot.of_trainer(trainer)[0]
        raise type(e)(
            '%s; go on with the same command and --resume %s' % (e, newest))
    except errors.TrainingFailed as e:
        if distributed.current().rank:
            raise
        kept = snapshot.of_trainer(trainer)
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

    Of several ranks the first speaks; an error of one rank alone ends all,
    and is said by that one.
    """
    sys.excepthook = sys.__excepthook__  # in place of that of the imports
    streams.open_closed()
    before = sys.stdout, sys.stderr
    sys.stdout = streams.Output(sys.stdout)  # type: ignore[assignment]
    sys.stderr = streams.Messages(sys.stderr)  # type: ignore[assignment]
    try:
        status, message = _call(main)
        message = distributed.said(message)
        try:
            sys.stdout.flush()
        except streams.OutputFailed as e:
            if not status:
                status, message = 1, 'failed: %s' % e
        if message:
            sys.stderr.write('\n%s: %s\n' % (
                os.path.basename(sys.argv[0]), ' '.join(message.split())))
        sys.stderr.flush()
        distributed.end(status)
    finally:
        sys.stdout, sys.stderr = before
        streams.drop_unwritten()
    if status:
        sys.exit(status)


def _call(main):
    """Returns the exit status, and the line for the standard error."""
    try:
        with distributed.one_speaks():
            _check_environment()
            main()
    except errors.UserError as e:
        return 2, 'error: %s' % e
    except errors.TrainingFailed as e:
        return 1, 'failed: %s' % e
    except streams.OutputFailed as e:
        return 1, 'failed: %s' % e
    except MemoryError as e:
        return 1, ('failed: out of memory (%s); a smaller network or batch '
                   'needs less' % (str(e) or 'no more is known'))
    except errors.Interrupted as e:
        return 130, str(e)
    except KeyboardInterrupt:
        return 130, 'interrupted'
    except errors.Paused as e:
        return 75, str(e)  # EX_TEMPFAIL of sysexits.h
    except SystemExit as e:  # of argparse
        if e.code is None or isinstance(e.code, int):
            return e.code or 0, None
        return 1, str(e.code)
    except Exception as e:
        if distributed.current().size == 1:
            raise
        traceback.print_exc()
        return 1, 'failed: %s: %s' % (type(e).__name__, e)
    return 0, None


def _check_environment():
    """Refuses what would end a run at its first use, in the middle."""
    untried = _compat.untried()
    if untried:
        sys.stderr.write('warning: %s\n' % untried)
    if chainer.get_dtype() != numpy.float32:
        raise errors.UserError(
            'CHAINER_DTYPE=%s: the scripts train in float32; unset it'
            % os.environ.get('CHAINER_DTYPE'))
    try:
        if 'QUANTIZED_NET_KERNELS' in os.environ:
            native.library()
        if 'MPLBACKEND' in os.environ:
            importlib.import_module('matplotlib')
    except ValueError as e:
        raise errors.UserError('a variable of the environment: %s' % e)
