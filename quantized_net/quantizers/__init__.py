"""One link per method; :mod:`quantizer` states what each answers."""

from quantized_net.quantizers.bwn import BWN
from quantized_net.quantizers.dorefa import DoReFa
from quantized_net.quantizers.dorefa import DoReFaActivation
from quantized_net.quantizers.dorefa import DoReFaGradient
from quantized_net.quantizers.linear_quant import LinearQuant
from quantized_net.quantizers.log_quant import LogQuant
from quantized_net.quantizers.lsq import LSQ
from quantized_net.quantizers.lsq import LSQActivation
from quantized_net.quantizers.quantizer import decode
from quantized_net.quantizers.quantizer import Quantizer
from quantized_net.quantizers.sign import Sign
from quantized_net.quantizers.sign import StochasticSign
from quantized_net.quantizers.ttq import TTQ
from quantized_net.quantizers.twn import TWN

__all__ = [
    'BWN', 'DoReFa', 'DoReFaActivation', 'DoReFaGradient', 'LSQ',
    'LSQActivation', 'LinearQuant', 'LogQuant', 'NAMED', 'Quantizer', 'Sign',
    'StochasticSign', 'TTQ', 'TWN', 'decode',
]

#: The classes by their names.
NAMED = {
    cls.name: cls
    for cls in (
        BWN, DoReFa, LSQ, LinearQuant, LogQuant, Sign, StochasticSign, TTQ,
        TWN)}
