"""Pools that hold nothing: the memory is the host's."""


class MemoryPool(object):

    def __init__(self, allocator=None):
        pass

    def used_bytes(self):
        return 0

    total_bytes = free_bytes = get_limit = used_bytes

    def free_all_blocks(self, stream=None):
        pass

    def set_limit(self, size=None, fraction=None):
        pass

    def malloc(self, size):
        raise NotImplementedError(
            'MemoryPool.malloc is not in the stand-in of CuPy')


PinnedMemoryPool = MemoryPool
