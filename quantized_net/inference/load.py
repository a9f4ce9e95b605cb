"""A predictor out of a file."""

from ..packing import file
from .predictor import Predictor


def load_packed(path, limit=file.LIMIT):
    """The predictor of a packed file; nothing in the file is run.

    Args:
        path (str): Of a file of :func:`quantized_net.save_packed`.
        limit (int): The most bytes that it may have.

    Returns:
        Predictor: For its ``predict`` and ``predict_proba``.

    Raises:
        ~quantized_net.UserError: Where the file is missing, damaged, of
            another or a newer format, or asks for too much; it names the
            file.

    """
    return Predictor(file.read(path, limit).network)
