"""One link per method; :mod:`quantizer` states what each answers."""

from quantized_net.quantizers.buckets import Buckets
from quantized_net.quantizers.bwn import BWN
from quantized_net.quantizers.dorefa import DoReFa
from quantized_net.quantizers.dorefa import DoReFaActivation
from quantized_net.quantizers.dorefa import DoReFaGradient
from quantized_net.quantizers.fixed import Fixed
from quantized_net.quantizers.fixed_point import FixedPoint
from quantized_net.quantizers.fixed_point import ROUNDINGS
from quantized_net.quantizers.inq import INQ
from quantized_net.quantizers.linear_quant import LinearQuant
from quantized_net.quantizers.log_quant import LogQuant
from quantized_net.quantizers.lsq import LSQ
from quantized_net.quantizers.lsq import LSQActivation
from quantized_net.quantizers.points import Points
from quantized_net.quantizers.quantizer import as_codebook
from quantized_net.quantizers.quantizer import decode
from quantized_net.quantizers.quantizer import Quantizer
from quantized_net.quantizers.quantizer import values_of
from quantized_net.quantizers.sign import Sign
from quantized_net.quantizers.sign import StochasticSign
from quantized_net.quantizers.ttq import TTQ
from quantized_net.quantizers.twn import TWN

__all__ = [
    'BWN', 'Buckets', 'DoReFa', 'DoReFaActivation', 'DoReFaGradient', 'Fixed',
    'FixedPoint', 'INQ', 'LSQ', 'LSQActivation', 'LinearQuant', 'LogQuant',
    'NAMED', 'Points', 'Quantizer', 'ROUNDINGS', 'Sign', 'StochasticSign',
    'TTQ', 'TWN', 'as_codebook', 'decode', 'values_of',
]

#: The classes by their names.
NAMED = {
    cls.name: cls
    for cls in (
        BWN, Buckets, DoReFa, FixedPoint, INQ, LSQ, LinearQuant, LogQuant,
        Points, Sign, StochasticSign, TTQ, TWN)}
