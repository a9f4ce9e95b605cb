"""Pictures of a quantized network, for a person to look at.

On a finished run: ``python -m quantized_net.plots RESULT``; while it trains:
:class:`quantized_net.extensions.PlotTernary`.
"""

from quantized_net.plots.flips import draw_flips
from quantized_net.plots.histogram import draw_histogram
from quantized_net.plots.kernels import draw_kernels
from quantized_net.plots.scales import draw_scales
from quantized_net.plots.sparsity import draw_sparsity

__all__ = [
    'draw_flips', 'draw_histogram', 'draw_kernels', 'draw_scales',
    'draw_sparsity',
]
