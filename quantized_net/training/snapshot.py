"""Snapshots: taken whole, checked before they are loaded."""

import glob
import json
import os
import sys

from chainer import serializers
from chainer.training import extensions
from chainer.training.extensions import snapshot_writers
import numpy

from quantized_net import errors
from quantized_net import files
from quantized_net import npz
from quantized_net import ranks as ranks_module
from quantized_net.extensions import settings as settings_module
from quantized_net.training import snapshot_check

_PREFIX = 'snapshot_iter_'
_KEY = settings_module.Settings.key
_SETTINGS_LIMIT = 1 << 20  # bytes


def extension(writes=True):
    """The snapshot extension: the two newest of the run are kept.

    The trainer must have :class:`~quantized_net.extensions.Settings`.
    Snapshots of other settings in its folder are left alone.

    Args:
        writes (bool): Whether this process writes them; one that does not
            does all else.

    """
    return extensions.snapshot(
        writer=_Writer() if writes else _NoWriter(),
        filename=_PREFIX + '{.updater.iteration}')


class _Writer(snapshot_writers.Writer):

    """Writes uncompressed, and removes what is older than the last two."""

    def __call__(self, filename, outdir, target):
        with files.replacing(os.path.join(outdir, filename)) as temporary:
            with open(temporary, 'wb') as f:
                # None is left out: it would be pickled
                numpy.savez(f, **{name: value
                                  for name, value in target.items()
                                  if value.dtype != object})
        own = of_settings(outdir, json.loads(str(target[_KEY])))
        for path in sorted(own, key=os.path.getmtime)[:-2]:
            os.remove(path)


class _NoWriter(snapshot_writers.Writer):

    """Writes nothing: what a snapshot changes, it has changed before."""

    def __call__(self, filename, outdir, target):
        pass


def newest_first(folder):
    """Paths of the snapshots in a folder, of any run, the newest first."""
    paths = glob.glob(os.path.join(glob.escape(folder), _PREFIX + '*'))
    return sorted((p for p in paths if _iteration(p) >= 0), key=_iteration,
                  reverse=True)


def _iteration(path):
    number = os.path.basename(path)[len(_PREFIX):]
    return int(number) if number.isdecimal() else -1


def of_settings(folder, settings):
    """Paths of a run's snapshots, the newest first.

    Args:
        folder (str): Where to look.
        settings (dict): Of the run, as they are in
            :attr:`Settings.settings <quantized_net.extensions.Settings>`.

    Returns:
        list of str: Those whose settings can be read and are the same.

    """
    return [path for path in newest_first(folder)
            if _settings_or_none(path) == settings]


def of_trainer(trainer):
    """Paths of the snapshots of a trainer's run up to now, newest first."""
    return [path for path in of_settings(
        trainer.out, trainer.get_extension('Settings').settings)
        if _iteration(path) <= trainer.updater.iteration]


def check_folder(trainer):
    """Refuses a folder that has the snapshots of another run.

    Args:
        trainer (~chainer.training.Trainer): That is to write there, with its
            :class:`~quantized_net.extensions.Settings`.

    Raises:
        ~quantized_net.UserError: Says what differs.

    """
    wanted = trainer.get_extension('Settings').settings
    for path in newest_first(trainer.out):
        saved = _settings_or_none(path)
        if saved is not None and saved != wanted:
            raise errors.UserError(
                'the folder %s has another run, whose %s; name another one '
                'with --out, or remove it' % (
                    trainer.out, _difference(saved, wanted)))


def _difference(saved, wanted):
    """The first setting that differs, in words."""
    name = next(name for name in [*wanted, *sorted(saved)]
                if saved.get(name) != wanted.get(name))
    return '%s is %s, here it is %s' % (
        name, saved.get(name), wanted.get(name))


def settings_of(path):
    """The settings that a snapshot was taken with (a dict).

    Raises:
        ~quantized_net.UserError: Where it is missing, damaged or of another
            script.

    """
    if not os.path.isfile(path):
        raise errors.UserError('there is no snapshot %s' % path)
    with npz.Archive(path, _SETTINGS_LIMIT) as archive:
        if _KEY not in archive.headers:
            raise errors.UserError(
                '%s is no snapshot of this script' % path)
        text = str(archive.read(_KEY))
    try:
        settings = json.loads(text)
    except (ValueError, RecursionError):
        settings = None
    if not isinstance(settings, dict):
        raise errors.UserError(
            'snapshot %s is damaged (its settings)' % path)
    return settings


def _settings_or_none(path):
    try:
        return settings_of(path)
    except errors.UserError:
        return None


def load(path, trainer, ranks=ranks_module.ALONE):
    """Resumes a trainer from a snapshot.

    Args:
        path (str): Of the snapshot.
        trainer (~chainer.training.Trainer): With every extension that the
            run has, :class:`~quantized_net.extensions.Settings` among them.
        ranks (~quantized_net.ranks.Alone): Who trains: rank 0 reads the file.

    Raises:
        ~quantized_net.UserError: Where the file is missing, damaged,
            malformed or of another run.  The trainer is as it was.

    """
    arrays = ranks.on_first(lambda: _read(path, trainer))
    serializers.NpzDeserializer(arrays).load(trainer)


def _read(path, trainer):
    _check_same_run(path, trainer)
    return snapshot_check.read(path, trainer)


def load_newest(folder, trainer, ranks=ranks_module.ALONE):
    """Resumes from the newest snapshot of a folder that is of this run.

    One that is damaged or of another run is named on the standard error and
    passed over.

    Returns:
        str or None: Path of the snapshot; ``None`` where there is none.

    """
    def read():
        for path in newest_first(folder):
            try:
                return path, _read(path, trainer)
            except errors.UserError as e:
                sys.stderr.write('%s; trying the one before\n' % e)
        return None, None

    path, arrays = ranks.on_first(read)
    if path is not None:
        serializers.NpzDeserializer(arrays).load(trainer)
    return path


def _check_same_run(path, trainer):
    saved = settings_of(path)
    wanted = trainer.get_extension('Settings').settings
    if saved != wanted:
        raise errors.UserError('snapshot %s is of another run: its %s' % (
            path, _difference(saved, wanted)))
