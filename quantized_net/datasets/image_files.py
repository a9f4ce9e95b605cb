"""Lists of image files with their labels, and the pixels of one."""

import io
import os
import warnings

import numpy

from quantized_net import errors

# A file that claims more is refused before anything is decoded.
MAX_PIXELS = 1 << 27

_ENDINGS = ('.bmp', '.gif', '.jpeg', '.jpg', '.png', '.webp')


class CorruptImage(ValueError):
    """A file that is no whole image."""


def from_folders(root):
    """The images below a folder that has a folder for each class.

    Args:
        root (str): The folder.

    Returns:
        tuple: Paths, labels and the names of the classes, in their order.

    Raises:
        ~quantized_net.UserError: Where there are no such folders or images.

    """
    try:
        classes = sorted(e.name for e in os.scandir(root) if e.is_dir())
    except OSError as e:
        raise errors.UserError('%s: can not be read (%s)' % (
            root, e.strerror))
    if not classes:
        raise errors.UserError(
            '%s: there is no folder in it; one for each class is needed'
            % root)
    paths, labels = [], []
    for label, name in enumerate(classes):
        names = sorted(n for n in os.listdir(os.path.join(root, name))
                       if n.lower().endswith(_ENDINGS))
        if not names:
            raise errors.UserError('%s: there are no images in it'
                                   % os.path.join(root, name))
        paths += [os.path.join(root, name, n) for n in names]
        labels += [label] * len(names)
    return paths, numpy.array(labels, numpy.int32), classes


def from_list(path, root='.'):
    """The images of a list: on each line a path, a space, a label.

    Args:
        path (str): Of the list, as Chainer's ImageNet example has it.
        root (str): What the paths in it are relative to.

    Returns:
        tuple: Paths and labels.

    Raises:
        ~quantized_net.UserError: Where it can't be read, by its line.

    """
    paths, labels = [], []
    try:
        with open(path, encoding='utf-8') as f:
            for number, line in enumerate(f, 1):
                if not line.strip():
                    continue
                name, _, label = line.strip().rpartition(' ')
                if not (name and label.isdecimal() and len(label) < 7):
                    raise errors.UserError(
                        '%s, line %d: a path, a space and a label are '
                        'wanted, not %.60r' % (path, number, line.strip()))
                paths.append(os.path.join(root, name.rstrip()))
                labels.append(int(label))
    except (OSError, UnicodeDecodeError) as e:
        raise errors.UserError('%s: can not be read (%s)' % (path, e))
    if not paths:
        raise errors.UserError('%s: the list is empty' % path)
    return paths, numpy.array(labels, numpy.int32)


def read(path):
    """The pixels of an image, as they lie in the file.

    Grey ones and those with a palette become RGB; transparency is dropped,
    and so is what EXIF says of the orientation: most published results are
    of images as they lie.

    Args:
        path (str): Of a file in any format that the decoder knows, whatever
            its name ends in.

    Returns:
        numpy.ndarray: uint8, shape (H, W, 3).

    Raises:
        CorruptImage: Where it is missing, empty, cut off or no image.

    """
    try:
        with open(path, 'rb') as f:
            data = f.read()
    except OSError as e:
        raise CorruptImage('%s: %s' % (path, e.strerror))
    if not data:
        raise CorruptImage('%s: the file is empty' % path)
    try:
        return decoder()[1](data)
    except CorruptImage as e:
        raise CorruptImage('%s: %s' % (path, e))


_decoder = None  # type: tuple | None


def decoder():
    """The decoder that is there: its name, and a function of bytes.

    Raises:
        ~quantized_net.UserError: Where there is none.

    """
    global _decoder
    if _decoder is None:
        _decoder = _find_decoder()
    return _decoder


def _find_decoder():
    # read when it is imported: a small file can claim 2 ** 30 pixels
    os.environ.setdefault('OPENCV_IO_MAX_IMAGE_PIXELS', str(MAX_PIXELS))
    try:
        import cv2
    except ImportError:
        try:
            import PIL.Image
        except ImportError:
            raise errors.UserError(
                'to read images opencv-python-headless is needed, or Pillow: '
                'make setup EXTRAS=imagenet')
        return 'Pillow %s' % PIL.__version__, _decode_by_pillow
    cv2.setNumThreads(0)  # the threads are the iterator's
    if hasattr(cv2, 'setLogLevel'):
        cv2.setLogLevel(0)
    return 'OpenCV %s' % cv2.__version__, _decode_by_opencv


def _decode_by_opencv(data):
    import cv2
    try:
        image = cv2.imdecode(
            numpy.frombuffer(data, numpy.uint8),
            cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except (cv2.error, MemoryError) as e:
        raise CorruptImage(' '.join(str(e).split())[:200])
    if image is None:
        raise CorruptImage('is cut off, or no image')
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _decode_by_pillow(data):
    import PIL.Image
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of odd tags in EXIF
            image = PIL.Image.open(io.BytesIO(data))
            if image.width * image.height > MAX_PIXELS:
                raise CorruptImage('has %d x %d pixels' % image.size)
            return numpy.asarray(image.convert('RGB'))
    except (OSError, ValueError, SyntaxError, MemoryError,
            PIL.Image.DecompressionBombError) as e:
        if isinstance(e, CorruptImage):
            raise
        raise CorruptImage(' '.join(str(e).split())[:200])


def mirror(image):
    """An image of shape (H, W, 3) with left and right exchanged."""
    if decoder()[1] is _decode_by_opencv:
        import cv2
        return cv2.flip(image, 1)
    return numpy.ascontiguousarray(image[:, ::-1])


def resize(image, height, width):
    """An image in another size, averaged or interpolated.

    Args:
        image (numpy.ndarray): uint8, shape (H, W, 3).
        height, width (int): The new ones.

    Returns:
        numpy.ndarray: uint8, shape (height, width, 3).

    """
    if image.shape[:2] == (height, width):
        return image
    if decoder()[1] is _decode_by_opencv:
        import cv2
        smaller = height * width < image.shape[0] * image.shape[1]
        return cv2.resize(
            image, (width, height),
            interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
    import PIL.Image
    return numpy.asarray(PIL.Image.fromarray(
        numpy.ascontiguousarray(image)).resize(
            (width, height), PIL.Image.Resampling.BILINEAR))
