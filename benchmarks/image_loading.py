"""How many images a processor decodes and crops in a second.

It makes JPEG files of 500 x 375 pixels, as most of ImageNet's are, and times
the training batches of ``datasets.ImageIterator`` in CPU seconds, the
decoders that are installed and the augmentations in turn, with one thread.
"""

import argparse
import io
import os
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..'))

import _bootstrap  # noqa: E402, F401
import quantized_net  # noqa: E402, F401  (before chainer)
import numpy  # noqa: E402
import PIL.Image  # noqa: E402

from quantized_net import datasets  # noqa: E402
from quantized_net.datasets import image_files  # noqa: E402


def make_files(folder, n):
    """Pictures with detail at all scales, at the quality of photographs."""
    rng = numpy.random.RandomState(0)
    paths = []
    for i in range(n):
        pixels = numpy.zeros((375, 500, 3))
        for size in (4, 16, 64, 256):
            noise = PIL.Image.fromarray(rng.randint(
                0, 256, (size * 3 // 4, size, 3)).astype(numpy.uint8))
            pixels += numpy.asarray(noise.resize(
                (500, 375), PIL.Image.Resampling.BICUBIC)) / 4
        out = io.BytesIO()
        PIL.Image.fromarray(pixels.astype(numpy.uint8)).save(
            out, 'JPEG', quality=90)
        path = os.path.join(folder, '%d.jpg' % i)
        with open(path, 'wb') as f:
            f.write(out.getvalue())
        paths.append(path)
    return paths


def seconds(paths, augmentation):
    """CPU seconds of an epoch."""
    iterator = datasets.ImageIterator(
        paths, numpy.zeros(len(paths), 'i'), 16, augmentation=augmentation,
        ahead=0)
    start = time.process_time()
    for _ in range(len(paths) // 16):
        iterator.next()
    taken = time.process_time() - start
    iterator.finalize()
    return taken


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--images', type=int, default=64)
    parser.add_argument('--rounds', type=int, default=7)
    args = parser.parse_args()
    decoders = [image_files.decoder()]
    if decoders[0][1] is not image_files._decode_by_pillow:
        decoders.append(('Pillow %s' % PIL.__version__,
                         image_files._decode_by_pillow))
    with tempfile.TemporaryDirectory() as folder:
        paths = make_files(folder, args.images // 16 * 16)
        print('%d files, %.0f KB each' % (len(paths), sum(
            map(os.path.getsize, paths)) / len(paths) / 1e3))
        cases = [(d, a) for d in decoders for a in ('resized', 'crop')]
        least = {}
        for _ in range(args.rounds):
            for decoder, augmentation in cases:
                image_files._decoder = decoder
                key = decoder[0], augmentation
                least[key] = min(least.get(key, 1e9),
                                 seconds(paths, augmentation))
    for (name, augmentation), taken in least.items():
        print('%-14s %-8s %5.0f images/s a core' % (
            name, augmentation, len(paths) / taken))


if __name__ == '__main__':
    main()
