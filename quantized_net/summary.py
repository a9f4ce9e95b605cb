"""What a model's layers are made of, in bits and bytes."""

import chainer
from chainer import backend

from quantized_net.links import quantized_layer
from quantized_net import packing
from quantized_net import quantizers
from quantized_net import text_table
from quantized_net import traversal


class Row(object):

    """A layer of the summary.

    Attributes:
        name (str): Path of the layer.
        shape (tuple): Of the weight; ``None`` for a row of other values.
        quantizer (str): Its class, or ``'float'``.
        bits (int): Of one weight.
        zeros (float or None): Share of zeros among the quantized weights.
        Wp, Wn (float or None): The scales of the positive and of the
            negative values, with their signs; the largest, where each
            filter has its own; ``None`` where there are no scales.
        n_values (int or None): Distinct quantized values.
        float_bytes, packed_bytes (int): Of the weight as float, and as
            :func:`quantized_net.save_packed` writes it: packed codes and
            their codebook.

    """

    def __init__(self, name, shape, quantizer, bits, float_bytes,
                 packed_bytes, zeros=None, Wp=None, Wn=None, n_values=None):
        self.name = name
        self.shape = shape
        self.quantizer = quantizer
        self.bits = bits
        self.float_bytes = float_bytes
        self.packed_bytes = packed_bytes
        self.zeros = zeros
        self.Wp = Wp
        self.Wn = Wn
        self.n_values = n_values


class Summary(list):

    """Rows of :class:`Row`; prints as a table with totals.

    Attributes:
        float_bytes, packed_bytes (int): Of the whole model.

    """

    @property
    def float_bytes(self):
        return sum(row.float_bytes for row in self)

    @property
    def packed_bytes(self):
        return sum(row.packed_bytes for row in self)

    def __str__(self):
        table = [('layer', 'shape', 'quantizer', 'bits', 'zeros %', 'Wp',
                  'Wn', 'values', 'float bytes', 'packed')]
        for row in self:
            table.append((
                row.name, 'x'.join(map(str, row.shape or ())), row.quantizer,
                str(row.bits), _number(row.zeros, '%.1f', 100),
                _number(row.Wp, '%.4f'), _number(row.Wn, '%.4f'),
                _number(row.n_values, '%d'), '{:,}'.format(row.float_bytes),
                '{:,}'.format(row.packed_bytes)))
        ratio = self.float_bytes / max(self.packed_bytes, 1)
        table.append(('total', '', '', '', '', '', '', '',
                      '{:,}'.format(self.float_bytes),
                      '{:,}'.format(self.packed_bytes)))
        lines = text_table.lay_out(table, n_left=3)
        rule = '-' * max(map(len, lines))
        lines[1:1] = [rule]
        lines[-1:-1] = [rule]
        lines.append('%.2f times smaller' % ratio)
        return '\n'.join(lines)


def _number(value, form, factor=1):
    return '' if value is None else form % (factor * value)


def summary(model, ternary='base3'):
    """Summarizes a model's layers; changes nothing.

    Args:
        model (~chainer.Link): With initialized parameters.
        ternary (str): How ternary weights are packed: ``'base3'``, five in
            a byte, or ``'bits2'``, four.

    Returns:
        Summary: Its bytes are those of the tensors in the file that
        :func:`quantized_net.save_packed` writes, where BatchNormalization is
        kept: a weight takes its packed codes and its codebook, everything
        else 4 bytes a value.

    """
    rows = Summary()
    others = 0
    seen = set()
    for path, link in traversal.links_in_order(model):
        for name, param in sorted(link.__dict__.items()):
            if name not in link._params or id(param) in seen:
                continue
            seen.add(id(param))
            if param.array is None:
                continue
            if isinstance(link, quantizers.Quantizer):
                continue  # in the codebook
            if name == 'W' and isinstance(
                    link, quantized_layer.QuantizedLayer) and (
                        link.weight_quantizer is not None):
                rows.append(_quantized_row(path, link, ternary))
            elif name == 'W':
                rows.append(Row(
                    path, param.shape, 'float', 32,
                    4 * param.size, 4 * param.size))
            else:
                others += 4 * param.size
        for name in link._persistent:
            value = link.__dict__[name]
            if hasattr(value, 'size') and not isinstance(
                    link, quantizers.Quantizer):
                others += 4 * value.size
    if others:
        rows.append(Row('biases, BatchNormalization', None, 'float', 32,
                        others, others))
    return rows


def _quantized_row(path, link, ternary):
    W = link.W.array
    with chainer.using_config('train', False):
        codes, codebook = link.weight_quantizer.encode(W)
        codebook = quantizers.as_codebook(codebook)
        values = codebook[codes]
    xp = backend.get_array_module(W)
    bits = link.weight_quantizer.bits
    scales = link.weight_quantizer.scales(W)
    Wp, Wn = (None, None) if scales is None else [
        float(scale.max()) for scale in scales]
    return Row(
        path, W.shape, type(link.weight_quantizer).__name__, bits,
        4 * W.size, codebook.nbytes + packing.n_bytes(
            W.size, packing.coding_of(len(codebook), ternary)),
        zeros=float((values == 0).mean()), Wp=Wp, Wn=Wn,
        n_values=len(xp.unique(values)))
