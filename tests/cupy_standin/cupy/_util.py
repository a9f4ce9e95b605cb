class PerformanceWarning(RuntimeWarning):
    """A part of CuPy that is slow."""
