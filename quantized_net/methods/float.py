"""Nothing quantized."""

from quantized_net import errors
from quantized_net.methods import method


class Float(method.Method):

    """A network as it is, to compare with and to start from."""

    name = 'float'
    title = 'nothing quantized'
    quantizes = False

    def check(self, args):
        if getattr(args, 'clip', 'none') == 'weights':
            raise errors.UserError(
                '--clip weights: --method float has no latent weights to '
                'clip; leave it out, or clip all')
