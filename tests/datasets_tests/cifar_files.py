"""Small copies of CIFAR, and mirrors of them, for the tests."""

import contextlib
import hashlib
import http.server
import io
import os
import pickle
import tarfile
import threading

import chainer
import numpy

from quantized_net.datasets import cifar

NAMES = ('cifar10', 'cifar100')
OURS = {'cifar10': cifar.get_cifar10, 'cifar100': cifar.get_cifar100}
CHAINERS = {'cifar10': chainer.datasets.get_cifar10,
            'cifar100': chainer.datasets.get_cifar100}
DAMAGES = (
    'empty', 'truncated', 'one byte changed', 'one byte more', 'web page')


def batch(spec, n, images=None):
    if images is None:
        images = numpy.random.randint(0, 256, (n, 3072)).astype(numpy.uint8)
    labels = numpy.random.randint(0, spec.n_classes, n).tolist()
    return pickle.dumps({
        'data': images, spec.labels: labels, 'batch_label': 'small'}, 3)


def pack(spec, contents):
    """The archive with these files."""
    f = io.BytesIO()
    with tarfile.open(fileobj=f, mode='w:gz') as archive:
        for name, content in contents.items():
            info = tarfile.TarInfo('%s/%s' % (spec.folder, name))
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return f.getvalue()


class Small(object):

    """A small data set: contents by file name, and the archive of them."""

    def __init__(self, spec):
        self.contents = {}
        parts = {}
        for part, entries in spec.files.items():
            parts[part] = ()
            for name, _, _ in entries:
                n = 2 + len(self.contents)
                content = self.contents[name] = batch(spec, n)
                parts[part] += (
                    (name, hashlib.md5(content).hexdigest(), n),)
        self.archive = pack(spec, self.contents)
        self.spec = spec._replace(
            files=parts, archive_md5=hashlib.md5(self.archive).hexdigest())

    def lay_out(self, folder, how='files'):
        """Puts it there and returns the data_dir."""
        files = folder / self.spec.folder if how == 'above' else folder
        files.mkdir(parents=True)
        if how == 'archive':
            (files / self.spec.archive).write_bytes(self.archive)
        else:
            for name, content in self.contents.items():
                (files / name).write_bytes(content)
        return str(folder)

    def expected(self, part):
        batches = [
            pickle.loads(self.contents[name], encoding='latin-1')
            for name, _, _ in self.spec.files[part]]
        return (numpy.concatenate([b['data'] for b in batches]),
                sum([b[self.spec.labels] for b in batches], []))


def cache_of(spec):
    return os.path.join(chainer.dataset.get_dataset_directory(
        'pfnet/chainer/cifar'), spec.cache)


def cached():
    """The names of the files in the cache."""
    return sorted(os.listdir(chainer.dataset.get_dataset_directory(
        'pfnet/chainer/cifar')))


def check_arrays(parts, small):
    for part, (images, labels) in zip(('train', 'test'), parts):
        x, y = small.expected(part)
        assert images.dtype == numpy.uint8 and labels.dtype == numpy.int32
        numpy.testing.assert_array_equal(images, x.reshape(-1, 3, 32, 32))
        numpy.testing.assert_array_equal(labels, y)


def check_same(ours, others):
    for one, other in zip(ours, others):
        assert len(one) == len(other)
        for a, b in zip(one[:], other[:]):
            assert a[0].dtype == b[0].dtype == numpy.float32
            assert a[1].dtype == b[1].dtype == numpy.int32
            numpy.testing.assert_array_equal(a[0], b[0])
            assert a[1] == b[1]


@contextlib.contextmanager
def serve(content, mode='works'):
    """A mirror with one file; yields the server and its address."""

    class Handler(http.server.BaseHTTPRequestHandler):

        def do_HEAD(self):
            self.send_response(200)
            self.end_headers()

        def do_GET(self):
            server.paths.append(self.path)
            body = content
            if server.mode == '404':
                self.send_error(404)
                return
            if server.mode == 'lies':
                body = b'x' * len(content)
            given = self.headers.get('Range')
            if given:
                body = body[int(given[len('bytes='):-1]):]
            self.send_response(206 if given else 200)
            self.send_header('Content-Length', str(len(body)))
            self.end_headers()
            if server.mode == 'breaks':
                body = body[:len(body) // 2]
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = http.server.HTTPServer(('127.0.0.1', 0), Handler)
    server.mode = mode
    server.paths = []
    thread = threading.Thread(target=server.serve_forever, args=(.01,))
    thread.start()
    try:
        yield server, ['http://127.0.0.1:%d/' % server.server_port]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class CreatesFile(object):

    """Creates a file where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), 'w')


def damaged(content, how):
    if how == 'empty':
        return b''
    if how == 'truncated':
        return content[:len(content) // 2]
    if how == 'one byte changed':
        return content[:-9] + bytes([content[-9] ^ 1]) + content[-8:]
    if how == 'one byte more':
        return content + b'\0'
    if how == 'web page':
        return b'<html>404</html>'
    raise AssertionError(how)
