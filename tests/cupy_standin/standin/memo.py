"""cupy.memoize and its relatives."""

import functools

_memos = []


def memoize(for_each_device=False):
    def decorator(f):
        memo = {}
        _memos.append(memo)

        @functools.wraps(f)
        def ret(*args, **kwargs):
            key = args, frozenset(kwargs.items())
            if key not in memo:
                memo[key] = f(*args, **kwargs)
            return memo[key]
        return ret
    return decorator


def clear_memo():
    for memo in _memos:
        memo.clear()


def fuse(*args, **kwargs):
    """Runs a function as it is: with more launches than CuPy's one."""
    if len(args) == 1 and not kwargs and callable(args[0]):
        return args[0]
    return lambda f: f
