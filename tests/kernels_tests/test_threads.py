"""The pool of threads: forks, callers at once, and how many there are."""

import concurrent.futures
import multiprocessing
import os
import subprocess
import sys
import threading

import numpy
import pytest

from quantized_net.kernels import batch_normalization as bn
from quantized_net.kernels import convolution as conv
from quantized_net.kernels import native

pytestmark = [
    pytest.mark.skipif(
        native.library() is None,
        reason='the kernels are not compiled here (see show_config())'),
    # Python 3.12 and later; the kernels are made for it
    pytest.mark.filterwarnings(
        'ignore:.*fork.* may lead to deadlocks:DeprecationWarning')]

needs_fork = pytest.mark.skipif(
    'fork' not in multiprocessing.get_all_start_methods(),
    reason='no fork on this system')

SECONDS = 60


@pytest.fixture(autouse=True)
def two_threads():
    before = native.library().quantized_net_threads()
    native.set_threads(2)
    yield
    native.set_threads(before)


def make(seed):
    """Arrays, and a function of them that uses the pool."""
    rng = numpy.random.RandomState(seed)
    x, W, gy = [rng.uniform(-1, 1, shape).astype('f') for shape in (
        (6, 5, 9, 9), (19, 5, 3, 3), (6, 19, 9, 9))]
    return x, W, gy


def compute(x, W, gy):
    geometry = conv.Geometry((3, 3), (1, 1), (1, 1), (1, 1), 1)
    y = conv.convolution(x, W, None, geometry, (9, 9))
    return [y, conv.gradient_x(gy, W, geometry, (9, 9)),
            conv.gradient_W(x, gy, geometry), *bn.moments(y)]


def same(a, b):
    return all(numpy.array_equal(p, q) for p, q in zip(a, b))


def work(connection, seed, n):
    for _ in range(n):
        result = compute(*make(seed))
    connection.send([numpy.ascontiguousarray(a) for a in result])


def start_child(seed, n=3):
    context = multiprocessing.get_context('fork')
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=work, args=(sender, seed, n))
    child.start()
    sender.close()
    return child, receiver


def result_of(child, receiver):
    try:
        assert receiver.poll(SECONDS), 'the child did not answer'
        result = receiver.recv()
        child.join(SECONDS)
        assert child.exitcode == 0
        return result
    finally:
        if child.is_alive():
            child.kill()


@needs_fork
def test_forked_children():
    expected = compute(*make(1))
    children = [start_child(1) for _ in range(3)]
    # the parent goes on with its own
    assert same(compute(*make(1)), expected)
    for child in children:
        assert same(result_of(*child), expected)
    assert same(compute(*make(1)), expected)


@needs_fork
def test_fork_while_another_thread_computes():
    arrays = make(2)
    expected = compute(*arrays)
    stop, wrong = threading.Event(), []

    def keep_busy():
        while not stop.is_set():
            if not same(compute(*arrays), expected):
                wrong.append(True)

    thread = threading.Thread(target=keep_busy)
    thread.start()
    try:
        for _ in range(10):
            assert same(result_of(*start_child(2)), expected)
    finally:
        stop.set()
        thread.join(SECONDS)
    assert not thread.is_alive() and not wrong


@needs_fork
def test_multiprocess_iterator():
    """In a process of its own, which can be given up."""
    script = '''
import quantized_net, chainer, numpy, sys
from quantized_net.kernels import native
from quantized_net import functions

native.set_threads(2)
W = numpy.ones((4, 3, 3, 3), 'f')

class Dataset(chainer.dataset.DatasetMixin):
    def __len__(self):
        return 8

    def get_example(self, i):
        x = numpy.full((2, 3, 4, 4), i, 'f')
        return functions.convolution_2d(x, W).array.copy()

dataset = Dataset()
expected = [dataset.get_example(i) for i in range(8)]
iterator = chainer.iterators.MultiprocessIterator(
    dataset, 4, repeat=False, shuffle=False, n_processes=2,
    shared_mem=100000, dataset_timeout=30)
found = [y for batch in iterator for y in batch]
iterator.finalize()
assert len(found) == 8
assert all((a == b).all() for a, b in zip(found, expected))
assert expected[7].flat[0] == 27 * 7
print('done')
'''
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', script], text=True,
        timeout=SECONDS, capture_output=True, env=environment())
    assert (done.stdout, done.returncode) == ('done\n', 0), done.stderr


def environment(**changes):
    return dict(os.environ, PYTHONPATH=os.pathsep.join(
        p for p in sys.path if p), **changes)


@pytest.mark.parametrize('n_threads', [1, 2, 3])
def test_python_threads_at_once(n_threads):
    native.set_threads(n_threads)
    inputs = [make(seed) for seed in range(4)]
    expected = [compute(*arrays) for arrays in inputs]
    with concurrent.futures.ThreadPoolExecutor(4) as executor:
        for _ in range(10):
            results = [executor.submit(compute, *arrays)
                       for arrays in inputs]
            for found, right in zip(results, expected):
                assert same(found.result(SECONDS), right)


def test_more_and_fewer_threads():
    arrays = make(3)
    expected = compute(*arrays)
    for n in (1, 4, 2, 9, 3, 1, 2):
        native.set_threads(n)
        assert native.library().quantized_net_threads() == n
        for _ in range(3):
            assert same(compute(*arrays), expected)


@pytest.mark.parametrize('n,expected', [(0, 1), (-3, 1), (1000, 255)])
def test_numbers_out_of_range(n, expected):
    native.set_threads(n)
    assert native.library().quantized_net_threads() == expected


@pytest.mark.parametrize('text,expected', [
    ('3', 3), (' 5,2', 5), ('0', None), ('many', None), (None, None)])
def test_number_that_the_environment_asks_for(monkeypatch, text, expected):
    if expected is None:
        expected = len(os.sched_getaffinity(0)) if hasattr(
            os, 'sched_getaffinity') else os.cpu_count()
    if text is None:
        monkeypatch.delenv('OMP_NUM_THREADS', raising=False)
    else:
        monkeypatch.setenv('OMP_NUM_THREADS', text)
    assert native._default_threads() == expected


def test_number_at_the_start():
    done = subprocess.run(
        [sys.executable, '-c', 'from quantized_net.kernels import native; '
         'native.show_config(); '
         'print(native.library().quantized_net_threads())'],
        capture_output=True, text=True, timeout=SECONDS, check=True,
        env=environment(OMP_NUM_THREADS='3'))
    assert ', 3 threads' in done.stdout
    assert done.stdout.split()[-1] == '3'
