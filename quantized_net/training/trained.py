"""The network of a run that was trained, out of its folder."""

import argparse
import os

import numpy

from quantized_net import datasets
from quantized_net import errors
from quantized_net import experiments
from quantized_net import methods
from quantized_net import models
from quantized_net import weights
from quantized_net.training import snapshot

_MNIST = {
    'mlp': (lambda args: models.MLP(
        args['unit'], 10, relu=methods.get(args['method']).relu,
        n_hidden=args.get('hidden_layers', 2)), (784,)),
    'convnet': (lambda args: models.ConvNet(), (1, 28, 28)),
    'small-convnet': (
        lambda args: models.ConvNet(n_channels=4), (1, 28, 28)),
    'lenet': (lambda args: models.LeNet(), (1, 28, 28)),
    'dnn': (lambda args: models.GuptaDNN(), (784,)),
    'cnn': (lambda args: models.GuptaCNN(), (1, 28, 28)),
}

_CIFAR_VALIDATION = 5000  # images, as train_cifar.py holds out


class Trained(object):

    """A trained network.

    Attributes:
        model (~chainer.Link): With its weights, quantized as in training.
        input_shape (tuple of ints): Of one image.
        args (dict): The options of the run.
        path (str): Of the file that the weights are from.

    """

    def __init__(self, model, input_shape, args, path):
        self.model = model
        self.input_shape = input_shape
        self.args = args
        self.path = path

    def pixels(self, data_dir=None):
        """How 8-bit pixels become inputs, as it was in training.

        Args:
            data_dir (str or None): Folder of the data set, where images are
                trained on less their mean: it is not among the weights.

        Returns:
            dict or None: As :func:`quantized_net.save_packed` takes it;
            ``None`` where ``data_dir`` is needed and not given.

        """
        if not self.args['script'].startswith('train_cifar'):
            return {'divisor': 255.}
        name = self.args['dataset']
        inputs = self.args.get('inputs', 'mean')
        if inputs == 'unit':
            return {'divisor': 255.}
        if inputs == 'signed':
            return {'divisor': 127.5, 'mean': numpy.full(
                self.input_shape[:1] + (1, 1), 127.5)}
        if data_dir is None and name != 'digits':
            return None
        images = datasets.load_images(name, data_dir).train[0]
        if self.args.get('validation'):
            n = len(images) // 10 if name == 'digits' else _CIFAR_VALIDATION
            images = images[:-n]
        return {'divisor': 128.,
                'mean': images.mean(axis=0, dtype=float) + 128}


def load(path):
    """Builds a trained network again.

    Args:
        path (str): Folder of a run, with ``args.json`` and ``model.npz`` (or
            a snapshot, the newest); or such a file, ``args.json`` beside it.

    Returns:
        Trained: The network.

    Raises:
        ~quantized_net.UserError: Where something lacks or does not fit.

    """
    folder, file = path, None
    if not os.path.isdir(path):
        folder, file = os.path.dirname(path) or '.', path
    if not os.path.exists(path):
        raise errors.UserError('there is no %s' % path)
    if not os.path.exists(os.path.join(folder, 'args.json')):
        raise errors.UserError(
            '%s has no args.json, which says what network it is: name the '
            'folder of a run, or pack your model in Python '
            '(quantized_net.save_packed)' % folder)
    try:
        args = experiments.read_args(folder)
    except (OSError, ValueError) as e:
        raise errors.UserError('%s/args.json can not be read (%s)' % (
            folder, getattr(e, 'strerror', None) or e))
    if file is None:
        file = os.path.join(folder, 'model.npz')
        if not os.path.exists(file):
            file = next(iter(snapshot.newest_first(folder)), None)
        if file is None:
            raise errors.UserError(
                '%s has no model.npz and no snapshot' % folder)
    model, shape = _build(args, folder)
    stayed = weights.load_float(file, model)
    if stayed:
        raise errors.UserError(
            '%s is no file of this run: it lacks %s' % (
                file, stayed[0].strip('/')))
    return Trained(model, shape, args, file)


def _for_cifar(name, n_in, n_out):
    """A network of train_cifar.py with initial weights, or ``None``."""
    if name.startswith('resnet') and name[6:].isdigit():
        return models.ResNetCIFAR(int(name[6:]), n_out, n_in)
    if name == 'gupta-cnn':
        return models.GuptaCifarCNN(n_out, n_in)
    if name.startswith('polino-'):
        return models.PolinoCIFAR(name.removeprefix('polino-'), n_out, n_in)
    return None


def _build(args, folder):
    """A network with initial weights, quantized, and its image's shape."""
    try:
        name = args.get('network') or args.get('arch') or args['model']
        state = numpy.random.get_state()
        try:
            if name in _MNIST:
                make, shape = _MNIST[name]
                model = make(args)
            else:
                data = args.get('dataset')
                shape = (1, 28, 28) if data == 'digits' else (3, 32, 32)
                model = _for_cifar(
                    name, shape[0], 100 if data == 'cifar100' else 10)
            if model is None:
                raise errors.UserError(
                    '%s: the network %s is not known here; pack it in Python '
                    '(quantized_net.save_packed)' % (folder, name))
        finally:
            numpy.random.set_state(state)
        method = methods.get(args['method'])
        options = vars(method.default_options())
        options.update((key, value) for key, value in args.items()
                       if value is not None or options.get(key) is None)
        method.quantize(model, argparse.Namespace(**options),
                        options.get('skip') or ())
        args['script'], args['dataset']
    except errors.UserError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as e:
        raise errors.UserError(
            '%s/args.json is not of this version (%s)' % (folder, e))
    return model, shape
