"""How many threads a run's matrix products use.

NumPy's OpenBLAS cuts long sums otherwise for one thread than for several, so
the last bits of a linear layer's results depend on the number.  Those of the
compiled kernels do not.
"""

import json
import os
import sys

# As OpenBLAS looks for them.
_VARIABLES = 'OPENBLAS_NUM_THREADS', 'GOTO_NUM_THREADS', 'OMP_NUM_THREADS'
_ARGS_LIMIT = 1 << 20  # bytes


def number():
    """The threads of NumPy's matrix products, as the environment sets them."""
    processors = os.cpu_count() or 1
    if hasattr(os, 'sched_getaffinity'):
        processors = len(os.sched_getaffinity(0))
    for name in _VARIABLES:
        text = os.environ.get(name, '').split(',')[0].strip()
        if text.isdecimal() and int(text) > 0:
            return min(int(text), processors)
    return processors


def tell_of_another(folder):
    """Says so in a line where a run was begun with another number.

    Args:
        folder (str): That of the snapshot from which the run goes on; its
            args.json has the number, where the run was of this version.

    """
    try:
        with open(os.path.join(folder, 'args.json')) as f:
            before = json.loads(f.read(_ARGS_LIMIT))['threads']
    except (KeyError, OSError, RecursionError, TypeError, ValueError):
        return
    if isinstance(before, int) and before != number():
        sys.stderr.write(
            'the run was made with %d thread(s) until here and goes on with '
            '%d: its last bits may be others than without the stop; '
            'OMP_NUM_THREADS=%d keeps them\n' % (before, number(), before))
