"""What a published method says of itself.

A quantizer says what a tensor becomes; a method says what an experiment does
to a network: which quantizers where, the loss, the hooks of the optimizer,
what is reported, and the options of all that.  The scripts, the comparison,
the tables, ``reproduce.py`` and the snapshots know no method by name; they
ask these questions.

To add a method, put a file into this folder with a subclass of
:class:`Method` that has a ``name``.  Nothing else has to know of it.
"""

import argparse

from chainer import functions as F

from quantized_net import convert
from quantized_net import errors
from quantized_net import optimizer_hooks
from quantized_net import traversal


class Method(object):

    """Base class of the methods: quantizes nothing.

    Attributes:
        name (str): As ``--method`` has it.
        title (str): What it does, in a few words.
        source (str): The paper, with its arXiv number; empty for none.
        quantizes (bool): Whether it quantizes anything.
        starts_from_float (bool): Whether a float network is trained first,
            where ``--init`` names none.
        networks (tuple of str or None): Names of the scripts' networks that
            it is for; ``None``: for any.
        relu (bool): Whether the networks keep their ReLU; not where the
            quantizer of the next layer's input is the nonlinearity.
        clip (str): Which parameters are kept within [-1, 1] unless
            ``--clip`` says otherwise: ``'weights'`` (the latent ones),
            ``'all'`` or ``'none'``.
        mixes (bool): Whether some layers of a network may have it beside
            others (``--method mixed``): what it does to loss, network and
            optimizer is for its own layers alone.
        columns (tuple of str): Entries of the log that its table has beside
            losses and accuracies.

    """

    name = None  # type: str | None
    title = ''
    source = ''
    quantizes = True
    starts_from_float = False
    networks = None  # type: tuple[str, ...] | None
    relu = True
    clip = 'none'
    mixes = False
    columns = ()  # type: tuple[str, ...]

    loss = staticmethod(F.softmax_cross_entropy)

    def add_options(self, group):
        """Adds the options of the method alone.

        Args:
            group: Of an :class:`argparse.ArgumentParser`.  What a resumed
                run has to agree with follows from the options: all of them.

        """

    def check(self, args):
        """Checks the options, before anything is trained.

        Args:
            args (argparse.Namespace): With the options of
                :meth:`add_options`; options of the script may be missing.

        Raises:
            ~quantized_net.UserError: Where they make no sense, together or
                each.

        """
        try:
            self.weight_quantizer(args)
        except ValueError as e:
            raise errors.UserError('--method %s: %s' % (self.name, e))

    def loss_function(self, args):
        """The loss of the options, ``f(y, t)``; :attr:`loss`, unless said."""
        return self.loss

    def weight_quantizer(self, args):
        """A new quantizer of a layer's weight, or ``None``."""
        return None

    def rule(self, args, model):
        """What :func:`quantized_net.quantize` gets for ``method``.

        Args:
            args (argparse.Namespace): The options.
            model (~chainer.Link): That is to be quantized.

        """
        return lambda: self.weight_quantizer(args)

    def quantize(self, model, args=None, skip=()):
        """Quantizes a model in place.

        Args:
            model (~chainer.Link): The network, without its classifier.
            args (argparse.Namespace): The options; their defaults, if
                ``None``.
            skip: As in :func:`quantized_net.quantize`.

        Returns:
            ~quantized_net.convert.Report or None: ``None`` where the method
            quantizes nothing.

        """
        if not self.quantizes:
            return None
        if args is None:
            args = self.default_options()
        return convert.quantize(model, self.rule(args, model), skip)

    def default_options(self):
        """The options at their defaults."""
        parser = argparse.ArgumentParser()
        self.add_options(parser)
        return parser.parse_args([])

    def set_up(self, optimizer, args):
        """Adds the method's hooks to an optimizer that has its model."""
        if args.clip != 'none':
            optimizer.add_hook(optimizer_hooks.WeightClip(
                params='all' if args.clip == 'all' else None))

    def restarts(self, args):
        """Epochs at which the schedule of the learning rate begins anew.

        A list of float, in rising order; the first epoch, 0, may be among
        them.  Where there are some, the length of a run is a setting of it.
        """
        return []

    def extensions(self, model, title, args):
        """Extensions of the Trainer (a list).

        Args:
            model (~chainer.Link): The classifier, quantized.
            title (str): Of pictures.
            args (argparse.Namespace): The options.

        """
        return []


def first_layer(model):
    """The path of the first layer with a weight."""
    return next(path for path, link in traversal.links_in_order(model)
                if hasattr(link, 'W'))


def last_layer(model):
    """The path of the last layer with a weight."""
    return [path for path, link in traversal.links_in_order(model)
            if hasattr(link, 'W')][-1]
