"""Snapshots: taken whole, checked before they are loaded."""

import functools
import glob
import json
import os
import sys
import zipfile

from chainer import serializers
from chainer.training import extensions
import numpy

from quantized_net import errors
from quantized_net.extensions import settings as settings_module

_PREFIX = 'snapshot_iter_'
_MODEL = 'updater/model:main/'


def extension():
    """The snapshot extension: the two newest are kept, uncompressed."""
    return extensions.snapshot(
        savefun=functools.partial(serializers.save_npz, compression=False),
        filename=_PREFIX + '{.updater.iteration}', n_retains=2)


def newest_first(folder):
    """Paths of the snapshots in a folder, the newest first."""
    def iteration(path):
        number = os.path.basename(path)[len(_PREFIX):]
        return int(number) if number.isdigit() else -1
    paths = glob.glob(os.path.join(glob.escape(folder), _PREFIX + '*'))
    return sorted((p for p in paths if iteration(p) >= 0),
                  key=iteration, reverse=True)


def settings_of(path):
    """The settings that a snapshot was taken with (a dict).

    Raises:
        ~quantized_net.UserError: Where it is missing, damaged or of another
            script.

    """
    _check_whole(path)
    with open(path, 'rb') as f, numpy.load(f) as archive:
        if settings_module.Settings.key not in archive.files:
            raise errors.UserError(
                '%s is no snapshot of this script' % path)
        return json.loads(str(archive[settings_module.Settings.key]))


def load(path, trainer):
    """Resumes a trainer from a snapshot.

    Args:
        path (str): Of the snapshot.
        trainer (~chainer.training.Trainer): With every extension that the
            run has, :class:`~quantized_net.extensions.Settings` among them.

    Raises:
        ~quantized_net.UserError: Where the file is missing, damaged or of
            another run.  The trainer is as it was.

    """
    _check_same_run(path, trainer)
    try:
        serializers.load_npz(path, trainer)
    except (KeyError, TypeError, ValueError) as e:
        raise errors.UserError(
            'snapshot %s does not fit this run: %s' % (path, e))


def load_newest(folder, trainer):
    """Resumes from the newest whole snapshot of a folder.

    A damaged one is named on the standard error and passed over.

    Returns:
        str or None: Path of the snapshot; ``None`` where there is none.

    """
    for path in newest_first(folder):
        try:
            _check_whole(path)
        except errors.UserError as e:
            sys.stderr.write('%s; trying the one before\n' % e)
            continue
        load(path, trainer)
        return path
    return None


def _check_whole(path):
    if not os.path.isfile(path):
        raise errors.UserError('there is no snapshot %s' % path)
    try:
        with zipfile.ZipFile(path) as archive:
            bad = archive.testzip()
    except (OSError, zipfile.BadZipFile, EOFError) as e:
        raise errors.UserError(
            'snapshot %s is damaged or no snapshot (%s)' % (path, e))
    if bad is not None:
        raise errors.UserError(
            'snapshot %s is damaged (checksum of %s)' % (path, bad))


def _check_same_run(path, trainer):
    saved = settings_of(path)
    with open(path, 'rb') as f, numpy.load(f) as archive:
        shapes = {
            name[len(_MODEL):]: archive[name].shape
            for name in archive.files if name.startswith(_MODEL)}
    wanted = trainer.get_extension('Settings').settings
    for name in [*wanted, *sorted(set(saved) - set(wanted))]:
        if saved.get(name) != wanted.get(name):
            raise errors.UserError(
                'snapshot %s is of another run: its %s is %s, here it is %s'
                % (path, name, saved.get(name), wanted.get(name)))
    model = trainer.updater.get_optimizer('main').target
    for name, param in model.namedparams():
        if param.array is not None and (
                shapes.get(name[1:]) != param.array.shape):
            raise errors.UserError(
                'snapshot %s is of another model: %s has the shape %s, here '
                'it is %s' % (path, name, shapes.get(name[1:]),
                              param.array.shape))
