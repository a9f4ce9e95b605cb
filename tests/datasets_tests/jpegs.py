"""Folders of image files of all kinds that are met."""

import io
import os

import numpy
import PIL.Image


def picture(height, width, seed, mode='RGB'):
    """A smooth picture whose colour says its class."""
    rng = numpy.random.RandomState(seed)
    y, x = numpy.mgrid[:height, :width]
    base = rng.randint(60, 190, 3)
    wave = 40 * numpy.sin(x / 9 + seed) + 20 * numpy.cos(y / 7)
    pixels = numpy.clip(base + wave[:, :, None], 0, 255).astype(numpy.uint8)
    return PIL.Image.fromarray(pixels).convert(mode)


def encoded(kind, height, width, seed=0):
    """The bytes of a file of a kind."""
    out = io.BytesIO()
    if kind == 'png':
        picture(height, width, seed).save(out, 'PNG')
    elif kind == 'alpha':
        picture(height, width, seed, 'RGBA').save(out, 'PNG')
    elif kind == 'exif':
        image = picture(height, width, seed)
        exif = image.getexif()
        exif[0x0112] = 6  # to be turned by 90 degrees
        image.save(out, 'JPEG', exif=exif, quality=95)
    else:
        mode = {'grey': 'L', 'cmyk': 'CMYK'}.get(kind, 'RGB')
        picture(height, width, seed, mode).save(
            out, 'JPEG', progressive=kind == 'progressive', quality=95)
    data = out.getvalue()
    if kind == 'truncated':
        data = data[:len(data) // 2]
    elif kind == 'empty':
        data = b''
    elif kind == 'text':
        data = b'this is no image'
    return data


GOOD = ('plain', 'grey', 'cmyk', 'progressive', 'exif', 'png', 'alpha')
BAD = ('truncated', 'empty', 'text')


def make_folder(root, classes=3, n=10, val=4, kinds=GOOD):
    """train/ and val/, with a folder for each class; PNGs are named .jpg."""
    for part, count in (('train', n), ('val', val)):
        for label in range(classes):
            folder = os.path.join(root, part, 'n%02d' % label)
            os.makedirs(folder)
            for i in range(count):
                size = (40 + 7 * i, 90 - 5 * i)
                path = os.path.join(folder, '%s_%d.jpg' % (
                    kinds[i % len(kinds)], i))
                with open(path, 'wb') as f:
                    f.write(encoded(kinds[i % len(kinds)], *size, label))
    return root
