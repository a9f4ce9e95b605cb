"""What the quantized layers share."""

import weakref

import chainer

from quantized_net import errors
from quantized_net import functions
from quantized_net import quantizers

# The quantizers that are in a layer.
_taken = weakref.WeakSet()  # type: weakref.WeakSet


def is_taken(quantizer):
    """Whether a quantizer is in a layer; its copies are not."""
    return quantizer in _taken


class QuantizedLayer(chainer.Chain):

    """A layer that uses its weight, and perhaps its input, quantized.

    ``link.W`` is the latent weight, which the optimizer moves;
    ``link.quantized_W`` is what the forward uses, always.  The quantizers
    are child links, so their learned parameters are saved, copied and moved
    with the layer, and ``W`` keeps the path that it has in a float model.

    A quantizer belongs to one layer: give each layer an instance of its own.

    Attributes:
        weight_quantizer (~quantized_net.quantizers.Quantizer or None):
            Quantizes ``W``.
        input_quantizer (~quantized_net.quantizers.Quantizer or None):
            Quantizes the input.
        gradient_quantizer (~quantized_net.quantizers.Quantizer or None):
            Quantizes the operands of the backward pass
            (:mod:`quantized_net.functions.quantized_backward`), or, where
            it is an identity, the gradient at the output.

    With all three ``None`` it is the ordinary layer.

    """

    W = None  # type: chainer.Parameter

    def _set_quantizers(self, weight_quantizer, input_quantizer,
                        gradient_quantizer):
        for name, quantizer in (('weight_quantizer', weight_quantizer),
                                ('input_quantizer', input_quantizer),
                                ('gradient_quantizer', gradient_quantizer)):
            if quantizer is not None and (
                    getattr(self, name, None) is quantizer):
                continue
            if isinstance(quantizer, quantizers.Quantizer):
                if quantizer in _taken:
                    raise errors.UserError(
                        '%s: this %s is in a layer already; give each layer '
                        'one of its own' % (name, type(quantizer).__name__))
                _taken.add(quantizer)
                if name == 'weight_quantizer' and self.W.array is not None:
                    quantizer.allocate(self.W.array)
            # Chainer registers no link where an attribute is: None is
            self.__dict__.pop(name, None)
            with self.init_scope():
                setattr(self, name, quantizer)

    def _prepare_quantizers(self, x):
        """In training, first values from W and x, and random numbers."""
        if not chainer.config.train:
            return
        for quantizer, values in ((self.weight_quantizer, self.W),
                                  (self.input_quantizer, x)):
            if isinstance(quantizer, quantizers.Quantizer):
                quantizer.initialize_from(values.array)
                quantizer.draw(values.array)

    @property
    def weight_kind(self):
        """The ``kind`` of ``quantized_W``; ``None`` if it may be any."""
        quantizer = self.weight_quantizer
        if getattr(quantizer, 'is_softened', False):
            return None  # on its way to its levels
        return getattr(quantizer, 'kind', None)

    @property
    def input_kind(self):
        """The ``kind`` of the quantized input; ``None`` if it may be any."""
        return getattr(self.input_quantizer, 'kind', None)

    @property
    def grids(self):
        """What makes its sums whole numbers, where they are; else ``None``.

        The grids of the quantized input and of ``quantized_W``, as
        :func:`quantized_net.functions.code_grids` gives them: where the input
        is binary or uniform, the weight that or ternary, and both small.
        """
        weight_grid = None
        if self.weight_kind != 'ternary':
            weight_grid = self.weight_kind and getattr(
                self.weight_quantizer, 'grid', None)
            if weight_grid is None:
                return None
        return functions.code_grids(
            getattr(self.input_quantizer, 'grid', None), weight_grid,
            self.W.size // max(len(self.W), 1))

    @property
    def quantized_W(self):
        """The weight as the forward uses it (:class:`~chainer.Variable`)."""
        if self.weight_quantizer is None:
            return self.W
        if not isinstance(self.weight_quantizer, quantizers.Quantizer):
            return self.weight_quantizer(self.W)
        return self.weight_quantizer.soften(self.W)

    @property
    def quantizes_operands(self):
        """Whether the backward pass sees quantized operands."""
        return self.gradient_quantizer is not None and not getattr(
            self.gradient_quantizer, 'is_identity', False)

    def quantize_output_gradient(self, y):
        """The output, whose gradient an identity may quantize."""
        if self.gradient_quantizer is None or self.quantizes_operands:
            return y
        return self.gradient_quantizer(y)

    def quantize_input(self, x):
        """The input as the forward uses it."""
        if self.input_quantizer is None:
            return x
        return self.input_quantizer(x)
