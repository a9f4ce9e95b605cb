"""What the Trainer prints, plots, checks and saves."""

from quantized_net.extensions.allocate_points import AllocatePoints
from quantized_net.extensions.annealing import Annealing
from quantized_net.extensions.batch_statistics_evaluator import (
    BatchStatisticsEvaluator)
from quantized_net.extensions.freeze_portions import FreezePortions
from quantized_net.extensions.interrupt import Interrupt
from quantized_net.extensions.learning_rate import LearningRate
from quantized_net.extensions.log_report import LogReport
from quantized_net.extensions.nan_guard import NaNGuard
from quantized_net.extensions.pause_after import PauseAfter
from quantized_net.extensions.plot_curves import PlotCurves
from quantized_net.extensions.plot_ternary import PlotTernary
from quantized_net.extensions.random_state import RandomState
from quantized_net.extensions.settings import Settings
from quantized_net.extensions.table_report import TableReport
from quantized_net.extensions.ternary_report import TernaryReport
from quantized_net.extensions.time_budget import TimeBudget

__all__ = [
    'AllocatePoints', 'Annealing', 'BatchStatisticsEvaluator',
    'FreezePortions', 'Interrupt', 'LearningRate', 'LogReport', 'NaNGuard',
    'PauseAfter', 'PlotCurves', 'PlotTernary', 'RandomState', 'Settings',
    'TableReport', 'TernaryReport', 'TimeBudget',
]
