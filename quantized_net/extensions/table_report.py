"""The printed table, and the same in a file."""

import os
import sys

from chainer.training import extensions

from quantized_net import files


class TableReport(extensions.PrintReport):

    """Prints the log as a table and writes it to a file.

    Like :class:`chainer.training.extensions.PrintReport`, and the file in
    the output directory has the header lines and every row, those before a
    resume too.  Control codes are sent to a terminal alone.

    Args:
        entries (list of str): Keys of the log to print.
        header (str): Lines to write above the table in the file.
        filename (str): Name of the file.
        controls (bool): Whether what looks like a terminal gets control
            codes; not under mpiexec, some of which look so and are none.

    """

    only_writes = True  # one rank alone calls it

    def __init__(self, entries, header='', filename='table.txt',
                 controls=True):
        super(TableReport, self).__init__(entries, out=self)
        self._lines = [header, self._header]
        self._filename = filename
        self._controls = controls

    def write(self, text):
        # what PrintReport writes comes through here
        if text == '\033[J' and not (
                self._controls and sys.stdout.isatty()):
            return
        sys.stdout.write(text)

    def flush(self):
        sys.stdout.flush()

    def _print(self, observation):
        super(TableReport, self)._print(observation)
        self._lines.append(''.join(
            template.format(observation[entry]) if entry in observation
            else empty
            for entry, template, empty in self._templates).rstrip() + '\n')

    def __call__(self, trainer):
        super(TableReport, self).__call__(trainer)
        files.write_text(
            os.path.join(trainer.out, self._filename), ''.join(self._lines))
