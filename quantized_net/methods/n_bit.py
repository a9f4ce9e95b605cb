"""What the methods of n-bit weights and activations share."""

from quantized_net import convert
from quantized_net import errors
from quantized_net.methods import method

FLOAT = 32  # bits of what stays as it is


class NBit(method.Method):

    """Methods of n-bit weights and activations; most keep the ends finer."""

    mixes = True
    ends = 'float'

    def add_bits(self, group, weight, activation):
        """Adds the options that they share, with their defaults."""
        group.add_argument(
            '--weight-bits', type=int, default=weight, metavar='BITS',
            help='from 1 to 16; 32: float (default: %(default)s)')
        group.add_argument(
            '--activation-bits', type=int, default=activation,
            metavar='BITS', help='likewise (default: %(default)s)')
        group.add_argument(
            '--ends', choices=('float', '8', 'same'), default=self.ends,
            help='the first and the last layer: float; weights and inputs '
            'of 8 bits; as the others (default: %(default)s, as the paper)')

    def check(self, args):
        quantized = False
        for name, bits in vars(args).items():
            if name.endswith('_bits'):
                if bits not in (*range(1, 17), FLOAT):
                    raise errors.UserError(
                        '--%s %d: from 1 to 16, or 32 for float'
                        % (name.replace('_', '-'), bits))
                quantized |= bits != FLOAT
        if not quantized:
            raise errors.UserError(
                '--method %s: all bits are 32, which quantizes nothing; '
                '--method float says so' % self.name)
        super(NBit, self).check(args)

    def quantizers_of(self, args, weight_bits, activation_bits, is_first):
        """The quantizers of a layer (:class:`~convert.Quantizers`)."""
        raise NotImplementedError

    def rule(self, args, model):
        first, last = method.first_layer(model), method.last_layer(model)

        def rule(path, link):
            is_end = path in (first, last)
            if is_end and args.ends == 'float':
                return convert.Quantizers()
            bits = args.weight_bits, args.activation_bits
            if is_end and args.ends == '8':
                bits = 8, 8
            return self.quantizers_of(args, *bits, path == first)
        return rule
