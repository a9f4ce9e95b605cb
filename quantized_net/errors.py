"""The errors that end a script in one line."""


class UserError(ValueError):
    """Bad input: one line that names the thing and says what to do.

    The scripts print it and exit with status 2, without a traceback.
    """


class TrainingFailed(Exception):
    """A run that could not go on; the scripts exit with status 1."""


class Interrupted(Exception):
    """A run that was stopped by the user; the scripts exit with 130."""


class Paused(Exception):
    """A run that stopped before its time was up; the scripts exit with 75."""
