"""The training and validation images of a folder, or of two lists."""

import collections
import os

from quantized_net import errors
from quantized_net.datasets import image_files

# The parts are tuples of paths and int32 labels.
ImageFiles = collections.namedtuple('ImageFiles', 'name n_classes train test')


def load(data_dir=None, train=None, val=None, root='.'):
    """Finds images as ImageNet has them.

    Args:
        data_dir (str or None): Folder with ``train/`` and ``val/``, in each
            of which is a folder for each class.
        train, val (str or None): Instead: lists, with a path, a space and a
            label on each line.
        root (str): What the paths in the lists are relative to.

    Returns:
        ImageFiles

    Raises:
        ~quantized_net.UserError: Where there are none, or the two parts do
            not belong together.

    """
    if train is not None or val is not None:
        if train is None or val is None or data_dir is not None:
            raise errors.UserError(
                '--train and --val go together, and not with --data-dir')
        parts = [image_files.from_list(path, root) for path in (train, val)]
        n_classes = int(parts[0][1].max()) + 1
        if parts[1][1].max() >= n_classes:
            raise errors.UserError(
                '%s: the label %d is not among the %d classes of %s' % (
                    val, parts[1][1].max(), n_classes, train))
    elif data_dir is None:
        raise errors.UserError(
            'name the images: --data-dir with train/ and val/, or --train '
            'and --val, two lists')
    else:
        found = [image_files.from_folders(os.path.join(data_dir, name))
                 for name in ('train', 'val')]
        if found[0][2] != found[1][2]:
            odd = sorted(set(found[0][2]) ^ set(found[1][2]))[0]
            raise errors.UserError(
                '%s: the class %s is not in both train/ and val/'
                % (data_dir, odd))
        n_classes = len(found[0][2])
        parts = [part[:2] for part in found]
    return ImageFiles('%d images of %d classes' % (
        len(parts[0][0]), n_classes), n_classes, *parts)
