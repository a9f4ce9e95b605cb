"""What a snapshot belongs to."""

import json

from chainer.training import extension


class Settings(extension.Extension):

    """Keeps the settings of a run in its snapshots.

    A snapshot of another method or data set can have the same parameters,
    so shapes alone do not tell that it is the wrong one;
    :func:`quantized_net.training.snapshot.load` compares the settings.

    Args:
        settings (dict): Of names and plain values.

    """

    name = 'Settings'
    key = 'extensions/Settings/settings'  # in the snapshot

    def __init__(self, settings):
        # as they will be when they come back from a snapshot
        self.settings = json.loads(json.dumps(settings))

    def __call__(self, trainer):
        pass

    def serialize(self, serializer):
        serializer('settings', json.dumps(self.settings, sort_keys=True))
