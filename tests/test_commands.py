"""python -m quantized_net, as a user runs it."""

import contextlib
import io
import json
import pathlib
import shutil
import subprocess
import sys

import numpy
from PIL import Image
import pytest

import quantized_net
from quantized_net import __main__
from quantized_net import inference
from quantized_net import models
from quantized_net.commands import predict
from quantized_net.training import trained
from quantized_net import traversal
from quantized_net import weights
import packed_models

ROOT = pathlib.Path(__file__).resolve().parent.parent
RUN = ROOT / 'results' / 'mnist_ttq' / 'ternary' / 'seed0'


def run(*args):
    """The command in this process; as subprocess.run gives it."""
    out, err = [io.TextIOWrapper(io.BytesIO(), 'utf-8') for _ in range(2)]
    status = 0
    before = sys.argv, sys.excepthook
    sys.argv = ['quantized_net', *map(str, args)]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            __main__.script()
    except SystemExit as e:
        status = e.code
    finally:
        sys.argv, sys.excepthook = before
    texts = []
    for stream in (out, err):
        stream.flush()
        texts.append(stream.buffer.getvalue().decode())
    return subprocess.CompletedProcess(args, status, *texts)


def ok(*args):
    done = run(*args)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope='module')
def packed(tmp_path_factory):
    path = tmp_path_factory.mktemp('commands') / 'net.safetensors'
    assert 'times more' in ok('pack', RUN, '--out', path)
    return path


def test_a_process_of_its_own(packed):
    done = subprocess.run(
        [sys.executable, '-m', 'quantized_net', 'inspect', packed],
        capture_output=True, text=True, timeout=300, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, '')
    assert done.stdout == ok('inspect', packed)
    done = subprocess.run(
        [sys.executable, '-m', 'quantized_net', 'inspect', ROOT],
        capture_output=True, text=True, timeout=300, cwd=ROOT)
    assert done.returncode == 2 and done.stderr.startswith(
        '\nquantized_net: error: ')


def test_help_teaches():
    text = ok('--help')
    for name in ('summary', 'pack', 'inspect', 'predict', 'export'):
        assert '  %s ' % name in text
        assert 'python -m quantized_net %s ' % name in ok(name, '--help')


def test_pack_and_inspect(packed):
    assert packed.stat().st_size < 8200
    text = ok('inspect', packed)
    assert '# title: mnist, convnet, ttq, seed 0' in text
    assert 'every SHA-256 is right' in text
    assert '{:,}'.format(packed.stat().st_size) in text.split('total')[-1]
    kept = packed.parent / 'kept'
    ok('pack', RUN / 'model.npz', '--out', kept, '--keep-bn', '--ternary',
       'bits2')
    assert 'batch_normalization' in ok('inspect', kept)
    assert 'bits2' in ok('inspect', kept)


def test_summaries_say_the_same(packed):
    of_run, of_file = ok('summary', RUN), ok('summary', packed)
    for name in ('conv1', 'conv2', 'fc'):
        a, b = [next(line.split() for line in text.splitlines()
                     if line.startswith(name)) for text in (of_run, of_file)]
        assert a[-2:] == b[-2:] and a[4] == b[4]


def test_predict_the_digits(packed):
    found = ok('predict', packed, '--data', 'digits', '--margin', '4')
    assert found.startswith('digits, 355 test images: 29'), found
    # the same as by the model itself
    model = trained.load(str(RUN)).model
    _, images, labels = predict._test_images(
        inference.load_packed(packed).network, 'digits', None)
    y = packed_models.outputs(model, predict.with_margin(images, 4))
    right = int((y.argmax(axis=1) == labels).sum())
    assert '%d right' % right in found


def test_predict_image_files(packed, tmp_path):
    _, images, labels = predict._test_images(
        inference.load_packed(packed).network, 'digits', None)
    expected = inference.load_packed(packed).predict(
        predict.with_margin(images, 4))
    folder = tmp_path / 'images'
    folder.mkdir()
    chosen = [i for i in range(40) if expected[i] == labels[i]][:6]
    for i in chosen:
        pixels = numpy.rint(images[i, 0] * 255).astype(numpy.uint8)
        Image.fromarray(255 - pixels).save(folder / ('%02d.png' % i))
    (folder / 'notes.txt').write_text('no image')
    text = ok('predict', packed, folder, '--invert', '--margin', 4, '--top',
              2)
    lines = text.splitlines()
    assert len(lines) == 6 and all(line.count('%') == 2 for line in lines)
    said = [int(line.split(': ')[1].split()[0]) for line in lines]
    assert said == [labels[i] for i in chosen]


@pytest.mark.parametrize('mode', ['L', 'RGB', 'RGBA', 'P', '1', 'I;16'])
def test_images_of_any_kind(mode, tmp_path):
    path = str(tmp_path / 'image.png')
    Image.new(mode, (40, 30)).save(path)
    for shape in ((784,), (1, 28, 28), (3, 32, 24)):
        image = predict.read_image(path, shape)
        assert image.shape == shape and image.dtype == numpy.uint8
    assert (predict.read_image(path, (784,), invert=True) == (
        255 - predict.read_image(path, (784,)))).all()


def test_images_that_are_none(tmp_path):
    path = tmp_path / 'image.png'
    path.write_bytes(b'\x89PNG\r\n\x1a\nxx')
    large = tmp_path / 'large.png'
    Image.new('1', (9000, 9000)).save(large)
    for file, words in ((path, 'can not be read as an image'),
                        (tmp_path / 'no.png', 'can not be read'),
                        (large, 'too large|exceeds limit')):
        with pytest.raises(quantized_net.UserError, match=words):
            predict.read_image(str(file), (784,))
    with pytest.raises(quantized_net.UserError, match='no image'):
        predict.read_image(str(path), (785,))


def test_margins():
    images = numpy.random.RandomState(0).rand(2, 1, 28, 28).astype('f')
    found = predict.with_margin(images, 4)
    assert found.dtype == images.dtype and found.shape == images.shape
    assert not found[:, :, :4].any() and not found[..., -4:].any()
    numpy.testing.assert_allclose(
        predict.with_margin(numpy.ones_like(images), 4)[:, :, 4:24, 4:24], 1)
    numpy.testing.assert_array_equal(
        predict.with_margin(images.reshape(2, -1), 4).reshape(found.shape),
        found)
    pixels = numpy.full((1, 3, 8, 6), 200, numpy.uint8)
    assert predict.with_margin(pixels, 1)[0, 0, 1, 1:5].tolist() == [200] * 4
    with pytest.raises(quantized_net.UserError, match='--margin 3'):
        predict.with_margin(pixels, 3)


def test_export(packed, tmp_path):
    onnxruntime = pytest.importorskip('onnxruntime')
    for source in (packed, RUN):
        out = tmp_path / 'net.onnx'
        assert 'opset 13' in ok('export', source, out)
        session = onnxruntime.InferenceSession(
            str(out), providers=['CPUExecutionProvider'])
        x = packed_models.images((1, 28, 28))
        numpy.testing.assert_allclose(
            session.run(None, {'images': x})[0],
            inference.load_packed(packed)(x), 1e-4, 1e-3)


BAD = [
    (['pack', 'nothing'], 'there is no nothing'),
    (['pack', ROOT / 'results'], 'no args.json'),
    (['pack', ROOT / 'README.md'], 'not the folder of a run'),
    (['inspect', ROOT / 'README.md'], 'no packed network'),
    (['inspect', RUN], 'pack it first'),
    (['predict', 'FILE'], '--data digits'),
    (['predict', 'FILE', 'x.png', '--data', 'digits'], 'one of them'),
    (['predict', 'FILE', 'x.png', '--data-dir', 'd'], 'without --data'),
    (['predict', 'FILE', 'x.png', '--top', '0'], '--top 0'),
    (['predict', 'FILE', 'x.png'], 'x.png can not be read'),
    (['predict', 'FILE', '--data', 'cifar10'], 'not cifar10'),
    (['predict', 'FILE', '--data', 'digits', '--margin', '14'], '--margin'),
    (['predict', 'FILE', '--data', 'nothing'], 'invalid choice'),
    (['export', 'FILE', 'no/such/folder.onnx'], 'can not be written'),
    ([], 'COMMAND'), (['do'], 'invalid choice'),
]


@pytest.mark.parametrize('args,words', BAD)
def test_bad_input_is_one_line(args, words, packed):
    done = run(*[packed if a == 'FILE' else a for a in args])
    assert done.returncode == 2
    assert words in done.stderr and 'Traceback' not in done.stderr
    assert not done.stdout


KEPT = sorted((ROOT / 'results').rglob('packed.safetensors'))


@pytest.mark.parametrize('path', KEPT, ids=lambda path: '-'.join(
    path.parts[-4:-1]))
def test_committed_files_are_of_their_runs(path):
    found = inference.load_packed(path)
    run = trained.load(str(path.parent))
    n_packed = 0
    for name, layer in traversal.quantized_layers(run.model):
        numpy.testing.assert_array_equal(
            found.network.tensors[name + '/W'].values,
            layer.quantized_W.array)
        n_packed += 1
    assert n_packed
    x = packed_models.images(run.input_shape)
    expected = packed_models.outputs(run.model, x)
    numpy.testing.assert_allclose(
        found(x), expected, rtol=0, atol=1e-5 * abs(expected).max())


def test_networks_of_both_scripts(tmp_path):
    """args.json and model.npz of each network come back as they were."""
    with open(RUN / 'args.json') as f:
        args = json.load(f)
    x = {}
    for network, method, options, make in (
            ('mlp', 'bnn', {'unit': 20}, lambda: models.MLP(
                20, relu=False)),
            ('lenet', 'twn', {'threshold': .7, 'skip': ['conv1']},
             models.LeNet),
            ('resnet20', 'ttq', {
                'script': 'train_cifar.py', 'dataset': 'cifar10',
                'skip': ['conv0']}, models.ResNetCIFAR),
            ('convnet', 'float', {}, models.ConvNet)):
        folder = tmp_path / network
        folder.mkdir()
        said = dict(args, network=network, method=method, **options)
        (folder / 'args.json').write_text(json.dumps(said))
        model = make()
        quantized_net.methods.get(method).quantize(
            model, skip=options.get('skip', ()))
        weights.save(str(folder / 'model.npz'), model)
        found = trained.load(str(folder))
        x = packed_models.images(found.input_shape, 2)
        numpy.testing.assert_array_equal(
            packed_models.outputs(found.model, x),
            packed_models.outputs(model, x))
        if network != 'resnet20':
            assert found.pixels() == {'divisor': 255.}
        else:
            assert found.pixels() is None


def test_runs_that_are_not_whole(tmp_path):
    shutil.copy(RUN / 'args.json', tmp_path)
    with pytest.raises(quantized_net.UserError, match='no snapshot'):
        trained.load(str(tmp_path))
    weights.save(str(tmp_path / 'model.npz'), models.ConvNet())
    with pytest.raises(quantized_net.UserError, match='it lacks conv1'):
        trained.load(str(tmp_path))
    for text, words in (('{}', 'network|model'), ('[]', 'args.json'),
                        ('{', 'args.json'), ('{"network": "alexnet9"}',
                                             'alexnet9')):
        (tmp_path / 'args.json').write_text(text)
        with pytest.raises(quantized_net.UserError, match=words):
            trained.load(str(tmp_path))
