"""What the commands take: a packed file, or the folder of a run."""

import os

from quantized_net import errors
from quantized_net.packing import file
from quantized_net.training import trained

HELP = ('a packed file, or the folder of a run (or its model.npz or a '
        'snapshot, with args.json beside it)')


def is_run(path):
    """Whether a path is that of a run, or of one of its files."""
    return os.path.isdir(path) or path.endswith('.npz') or (
        os.path.basename(path).startswith('snapshot_iter_'))


def packed(path):
    """The content of a packed file.

    Raises:
        ~quantized_net.UserError: Where it is none.

    """
    if is_run(path):
        raise errors.UserError(
            '%s is a run, not a packed file: pack it first (python -m '
            'quantized_net pack %s)' % (path, path))
    return file.read(path)


def run(path):
    """The trained network of a run."""
    if not os.path.exists(path):
        raise errors.UserError('there is no %s' % path)
    if not is_run(path):
        raise errors.UserError(
            '%s is not the folder of a run, nor its model.npz or a snapshot'
            % path)
    return trained.load(path)
