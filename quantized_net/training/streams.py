"""The standard streams of a script, where they are closed, full or gone."""

import os
import sys


class OutputFailed(Exception):
    """The standard output can't be written; no OSError of another file."""


class Output(object):

    """A standard output whose errors are told from those of files."""

    def __init__(self, stream):
        self._stream = stream
        # a name that can't be encoded is no reason to end a run
        stream.reconfigure(errors='backslashreplace')

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def write(self, text):
        return self._call(self._stream.write, text)

    def flush(self):
        self._call(self._stream.flush)

    def _call(self, function, *args):
        try:
            return function(*args)
        except BrokenPipeError:
            raise OutputFailed(
                'nobody reads the standard output any more')
        except OSError as e:
            raise OutputFailed(
                'can not write to the standard output (%s)' % e.strerror)


class Messages(Output):

    """A standard error: what it can't take is lost, and ends no run."""

    def _call(self, function, *args):
        try:
            return function(*args)
        except OSError:
            return None


def open_closed():
    """Connects the streams that were closed at the start to nothing.

    Else the first file that is opened would take the number of one, and get
    what is written to it.
    """
    for name, mode in (('stdin', 'r'), ('stdout', 'w'), ('stderr', 'w')):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))


def drop_unwritten():
    """Lets Python's own flush at the end succeed, after ours failed."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, stream.fileno())
            os.close(null)
