"""train_imagenet.py as a user runs it, on a folder of files of all kinds."""

import json
import pathlib
import shutil
import sys

import numpy
import pytest

import quantized_net
import chainer
import quantized_net.methods
import scripts
import train_imagenet

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent
                       / 'datasets_tests'))
import jpegs  # noqa: E402

SMALL = ['--size', '32', '--batchsize', '10', '--val-batchsize', '6',
         '--lr', '.02', '--loader-threads', '2']


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp('imagenet')
    return jpegs.make_folder(root, classes=6, n=7, val=2)


@pytest.fixture
def out(tmp_path):
    yield tmp_path / 'out'
    shutil.rmtree(tmp_path / 'out', ignore_errors=True)


def run(*args):
    return scripts.run('train_imagenet.py', *args)


def test_float_then_ternary(folder, out):
    done = run('--data-dir', folder, *SMALL, '--epoch', 2, '--warmup', 0,
               '--out', out)
    assert done.returncode == 0, done.stderr
    assert 'data set: 42 images of 6 classes' in done.stdout
    assert 'accuracy_5' in done.stdout and 'top-5' in done.stdout
    assert 'conv0' in done.stdout  # said to stay float
    for name in ('float/log', 'log'):
        rows = json.loads((out / name).read_text())
        assert len(rows) == 2
        for row in rows:
            assert row['validation/main/accuracy'] <= row[
                'validation/main/accuracy_5'] <= 1
    with numpy.load(out / 'model.npz') as f:
        assert f['conv0/W'].shape == (64, 3, 7, 7)
        assert 'res4/1/conv2/weight_quantizer/Wp' in f.files
        assert 'fc/weight_quantizer/Wp' not in f.files


def test_stopped_and_resumed_is_one_run(folder, out):
    args = ['--data-dir', folder, *SMALL, '--epoch', 2, '--arch', 'resnet18',
            '--method', 'twn', '--scratch', '--schedule', 'constant']
    assert run(*args, '--out', out / 'whole').returncode == 0
    done = run(*args, '--out', out / 'pieces', '--pause-after', 1)
    assert done.returncode == 75, done.stderr
    done = run(*args, '--out', out / 'pieces', '--autoload')
    assert done.returncode == 0, done.stderr
    scripts.assert_same_run(out / 'whole', out / 'pieces')
    assert not (out / 'whole' / 'float').exists()


def test_lists_and_a_corrupt_image(folder, out, tmp_path):
    (tmp_path / 'cut.jpg').write_bytes(jpegs.encoded('truncated', 60, 70))
    lines = ['%s %d' % (path.relative_to(folder), int(path.parent.name[1:]))
             for path in sorted(folder.glob('train/*/*'))]
    (tmp_path / 'val.txt').write_text('\n'.join(lines[:9]))
    (tmp_path / 'train.txt').write_text(
        '\n'.join(lines + ['%s 5' % (tmp_path / 'cut.jpg')]))
    args = ['--train', tmp_path / 'train.txt', '--val', tmp_path / 'val.txt',
            '--root', folder, *SMALL, '--epoch', 1, '--method', 'float',
            '--out', out]
    done = run(*args)
    assert done.returncode == 2
    line = done.stderr.strip().splitlines()[-1]
    assert 'cut.jpg' in line and '--corrupt skip' in line
    done = run(*args, '--corrupt', 'skip')
    assert done.returncode == 0, done.stderr
    assert done.stderr.count('cut.jpg') == 1


@pytest.mark.parametrize('args,message', [
    (['--data-dir', 'none'], 'none/train: can not be read'),
    ([], 'name the images: --data-dir'),
    (['--root', 'x'], '--root says nothing without --train'),
    (['--arch', 'alexnet', '--size', '64'], '--size 64: alexnet is for'),
    (['--adam-eps', '1'], '--adam-eps says nothing without --optimizer adam'),
    (['--scratch', '--init', 'x'], '--scratch says nothing with --init'),
])
def test_bad_input(tmp_path, args, message):
    done = run(*args, '--out', tmp_path / 'out')
    assert done.returncode == 2, done.stderr
    assert message in done.stderr and 'Traceback' not in done.stderr


def test_recipe_of_the_authors_of_ttq():
    args = train_imagenet.make_parser(['--recipe', 'ttq-alexnet']).parse()
    assert (args.network, args.method, args.threshold, args.epoch) == (
        'alexnet', 'ttq', .049, 80)
    assert (args.lr, args.drops, args.drop_factor) == (1e-4, [56, 64], .2)
    assert args.skip == ['conv0', 'fct'] and args.scratch
    # what is said besides stands
    args = train_imagenet.make_parser(
        ['--recipe=ttq-alexnet', '--epoch', '3', '--batchsize', '8']).parse()
    assert (args.epoch, args.batchsize, args.lr) == (3, 8, 1e-4)


def test_recipe_of_inq():
    args = train_imagenet.make_parser(
        ['--recipe', 'inq-resnet18', '--init', 'x']).parse()
    assert (args.network, args.method, args.bits, args.portions) == (
        'resnet18', 'inq', 5, [.5, .75, .875, 1.])
    assert (args.batchsize, args.weight_decay, args.momentum, args.skip) == (
        80, 5e-4, .9, [])
    # a portion each four epochs, the last at the end
    assert quantized_net.methods.get('inq').restarts(args) == [0, 4, 8]


def test_what_decays():
    args = train_imagenet.make_parser(['--recipe', 'ttq-alexnet']).parse()

    class Net(chainer.Chain):
        def __init__(self):
            super(Net, self).__init__()
            with self.init_scope():
                self.conv1 = quantized_net.QuantizedConvolution2D(
                    1, 1, 1, weight_quantizer=quantized_net.quantizers.TTQ())
                self.fc0 = quantized_net.QuantizedLinear(
                    1, 1, weight_quantizer=quantized_net.quantizers.TTQ())

    for optimizer, rate in (('adam', 5e-6), ('momentum', 1e-3)):
        args.optimizer, args.weight_decay = optimizer, rate
        model = chainer.links.Classifier(Net())
        for param in model.params():
            param.array = numpy.ones(param.shape, 'f')
            param.grad = numpy.zeros(param.shape, 'f')
        train_imagenet.make_optimizer(args, model).update()
        moved = {name for name, param in model.namedparams()
                 if (param.array < 1).all()}
        assert moved == {'/predictor/fc0/' + name for name in (
            'W', 'weight_quantizer/Wp', 'weight_quantizer/Wn')}
