"""CIFAR out of its files, archives and caches, and what is wrong there."""

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
import pytest

import quantized_net
from quantized_net import datasets
from quantized_net.datasets import cifar

NAMES = ('cifar10', 'cifar100')
OURS = {'cifar10': cifar.get_cifar10, 'cifar100': cifar.get_cifar100}
CHAINERS = {'cifar10': chainer.datasets.get_cifar10,
            'cifar100': chainer.datasets.get_cifar100}


def batch(spec, n, images=None):
    if images is None:
        images = numpy.random.randint(0, 256, (n, 3072)).astype(numpy.uint8)
    labels = numpy.random.randint(0, spec.n_classes, n).tolist()
    return pickle.dumps({
        'data': images, spec.labels: labels, 'batch_label': 'small'}, 2)


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


@pytest.fixture
def small(monkeypatch, tmp_path):
    """Both data sets with few images; an empty cache."""
    found = {name: Small(cifar.SPECS[name]) for name in NAMES}
    monkeypatch.setattr(
        cifar, 'SPECS', {name: s.spec for name, s in found.items()})
    previous = chainer.dataset.get_dataset_root()
    chainer.dataset.set_dataset_root(str(tmp_path / 'cache'))
    yield found
    chainer.dataset.set_dataset_root(previous)


@pytest.fixture
def small10(small):
    return small['cifar10']


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


@pytest.mark.parametrize('how', ['files', 'above', 'archive'])
@pytest.mark.parametrize('name', NAMES)
def test_original_files(tmp_path, small, name, how):
    folder = small[name].lay_out(tmp_path / 'data', how)
    check_arrays(cifar.load_arrays(name, folder, ()), small[name])
    assert not cifar.is_cached(name)


@pytest.mark.parametrize('ndim,shape', [(1, (3072,)), (3, (3, 32, 32))])
@pytest.mark.parametrize('name', NAMES)
def test_as_chainer_gives_it(tmp_path, small, name, ndim, shape):
    folder = small[name].lay_out(tmp_path / 'data')
    parts = OURS[name](folder, ndim, ())
    for part, data in zip(('train', 'test'), parts):
        x, y = small[name].expected(part)
        assert len(data) == len(x)
        for i, (image, label) in enumerate(data[:]):
            assert image.dtype == numpy.float32 and image.shape == shape
            numpy.testing.assert_allclose(
                image.ravel(), x[i] / 255., 1e-6)
            assert label.dtype == numpy.int32 and label == y[i]


def test_stray_file_of_the_same_name(tmp_path, small):
    # CIFAR-100 calls its files "train" and "test"
    folder = small['cifar100'].lay_out(tmp_path / 'data', 'above')
    (tmp_path / 'data' / 'test').write_bytes(b'something else')
    check_arrays(cifar.load_arrays('cifar100', folder), small['cifar100'])


def test_archive_beside_a_half_unpacked_folder(tmp_path, small10):
    folder = small10.lay_out(tmp_path / 'data', 'archive')
    half = tmp_path / 'data' / small10.spec.folder
    half.mkdir()
    (half / 'data_batch_1').write_bytes(b'')
    check_arrays(cifar.load_arrays('cifar10', folder), small10)


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


DAMAGES = (
    'empty', 'truncated', 'one byte changed', 'one byte more', 'web page')


@pytest.mark.parametrize('how', DAMAGES)
@pytest.mark.parametrize('file', ['data_batch_4', 'test_batch'])
def test_damaged_file_is_refused_by_name(tmp_path, small10, file, how):
    folder = small10.lay_out(tmp_path / 'data')
    bad = tmp_path / 'data' / file
    bad.write_bytes(damaged(small10.contents[file], how))
    before = bad.read_bytes()
    with pytest.raises(
            quantized_net.UserError, match='data/%s .*get it again' % file):
        cifar.load_arrays('cifar10', folder)
    assert bad.read_bytes() == before


def test_file_of_the_other_data_set(tmp_path, small):
    folder = small['cifar100'].lay_out(tmp_path / 'data')
    (tmp_path / 'data' / 'test').write_bytes(
        small['cifar10'].contents['test_batch'])
    with pytest.raises(quantized_net.UserError, match='data/test .*CIFAR-100'):
        cifar.load_arrays('cifar100', folder)


@pytest.mark.parametrize('how', ['files', 'above'])
@pytest.mark.parametrize('file', ['data_batch_3', 'test_batch'])
def test_missing_file(tmp_path, small10, file, how):
    folder = small10.lay_out(tmp_path / 'data', how)
    where = small10.spec.folder if how == 'above' else ''
    os.remove(os.path.join(folder, where, file))
    with pytest.raises(
            quantized_net.UserError,
            match='data.* lacks %s of CIFAR-10; unpack cifar-10' % file):
        cifar.load_arrays('cifar10', folder)


@pytest.mark.parametrize('name', NAMES)
def test_folder_without_files(tmp_path, small, name):
    spec = small[name].spec
    with pytest.raises(quantized_net.UserError, match='%s.* neither %s' % (
            tmp_path, spec.archive)):
        cifar.load_arrays(name, str(tmp_path))
    with pytest.raises(
            quantized_net.UserError, match='--data-dir .*nowhere: no such'):
        cifar.load_arrays(name, str(tmp_path / 'nowhere'))


@pytest.mark.parametrize('how', ['empty', 'truncated', 'web page'])
@pytest.mark.parametrize('name', NAMES)
def test_damaged_archive(tmp_path, small, name, how):
    s = small[name]
    folder = s.lay_out(tmp_path / 'data', 'archive')
    bad = tmp_path / 'data' / s.spec.archive
    bad.write_bytes(damaged(s.archive, how))
    with pytest.raises(quantized_net.UserError, match='%s .*get it again' % (
            s.spec.archive)):
        cifar.load_arrays(name, folder)


@pytest.mark.parametrize('position', [.1, .3, .5, .7, .9])
def test_archive_with_a_changed_byte(tmp_path, small10, position):
    folder = small10.lay_out(tmp_path / 'data', 'archive')
    content = bytearray(small10.archive)
    content[int(position * len(content))] ^= 0x55
    (tmp_path / 'data' / small10.spec.archive).write_bytes(content)
    with pytest.raises(
            quantized_net.UserError, match='cifar-10-python.*get it again'):
        cifar.load_arrays('cifar10', folder)


def test_archive_that_is_no_gzip(tmp_path, small10):
    folder = small10.lay_out(tmp_path / 'data', 'archive')
    with tarfile.open(os.path.join(folder, small10.spec.archive), 'w'):
        pass
    with pytest.raises(quantized_net.UserError, match='cifar-10-python'):
        cifar.load_arrays('cifar10', folder)


@pytest.mark.parametrize('file', ['data_batch_1', 'test_batch'])
def test_archive_without_a_member(tmp_path, small10, file):
    folder = small10.lay_out(tmp_path / 'data', 'archive')
    bad = tmp_path / 'data' / small10.spec.archive
    contents = dict(small10.contents)
    del contents[file]
    bad.write_bytes(pack(small10.spec, contents))
    with pytest.raises(
            quantized_net.UserError,
            match='cifar-10-python.tar.gz .*%s.*get it again' % file):
        cifar.load_arrays('cifar10', folder)


@pytest.mark.parametrize('how', DAMAGES)
def test_archive_with_a_damaged_member(tmp_path, small10, how):
    folder = small10.lay_out(tmp_path / 'data', 'archive')
    bad = tmp_path / 'data' / small10.spec.archive
    bad.write_bytes(pack(small10.spec, dict(
        small10.contents,
        data_batch_2=damaged(small10.contents['data_batch_2'], how))))
    with pytest.raises(
            quantized_net.UserError,
            match='data_batch_2 in .*cifar-10-python.*get it again'):
        cifar.load_arrays('cifar10', folder)


def test_archive_with_a_folder_for_a_member(tmp_path, small10):
    folder = small10.lay_out(tmp_path / 'data', 'archive')
    with tarfile.open(
            os.path.join(folder, small10.spec.archive), 'w:gz') as archive:
        info = tarfile.TarInfo(small10.spec.folder + '/data_batch_1')
        info.type = tarfile.DIRTYPE
        archive.addfile(info)
    with pytest.raises(quantized_net.UserError, match='data_batch_1 in'):
        cifar.load_arrays('cifar10', folder)


@pytest.mark.parametrize('how', ['files', 'archive', 'cache'])
def test_strange_pickle_is_never_loaded(tmp_path, small10, how):
    mark = tmp_path / 'mark'
    evil = pickle.dumps({'data': CreatesFile(mark), 'labels': []})
    pickle.loads(evil)['data'].close()
    assert mark.exists()  # it is one that would
    mark.unlink()
    folder = None
    if how == 'files':
        folder = small10.lay_out(tmp_path / 'data')
        (tmp_path / 'data' / 'data_batch_1').write_bytes(evil)
    elif how == 'archive':
        folder = small10.lay_out(tmp_path / 'data', 'archive')
        (tmp_path / 'data' / small10.spec.archive).write_bytes(
            pack(small10.spec, dict(small10.contents, data_batch_1=evil)))
    else:
        strange = numpy.array([CreatesFile(mark)], object)
        numpy.savez(cache_of(small10.spec), train_x=strange, train_y=strange,
                    test_x=strange, test_y=strange)
    with pytest.raises(quantized_net.UserError):
        cifar.load_arrays('cifar10', folder, ())
    assert not mark.exists()


@pytest.mark.parametrize('name', NAMES)
def test_download_fills_the_cache_of_chainer(small, name):
    s = small[name]
    with serve(s.archive) as (server, mirrors):
        parts = cifar.load_arrays(name, mirrors=mirrors)
        assert server.paths == ['/' + s.spec.archive]
    check_arrays(parts, s)
    assert cached() == [s.spec.cache]
    assert cifar.is_cached(name)
    assert not cifar.is_cached(
        'cifar100' if name == 'cifar10' else 'cifar10')
    # the second call needs no mirror, and Chainer finds it
    check_arrays(cifar.load_arrays(name, mirrors=()), s)
    for ndim in (1, 3):
        check_same(OURS[name](None, ndim, ()), CHAINERS[name](ndim=ndim))


def test_reads_the_cifar100_that_chainer_writes(tmp_path, small, monkeypatch):
    s = small['cifar100']
    path = os.path.join(
        s.lay_out(tmp_path / 'data', 'archive'), s.spec.archive)
    monkeypatch.setattr(
        chainer.dataset.download, 'cached_download', lambda url: path)
    theirs = chainer.datasets.get_cifar100()
    check_arrays(cifar.load_arrays('cifar100', mirrors=()), s)
    check_same(cifar.get_cifar100(mirrors=()), theirs)


def test_reads_the_cifar10_that_chainer_writes(
        tmp_path, small10, monkeypatch):
    # Chainer makes room for the published number of images, so that one
    # image for each of the five files becomes 10,000
    spec = small10.spec
    contents = {
        name: batch(spec, 1, numpy.full((1, 3072), i, numpy.uint8))
        for i, (name, _, _) in enumerate(spec.files['train'])}
    images = numpy.zeros((10000, 3072), numpy.uint8)
    images[::100] = numpy.arange(3072) % 256
    contents['test_batch'] = batch(spec, 10000, images)
    path = tmp_path / spec.archive
    path.write_bytes(pack(spec, contents))
    monkeypatch.setattr(
        chainer.dataset.download, 'cached_download', lambda url: str(path))
    chainer.datasets.get_cifar10(ndim=1)
    with pytest.raises(quantized_net.UserError, match='cifar-10.npz'):
        cifar.load_arrays('cifar10', mirrors=())
    monkeypatch.undo()  # the published number of images
    chainer.dataset.set_dataset_root(str(tmp_path / 'cache'))
    (train_x, train_y), (test_x, test_y) = cifar.load_arrays(
        'cifar10', mirrors=())
    assert train_x.shape == (50000, 3, 32, 32)
    for i in range(5):
        first = pickle.loads(contents['data_batch_%d' % (i + 1)])
        assert (train_x[10000 * i:10000 * (i + 1)].reshape(-1, 3072)
                == first['data']).all()
        assert (train_y[10000 * i:10000 * (i + 1)] == first['labels']).all()
    test = pickle.loads(contents['test_batch'])
    assert (test_x.reshape(-1, 3072) == images).all()
    assert (test_y == test['labels']).all()


@pytest.mark.parametrize('mode', ['404', 'lies', 'breaks'])
def test_failed_download_leaves_no_half_cache(small10, mode):
    s = small10
    with serve(s.archive, mode) as (server, mirrors):
        with pytest.raises(
                quantized_net.UserError,
                match='cifar-10-python.tar.gz.*--data-dir'):
            cifar.load_arrays('cifar10', mirrors=mirrors)
        assert not cifar.is_cached('cifar10')
        assert cached() == (
            [s.spec.archive + '.part'] if mode == 'breaks' else [])
        # the next time, it works
        server.mode = 'works'
        check_arrays(cifar.load_arrays('cifar10', mirrors=mirrors), s)
    assert cached() == [s.spec.cache]


def test_the_next_mirror_is_asked(small10):
    with serve(b'', '404') as (_, first), (
            serve(small10.archive)) as (_, second):
        parts = cifar.load_arrays('cifar10', mirrors=first + second)
    check_arrays(parts, small10)


def test_no_half_cache_where_the_disk_is_full(small10, monkeypatch):
    def fail(f, **arrays):
        f.write(b'half')
        raise OSError('disk full')

    with serve(small10.archive) as (_, mirrors):
        with monkeypatch.context() as m:
            m.setattr(numpy, 'savez_compressed', fail)
            with pytest.raises(OSError, match='disk full'):
                cifar.load_arrays('cifar10', mirrors=mirrors)
    # the archive is whole, and need not be downloaded again
    assert cached() == [small10.spec.archive]
    check_arrays(
        cifar.load_arrays('cifar10', mirrors=('http://127.0.0.1:9/',)),
        small10)
    assert cached() == [small10.spec.cache]


def write_cache(path, spec, how):
    n, m = (sum(size for _, _, size in spec.files[part])
            for part in ('train', 'test'))
    arrays = {
        'train_x': numpy.ones((n, 3072), numpy.uint8),
        'train_y': numpy.ones(n, numpy.uint8),
        'test_x': numpy.ones((m, 3072), numpy.uint8),
        'test_y': numpy.ones(m, numpy.uint8)}
    if how == 'key missing':
        del arrays['test_y']
    elif how == 'fewer images':
        arrays['train_x'] = arrays['train_x'][1:]
        arrays['train_y'] = arrays['train_y'][1:]
    elif how == 'fewer labels':
        arrays['test_y'] = arrays['test_y'][1:]
    elif how == 'other size':
        arrays['test_x'] = arrays['test_x'][:, :784]
    elif how == 'float images':
        arrays['train_x'] = arrays['train_x'] / 255
    elif how == 'float labels':
        arrays['train_y'] = arrays['train_y'] * numpy.nan
    elif how == 'text for labels':
        arrays['train_y'] = arrays['train_y'].astype(str)
    elif how == 'label too high':
        arrays['test_y'][-1] = spec.n_classes
    numpy.savez(path, **arrays)
    if how == 'header':
        # so numpy can not parse it, and the sum of the archive is right
        with open(path, 'rb') as f:
            content = f.read()
        with numpy.load(io.BytesIO(content)) as archive:
            info = archive.zip.infolist()[0]
            start = info.header_offset + 30
        at = content.index(b'}', start)
        with open(path, 'r+b') as f:
            f.seek(at)
            f.write(b'{')
    elif how == 'encrypted':
        with open(path, 'rb') as f:
            content = f.read()
        at = content.index(b'PK\1\2') + 8
        with open(path, 'r+b') as f:
            f.seek(at)
            f.write(bytes([content[at] | 1]))
    elif how == 'half of it':
        os.truncate(path, os.path.getsize(path) // 2)
    elif how == 'empty':
        os.truncate(path, 0)
    elif how == 'one array':
        with open(path, 'wb') as f:
            numpy.save(f, arrays['train_x'])
    elif how == 'web page':
        with open(path, 'wb') as f:
            f.write(b'<html>404</html>')
    elif how == 'pixel':
        with open(path, 'r+b') as f:
            f.seek(9000)
            f.write(b'\0')


@pytest.mark.parametrize('how', [
    'key missing', 'fewer images', 'fewer labels', 'other size',
    'float images', 'float labels', 'text for labels', 'label too high',
    'header', 'encrypted', 'half of it', 'empty', 'one array', 'web page',
    'pixel'])
@pytest.mark.parametrize('name', NAMES)
def test_damaged_cache_is_refused_by_name(small, name, how):
    spec = small[name].spec
    path = cache_of(spec)
    write_cache(path, spec, 'nothing')
    cifar.load_arrays(name, mirrors=())
    write_cache(path, spec, how)
    with pytest.raises(quantized_net.UserError, match='%s .*delete it' % (
            spec.cache)):
        cifar.load_arrays(name, mirrors=())
    assert os.path.exists(path)


@pytest.fixture
def unreachable(monkeypatch):
    monkeypatch.setattr(cifar, 'MIRRORS', ('http://127.0.0.1:9/',))


@pytest.mark.parametrize('name, n_classes', [
    ('cifar10', 10), ('cifar100', 100)])
def test_images_by_name(tmp_path, small, capsys, name, n_classes):
    folder = small[name].lay_out(tmp_path / 'data')
    data = datasets.load_images(name, folder)
    assert data.name == name and data.n_classes == n_classes
    check_arrays((data.train, data.test), small[name])
    assert not capsys.readouterr().err


def test_images_of_the_digits(capsys):
    data = datasets.load_images('digits')
    assert data.name == 'digits' and data.n_classes == 10
    for (images, labels), part in zip(
            (data.train, data.test), datasets.get_digits(3)):
        assert images.shape == (len(part), 1, 28, 28)
        assert images.dtype == numpy.uint8 and labels.dtype == numpy.int32
        for image, label, (as_float, right) in zip(images, labels, part):
            numpy.testing.assert_allclose(
                image / 255, as_float, 0, .5 / 255 + 1e-6)
            assert label == right
    assert not capsys.readouterr().err


def test_auto_takes_the_digits_and_says_so(small, unreachable, capsys):
    assert datasets.load_images().name == 'digits'
    message = capsys.readouterr().err
    assert message.startswith('NOT CIFAR-10') and message.count('\n') == 1
    assert '--dataset cifar10' in message


def test_auto_takes_what_is_there(tmp_path, small10, unreachable, capsys):
    folder = small10.lay_out(tmp_path / 'data')
    data = datasets.load_images('auto', folder)
    assert data.name == 'cifar10'
    with serve(small10.archive) as (_, mirrors):
        cifar.load_arrays('cifar10', mirrors=mirrors)
    data = datasets.load_images()
    assert data.name == 'cifar10' and data.n_classes == 10
    check_arrays((data.train, data.test), small10)
    assert not capsys.readouterr().err


def test_auto_downloads_where_a_mirror_answers(
        small10, monkeypatch, capsys):
    with serve(small10.archive) as (_, mirrors):
        monkeypatch.setattr(cifar, 'MIRRORS', tuple(mirrors))
        assert datasets.load_images().name == 'cifar10'
    assert cifar.is_cached('cifar10')
    assert not capsys.readouterr().err


def test_auto_does_not_hide_a_bad_folder(tmp_path, small):
    with pytest.raises(quantized_net.UserError):
        datasets.load_images('auto', str(tmp_path))


@pytest.mark.parametrize('name', NAMES)
def test_images_by_name_are_strict(small, unreachable, name):
    with pytest.raises(quantized_net.UserError, match='--data-dir'):
        datasets.load_images(name)


def test_unknown_name():
    with pytest.raises(quantized_net.UserError, match="'mnist'.*cifar100"):
        datasets.load_images('mnist')


def test_digits_read_no_folder(tmp_path):
    with pytest.raises(quantized_net.UserError, match='--data-dir'):
        datasets.load_images('digits', str(tmp_path))


def test_published_numbers():
    for name, spec in cifar.SPECS.items():
        for part, n in (('train', 50000), ('test', 10000)):
            assert sum(size for _, _, size in spec.files[part]) == n, name


def test_real_cifar10(real_data):
    parts = cifar.load_arrays('cifar10', real_data)
    folder = os.path.join(real_data, 'cifar-10-batches-py')
    names = (['data_batch_%d' % i for i in range(1, 6)], ['test_batch'])
    for (images, labels), files, n in zip(parts, names, (50000, 10000)):
        assert images.shape == (n, 3, 32, 32) and images.dtype == numpy.uint8
        assert labels.shape == (n,) and labels.dtype == numpy.int32
        assert (numpy.bincount(labels) == n // 10).all()
        for i, file in enumerate(files):
            with open(os.path.join(folder, file), 'rb') as f:
                content = pickle.load(f, encoding='latin-1')
            here = slice(10000 * i, 10000 * (i + 1))
            assert (images[here].reshape(-1, 3072) == content['data']).all()
            assert (labels[here] == content['labels']).all()
    assert abs(parts[0][0].mean() - 120.70756512369792) < 1e-6


def test_real_cifar10_as_chainer_gives_it(real_data):
    train, test = cifar.get_cifar10(real_data)
    assert (len(train), len(test)) == (50000, 10000)
    image, label = train[0]
    assert image.shape == (3, 32, 32) and image.dtype == numpy.float32
    assert 0 <= image.min() and image.max() <= 1
    assert label == 6 and test[0][1] == 3  # a frog and a cat
