"""Classes of images, by a packed file alone."""

import math
import os
import sys
import warnings

import numpy

from quantized_net import datasets
from quantized_net import errors
from quantized_net import inference
from quantized_net.commands import sources
from quantized_net.datasets import digits

NAME = 'predict'
HELP = 'the classes of image files, folders of them, or a data set'
EXAMPLES = ('predict net.safetensors --data digits --margin 4',
            'predict net.safetensors seven.png --invert --margin 4',
            'predict net.safetensors --data mnist --data-dir data',
            'predict net.safetensors photos/      # all images in it')

_NAMES = tuple(dict.fromkeys(datasets.NAMES + datasets.CIFAR_NAMES))
_ENDINGS = ('.png', '.jpg', '.jpeg', '.bmp', '.gif', '.tif', '.tiff',
            '.webp', '.pgm', '.ppm')
_MOST_PIXELS = 1 << 26  # of an image file
_CHUNK = 500  # images of a data set


def add_arguments(parser):
    parser.add_argument('source', metavar='FILE', help='a packed file')
    parser.add_argument(
        'images', metavar='IMAGE', nargs='*',
        help='image files, or folders of them; they are scaled to the size '
        'that the network takes (needs Pillow)')
    parser.add_argument(
        '--invert', action='store_true',
        help='dark on light becomes light on dark, as the digits of MNIST '
        'are')
    parser.add_argument(
        '--margin', type=int, default=0, metavar='N',
        help='scale the images down and leave a black margin of so many '
        'pixels; the digits of MNIST have one of 4, those of the set '
        '"digits" have none (default: %(default)s)')
    parser.add_argument(
        '--top', type=int, default=1, metavar='N',
        help='classes to name for an image (default: %(default)s)')
    parser.add_argument(
        '--data', metavar='NAME', choices=_NAMES,
        help='predict the test images of a data set and print the accuracy: '
        + ', '.join(_NAMES))
    parser.add_argument(
        '--data-dir', metavar='DIR',
        help='folder with the original files of the data set')


def run(args):
    if not args.images and args.data is None:
        raise errors.UserError(
            'name images, or a data set: --data digits is there without any '
            'file')
    if args.images and args.data is not None:
        raise errors.UserError('images, or --data: one of them')
    if args.data is None and args.data_dir is not None:
        raise errors.UserError('--data-dir says nothing without --data')
    if args.margin < 0:
        raise errors.UserError('--margin %d: a number from 0' % args.margin)
    if args.top < 1:
        raise errors.UserError('--top %d: a number from 1' % args.top)
    predictor = inference.Predictor(sources.packed(args.source).network)
    if args.data is not None:
        _data_set(predictor, args.data, args.data_dir, args.margin)
        return
    for path in _files(args.images):
        image = read_image(path, predictor.input_shape, args.invert)
        probabilities = predictor.predict_proba(
            with_margin(image[None], args.margin)[0])
        best = probabilities.argsort()[::-1][:args.top]
        print('%s: %s' % (path, ', '.join(
            '%d (%.1f %%)' % (i, 100 * probabilities[i]) for i in best)),
            flush=True)


def _data_set(predictor, name, data_dir, margin):
    network = predictor.network
    name, images, labels = _test_images(network, name, data_dir)
    if images.shape[1:] != network.input_shape:
        raise errors.UserError(
            'the images of %s are %s, the network takes %s' % (
                name, images.shape[1:], network.input_shape))
    if int(labels.max()) >= math.prod(network.output_shape):
        raise errors.UserError('%s has more classes than the network' % name)
    n_right = 0
    for i in range(0, len(images), _CHUNK):
        n_right += int((predictor.predict(with_margin(
            images[i:i + _CHUNK], margin)) == labels[i:i + _CHUNK]).sum())
        if sys.stderr.isatty():
            sys.stderr.write('\r%d of %d' % (
                min(i + _CHUNK, len(images)), len(images)))
    if sys.stderr.isatty():
        sys.stderr.write('\r\033[K')
    print('%s, %d test images: %d right, accuracy %.2f %%' % (
        name, len(images), n_right, 100 * n_right / len(images)))


def _test_images(network, name, data_dir):
    """Name, images as the network takes them, and labels."""
    shape = network.input_shape
    has_mean = network.pixels is not None and 'mean' in network.pixels
    is_colour = len(shape) == 3 and shape[0] == 3
    if is_colour or has_mean:
        if name == 'mnist':
            raise errors.UserError('the network takes images of %s, not '
                                   'MNIST' % (shape,))
        found = datasets.load_images(name, data_dir)
        if not has_mean:
            raise errors.UserError(
                'the file does not say how pixels become inputs; pack the '
                'network again, with --data-dir')
        return found.name, *found.test
    if name not in datasets.NAMES:
        raise errors.UserError('the network takes images of %s, not %s' % (
            shape, name))
    data = datasets.load(name, data_dir, 1 if len(shape) == 1 else 3)
    images, labels = [numpy.stack(part) for part in zip(*data.test)]
    return data.name, images, labels


def _files(paths):
    """Image files, those of folders in order."""
    for path in paths:
        if not os.path.isdir(path):
            yield path
            continue
        found = sorted(
            os.path.join(folder, name)
            for folder, _, names in os.walk(path) for name in names
            if name.lower().endswith(_ENDINGS))
        if not found:
            raise errors.UserError('there is no image in %s' % path)
        yield from found


def read_image(path, shape, invert=False):
    """An image file as pixels that a network takes.

    Args:
        path (str): Of the file.
        shape (tuple of ints): (C, H, W) with one channel or three, or (n,)
            of a square image of one channel.
        invert (bool): Whether each pixel becomes 255 less it.

    Returns:
        numpy.ndarray: uint8, of that shape.

    Raises:
        ~quantized_net.UserError: Where the file is no image, or too large.

    """
    try:
        from PIL import Image
    except ImportError:
        raise errors.UserError('image files need Pillow: pip install pillow')
    channels, height, width = shape if len(shape) == 3 else (
        1, math.isqrt(shape[-1]), math.isqrt(shape[-1]))
    if len(shape) not in (1, 3) or channels not in (1, 3) or (
            channels * height * width != math.prod(shape)):
        raise errors.UserError(
            'the network takes %s, which is no image' % (shape,))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # we have a limit of our own
            with Image.open(path) as image:
                if image.width * image.height > _MOST_PIXELS:
                    raise errors.UserError(
                        '%s has %dx%d pixels, which is too large' % (
                            path, image.width, image.height))
                pixels = _on_white(image).convert(
                    'L' if channels == 1 else 'RGB').resize(
                        (width, height), Image.Resampling.BOX
                        if image.width > width else
                        Image.Resampling.BILINEAR)
    except errors.UserError:
        raise
    except MemoryError:
        raise
    except Exception as e:  # Pillow raises all kinds of them
        raise errors.UserError('%s can not be read as an image (%s)' % (
            path, getattr(e, 'strerror', None) or str(e)
            or type(e).__name__))
    array = numpy.asarray(pixels, numpy.uint8)
    if invert:
        array = 255 - array
    if channels == 3:
        array = array.transpose(2, 0, 1)
    return numpy.ascontiguousarray(array).reshape(shape)


def with_margin(images, margin):
    """Images scaled down, by linear interpolation, with a margin of zeros.

    Args:
        images (numpy.ndarray): Shape (N, C, H, W), or (N, n) of square
            images of one channel.
        margin (int): Pixels on each side.

    Returns:
        numpy.ndarray: Same shape and dtype.

    Raises:
        ~quantized_net.UserError: Where nothing is left beside the margin.

    """
    if not margin:
        return images
    n = math.isqrt(images.shape[-1])
    grid = images.reshape(-1, 1, n, n) if images.ndim == 2 else images
    height, width = [size - 2 * margin for size in grid.shape[2:]]
    if min(height, width) < 1:
        raise errors.UserError('--margin %d: images have %dx%d pixels' % (
            margin, grid.shape[3], grid.shape[2]))
    inner = numpy.einsum(
        'ip,ncpq,jq->ncij', digits.interpolation(grid.shape[2], height),
        grid.astype(numpy.float32),
        digits.interpolation(grid.shape[3], width), optimize=True)
    if images.dtype == numpy.uint8:
        inner = numpy.rint(inner)
    return numpy.pad(inner, [(0, 0), (0, 0)] + [(margin, margin)] * 2).astype(
        images.dtype).reshape(images.shape)


def _on_white(image):
    """An image without transparency."""
    if image.mode not in ('RGBA', 'LA', 'PA') and (
            'transparency' not in image.info):
        return image
    from PIL import Image
    image = image.convert('RGBA')
    white = Image.new('RGBA', image.size, (255, 255, 255, 255))
    white.alpha_composite(image)
    return white
