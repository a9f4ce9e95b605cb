#!/usr/bin/env python3
"""Damages snapshots and data files at random: fuzz_files.py [N [SEED]].

Each of N damaged snapshots and N damaged data files (MNIST's and CIFAR's,
small ones, packed and not) is read in a child that may take 512 MiB more
memory than it starts with.  It has to end in an error of one line that names
the file, or in what the whole file gives; a crash, a traceback or a memory
error is a fault, and the exit status is 1.
"""

import gzip
import hashlib
import io
import os
import pickle
import random
import resource
import sys
import tarfile
import tempfile
import traceback

import quantized_net
import chainer
from chainer import training
from chainer.training import extensions as chainer_extensions
import numpy

from quantized_net import extensions
from quantized_net import kernels
from quantized_net import models
from quantized_net.datasets import cifar
from quantized_net.datasets import mnist
from quantized_net.training import snapshot

MEMORY = 1 << 29  # bytes
REFUSED, READ, FAULT = range(3)


def damage(content, draw):
    """Returns bytes with something wrong in them."""
    n = max(len(content), 1)
    at, size = draw.randrange(n), draw.choice([1, 2, 4, 16, 512])
    how = draw.choice(['cut', 'bit', 'bytes', 'swap', 'zeros', 'twice',
                       'more'])
    before, block, after = (
        content[:at], content[at:at + size], content[at + size:])
    if how == 'cut':
        return before
    if how == 'bit':
        return before + bytes(
            b ^ 1 << draw.randrange(8) for b in block) + after
    if how == 'bytes':
        return before + draw.randbytes(len(block)) + after
    if how == 'swap':
        return after + block + before
    if how == 'zeros':
        return before + bytes(len(block)) + after
    if how == 'twice':
        return before + block + block + after
    return content + draw.randbytes(size)


def change_entry(content, draw):
    """Returns a whole npz file of which one array is another."""
    with numpy.load(io.BytesIO(content)) as archive:
        arrays = dict(archive)
    name = draw.choice(sorted(arrays))
    value = arrays[name]
    how = draw.choice(['gone', 'shape', 'dtype', 'value', 'text', 'object',
                       'bomb'])
    if how == 'gone':
        del arrays[name]
    elif how == 'shape':
        arrays[name] = numpy.zeros(
            [draw.randrange(5) for _ in range(draw.randrange(4))],
            value.dtype)
    elif how == 'dtype':
        arrays[name] = numpy.zeros(value.shape, draw.choice('bBhiqfdFDU?'))
    elif how == 'value' and value.dtype.kind in 'if':
        arrays[name] = (value + draw.choice(
            [-10 ** 6, -1, 1, 700, 10 ** 9])).astype(value.dtype)
    elif how == 'text':
        arrays[name] = numpy.array(draw.choice(
            ['', '[', '{}', '[1]', '["a"]', '[{"epoch": 1}]', '[' * 10 ** 5]))
    elif how == 'object':
        arrays[name] = numpy.array([None], object)
    elif how == 'bomb':
        arrays[name] = numpy.zeros(1 << 26, value.dtype.char)
    f = io.BytesIO()
    numpy.savez_compressed(f, **arrays)
    return f.getvalue()


def bomb(draw):
    """A small file that unpacks to 2 GiB of zeros."""
    part = gzip.compress(bytes(1 << 24))
    return part * 128


def make_trainer(out):
    numpy.random.seed(0)
    model = chainer.links.Classifier(models.MLP(8, 10))
    optimizer = chainer.optimizers.Adam().setup(model)
    data = chainer.datasets.TupleDataset(
        numpy.random.rand(60, 784).astype('f'),
        numpy.random.randint(0, 10, 60).astype('i'))
    trainer = training.Trainer(training.updaters.StandardUpdater(
        chainer.iterators.SerialIterator(data, 20), optimizer),
        (3, 'epoch'), out=out)
    trainer.extend(chainer_extensions.LogReport())
    trainer.extend(extensions.RandomState())
    trainer.extend(extensions.Settings({'method': 'qnn'}))
    trainer.extend(snapshot.extension(), trigger=(2, 'epoch'))
    return trainer


class Snapshots(object):

    """Snapshots of a small run, which goes on from them for an epoch."""

    def __init__(self, folder):
        trainer = make_trainer(folder)
        trainer.run()
        path = os.path.join(folder, 'snapshot_iter_6')
        with open(path, 'rb') as f:
            self._whole = f.read()
        self._path = path
        self._trainer = make_trainer(folder)

    def write(self, draw):
        change = draw.choice([damage, change_entry])
        with open(self._path, 'wb') as f:
            f.write(change(self._whole, draw))
        return self._path

    def read(self):
        snapshot.load(self._path, self._trainer)
        # no extension is called: what they would write is of no interest
        self._trainer.updater.update()


class DataFiles(object):

    """Small copies of MNIST and CIFAR-10 in folders of their own."""

    def __init__(self, folder):
        self._files = {}
        self._folder = {name: os.path.join(folder, name)
                        for name in ('mnist', 'packed', 'cifar', 'archive')}
        for path in self._folder.values():
            os.makedirs(path)
        for key, spec in mnist.FILES.items():
            self._put_mnist(key, spec)
        self._put_cifar(cifar.SPECS['cifar10'])
        self._right = {name: self._arrays(name) for name in self._folder}

    def _put(self, folder, name, content):
        path = os.path.join(self._folder[folder], name)
        self._files[path] = content
        with open(path, 'wb') as f:
            f.write(content)

    def _put_mnist(self, key, spec):
        spec = spec._replace(shape=(20,) + spec.shape[1:])
        content = numpy.array(
            (spec.magic,) + spec.shape, '>i4').tobytes() + (
                numpy.random.randint(0, 10, spec.shape).astype('B').tobytes())
        mnist.FILES[key] = spec._replace(md5=hashlib.md5(content).hexdigest())
        self._put('mnist', spec.name, content)
        self._put('packed', spec.name + '.gz', gzip.compress(content))

    def _put_cifar(self, spec):
        packed = io.BytesIO()
        parts = {}
        with tarfile.open(fileobj=packed, mode='w:gz') as archive:
            for part, entries in spec.files.items():
                parts[part] = []
                for name, _, _ in entries:
                    content = pickle.dumps({
                        'data': numpy.random.randint(
                            0, 256, (4, 3072)).astype('B'),
                        'labels': [0, 1, 2, 3]})
                    parts[part].append(
                        (name, hashlib.md5(content).hexdigest(), 4))
                    self._put('cifar', name, content)
                    info = tarfile.TarInfo(spec.folder + '/' + name)
                    info.size = len(content)
                    archive.addfile(info, io.BytesIO(content))
        cifar.SPECS['cifar10'] = spec._replace(files=parts)
        self._put('archive', spec.archive, packed.getvalue())

    def _arrays(self, name):
        if name in ('mnist', 'packed'):
            return [data[:] for data in mnist.get_mnist(self._folder[name])]
        return cifar.load_arrays('cifar10', self._folder[name])

    def write(self, draw):
        self._damaged = draw.choice(sorted(self._files))
        content = (bomb(draw) if draw.random() < .02 else
                   damage(self._files[self._damaged], draw))
        with open(self._damaged, 'wb') as f:
            f.write(content)
        return self._damaged

    def read(self):
        name = os.path.basename(os.path.dirname(self._damaged))
        assert pickle.dumps(self._arrays(name)) == pickle.dumps(
            self._right[name]), 'it was read, and is not what it was'

    def restore(self):
        with open(self._damaged, 'wb') as f:
            f.write(self._files[self._damaged])


def try_in_child(files, path):
    """Reads in a child; returns REFUSED, READ or FAULT."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        return {0: REFUSED, 1: READ}.get(
            os.waitstatus_to_exitcode(status), FAULT)
    status = FAULT
    try:
        with open('/proc/self/statm') as f:
            limit = MEMORY + resource.getpagesize() * int(f.read().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        files.read()
        status = READ
    except quantized_net.UserError as e:
        named = os.path.basename(path) in str(e) and '\n' not in str(e)
        status = REFUSED if named else FAULT
        if not named:
            print('said: %s' % e, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def main(n=1000, seed=0):
    kernels.set_threads(1)  # a child has none but its own
    n_faults = 0
    with tempfile.TemporaryDirectory() as folder:
        for kind in (Snapshots, DataFiles):
            files = kind(os.path.join(folder, kind.__name__))
            counts = [0, 0, 0]
            for i in range(n):
                path = files.write(random.Random(seed + i))
                found = try_in_child(files, path)
                counts[found] += 1
                if found == FAULT:
                    print('fault: %s, seed %d, %s' % (
                        kind.__name__, seed + i, path), file=sys.stderr)
                if hasattr(files, 'restore'):
                    files.restore()
            n_faults += counts[FAULT]
            print('%s: %d refused, %d read, %d faults'
                  % (kind.__name__, *counts), flush=True)
    return n_faults


if __name__ == '__main__':
    sys.exit(main(*map(int, sys.argv[1:])) > 0)
