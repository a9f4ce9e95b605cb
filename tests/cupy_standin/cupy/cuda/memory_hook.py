class MemoryHook(object):
    """Never called."""

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        pass
