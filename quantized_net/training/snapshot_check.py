"""What a snapshot has to hold to be loaded into a trainer."""

import copy
import json
import re

import chainer
from chainer.serializers import npz as chainer_npz
import numpy

from quantized_net import errors
from quantized_net import npz
from quantized_net.extensions import random_state

TEXT_LIMIT = 1 << 28  # bytes of a text such as the log, 4 a character

_TRIGGER = re.compile('extension_triggers/([^/]+)/')
_RANDOM_STATE = 'extensions/RandomState/'
_SUMMARY = ('_x', '_x2', '_n')  # of chainer.reporter.Summary


def read(path, trainer):
    """Reads what a trainer needs of a snapshot, and checks all of it.

    Names, shapes and dtypes have to be those that the trainer would write
    itself, and values those that it can go on with.  Triggers of extensions
    that the snapshot does not know, and that keep nothing, may be missing: a
    progress bar, a time budget.  Nothing is written to the trainer.

    Args:
        path (str): Of the snapshot.
        trainer (~chainer.training.Trainer): For which it is.

    Returns:
        dict: From names to arrays, for
        :class:`chainer.serializers.NpzDeserializer`.

    Raises:
        ~quantized_net.UserError: Where anything is not so, by name.

    """
    wanted = _written_by(trainer)
    limit = max([TEXT_LIMIT, *(a.nbytes for a in wanted.values())])
    with npz.Archive(path, limit) as archive:
        try:
            names = _names(wanted, archive.headers, trainer)
            for name in names:
                _check_header(name, archive.headers[name], wanted[name])
            arrays = {name: archive.read(name) for name in names}
            arrays.update(_read_summaries(archive, arrays))
            _check_values(arrays, trainer)
        except errors.UserError:
            raise
        except ValueError as e:
            raise errors.UserError(
                'snapshot %s does not fit this run: %s' % (path, e))
    for name, value in wanted.items():
        if value.dtype == object:  # None: not initialized in both
            arrays.setdefault(name, value)
    return arrays


def _written_by(trainer):
    """What the trainer would write: from names to arrays."""
    # a trainer tells no time before it has started
    start, trainer._start_at = trainer._start_at, 0.
    try:
        wanted = chainer_npz.serialize(trainer)
    finally:
        trainer._start_at = start
    for name, optimizer in trainer.updater.get_all_optimizers().items():
        for path, param in optimizer.target.namedparams():
            for key, value in _states(param):
                wanted['updater/optimizer:%s%s/%s' % (
                    name, path, key)] = value
    return wanted


def _states(param):
    """What its optimizer would keep for it after the first update."""
    rule = param.update_rule
    if rule is None or param.array is None or rule.state is not None:
        return
    stand_in = copy.copy(rule)
    stand_in._state = None
    stand_in._init_states(param)
    for key, value in stand_in.state.items():
        yield key, numpy.asarray(chainer.get_device('@numpy').send(value))


def _names(wanted, there, trainer):
    """The names that are to be read, where all that must be there are."""
    known = {match.group(1) for match in map(_TRIGGER.match, there) if match}
    stateful = {name.split('/')[1] for name in wanted
                if name.startswith('extensions/')}
    frozen = tuple(
        'updater/optimizer:%s%s/' % (name, path)
        for name, optimizer in trainer.updater.get_all_optimizers().items()
        for path, param in optimizer.target.namedparams()
        if param.update_rule is not None and not param.update_rule.enabled)

    def may_lack(name):
        match = _TRIGGER.match(name)
        return (wanted[name].dtype == object or name.startswith(frozen)
                or match is not None
                and match.group(1) not in known | stateful)

    for name in wanted:
        if name not in there and not may_lack(name):
            raise ValueError('it lacks %s' % name)
    return [name for name in wanted if name in there]


def _check_header(name, found, wanted):
    shape, dtype = found
    if wanted.dtype == object:  # not initialized here: any floats
        fits = dtype.kind == 'f'
    elif wanted.ndim == 0:  # integers and texts of any length
        fits = shape == () and dtype.kind == wanted.dtype.kind
    else:
        fits = found == (wanted.shape, wanted.dtype)
    if not fits:
        raise ValueError('its %s has the shape %s and dtype %s, here they '
                         'are %s and %s' % (name, shape, dtype, wanted.shape,
                                            wanted.dtype))


def _read_summaries(archive, arrays):
    """What reports had summed up since the last line of the log."""
    found = {}
    for name, value in arrays.items():
        if name.endswith('/_summary/_names'):
            for i in range(len(_parse(name, value, list))):
                for key in _SUMMARY:
                    entry = '%s_summaries/%d/%s' % (
                        name.removesuffix('_names'), i, key)
                    shape, dtype = archive.headers.get(entry, (None, None))
                    if shape != () or dtype.kind not in 'if':
                        raise ValueError('its %s is no number' % entry)
                    found[entry] = archive.read(entry)
    return found


def _check_values(arrays, trainer):
    for name, value in arrays.items():
        if name.endswith('/_log'):
            rows = _parse(name, value, list)
            if not all(isinstance(row, dict) for row in rows):
                raise ValueError('its %s is no list of objects' % name)
        elif value.ndim == 0 and not name.startswith('updater/model:'):
            if value.dtype.kind == 'f' and not numpy.isfinite(value):
                raise ValueError('its %s is %s' % (name, value))
            if value.dtype.kind == 'i' and name.startswith('updater/') and (
                    value < 0):
                raise ValueError('its %s is %s' % (name, value))
        iterator = re.fullmatch(
            'updater/iterator:([^/]+)/(order|current_position)', name)
        if iterator:
            n = len(trainer.updater.get_iterator(iterator.group(1)).dataset)
            if value.size and not 0 <= value.min() <= value.max() < n:
                raise ValueError('its %s is beyond the %d examples'
                                 % (name, n))
    if _RANDOM_STATE + 'pos' in arrays:
        random_state.check(arrays[_RANDOM_STATE + 'pos'],
                           arrays[_RANDOM_STATE + 'has_gauss'])


def _parse(name, text, kind):
    """Parses a text in JSON."""
    try:
        value = json.loads(str(text))
    except RecursionError:
        value = None
    if not isinstance(value, kind):
        raise ValueError('its %s is no %s' % (name, kind.__name__))
    return value
