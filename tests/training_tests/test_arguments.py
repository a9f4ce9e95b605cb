"""Options: whose they are, what they need, what a resume agrees on."""

import types

import chainer
import numpy
import pytest

from quantized_net import errors
from quantized_net import models
from quantized_net import weights
from quantized_net.training import arguments
from quantized_net.training import trainers
import train_cifar
import train_mnist


def parse(script, *argv):
    return script.make_parser(list(argv)).parse()


@pytest.mark.parametrize('script,argv,message', [
    (train_mnist, ['--model', 'convnet', '--unit', '5'],
     '--unit is an option of --model mlp'),
    (train_mnist, ['--method', 'twn', '--fixed-scales'],
     '--fixed-scales is an option of --method ttq, not of --method twn'),
    (train_mnist, ['--threshold', '.1'],
     '--threshold is an option of --method ttq and --method twn'),
    (train_mnist, ['--method', 'float', '--sweep', '.5'], '--sweep'),
    (train_mnist, ['--method', 'float', '--init', 'x'],
     '--init says nothing with --method float'),
    (train_mnist, ['--method', 'float', '--skip', 'x'],
     '--skip says nothing with --method float'),
    (train_mnist, ['--method', 'bnn', '--warmup', '2'],
     '--warmup says nothing with --method bnn'),
    (train_mnist, ['--model', 'convnet', '--method', 'bnn'],
     '--method bnn is for --model mlp'),
    (train_mnist, ['--method', 'float', '--clip', 'weights'],
     '--clip weights'),
    (train_mnist, ['--drops', '3'], '--drops says nothing'),
    (train_mnist, ['--model', 'convnet', '--threshold', '.1', '--sparsity',
                   '.5'], 'not allowed with argument'),
    (train_mnist, ['--model', 'convnet', '--sweep', '.1', '--sparsity',
                   '.5'], 'not allowed with argument'),
    (train_mnist, ['--model', 'convnet', '--fixed-scales',
                   '--reduction', 'mean'], '--reduction mean says nothing'),
    (train_mnist, ['--model', 'convnet', '--fixed-scales',
                   '--gradient-of-Wn', 'paper_eq7'], '--gradient-of-Wn'),
    (train_mnist, ['--model', 'convnet', '--warmup-lr', '.1'],
     '--warmup-lr says nothing with --warmup 0'),
    (train_mnist, ['--model', 'convnet', '--threshold', '2'],
     'threshold must be in (0, 1), not 2'),
    (train_mnist, ['--model', 'convnet', '--sweep', '.5', '1'], '--sweep 1'),
    (train_mnist, ['--colour', 'blue'], 'unrecognized arguments: --colour'),
    (train_mnist, ['--meth', 'bnn'], 'unrecognized arguments: --meth'),
    (train_mnist, ['--model', 'vgg'], "invalid choice: 'vgg'"),
    (train_mnist, ['--method', 'xnor'], "invalid choice: 'xnor'"),
    (train_cifar, ['--schedule', 'cosine', '--drops', '3'],
     '--drops says nothing without --schedule steps'),
    (train_cifar, ['--weight-decay', '0', '--no-decay-of-scales'],
     '--no-decay-of-scales says nothing with --weight-decay 0'),
    (train_cifar, ['--momentum', '0', '--nesterov'],
     '--nesterov says nothing with --momentum 0'),
    (train_cifar, ['--warmup', '0', '--warmup-lr', '.1'],
     '--warmup-lr says nothing'),
    (train_cifar, ['--method', 'qnn'], '--method qnn is for --arch mlp'),
    (train_mnist, ['--resume', ''], '--resume names no snapshot'),
    (train_mnist, ['--temperature', '3'],
     '--temperature says nothing without --teacher'),
    (train_cifar, ['--distill-weight', '.3'],
     '--distill-weight says nothing without --teacher'),
    (train_mnist, ['--method', 'float', '--anneal', '.5'],
     '--anneal says nothing with --method float'),
    (train_cifar, ['--drops', 'soon'], '--drops: '),
    (train_cifar, ['--drops', '-1'], '--drops: '),
    (train_mnist, ['--clip', 'some'], "--clip: invalid choice: 'some'"),
    (train_mnist, ['--distill-weight', '1.5'], '--distill-weight: '),
    (train_mnist, ['--gpu', 'one'], "invalid int value: 'one'"),
    (train_mnist, ['--gpu', '0', '--device', '0'], 'not allowed with'),
    (train_mnist, ['--method', 'twn', '--scales', 'relative'],
     '--scales is an option of --method ttq'),
])
def test_options_that_say_nothing_are_errors(script, argv, message):
    with pytest.raises(errors.UserError) as info:
        parse(script, *argv)
    assert message in str(info.value)
    assert '\n' not in str(info.value)


def test_defaults_follow_the_network_and_the_method():
    args = parse(train_mnist)
    assert (args.method, args.epoch, args.clip) == ('qnn', 20, 'all')
    assert not hasattr(args, 'threshold') and args.skip == []
    assert (args.gpu, args.device, args.seed) == (-1, None, 0)
    assert parse(train_mnist, '--gpu').gpu == 0
    assert (args.temperature, args.distill_weight) == (2, .5)
    args = parse(train_mnist, '--model', 'lenet')
    assert (args.method, args.epoch, args.clip) == ('ttq', 2, 'none')
    assert args.warmup == 0 and args.threshold == .05
    assert parse(train_mnist, '--method', 'bnn').clip == 'weights'
    args = parse(train_cifar)
    assert (args.drops, args.warmup) == ([80, 120], 2)
    assert args.skip == ['conv0']
    assert parse(train_cifar, '--schedule', 'cosine').drops is None
    assert parse(train_cifar, '--method', 'twn').threshold == .7


def settings(script, *argv):
    return arguments.settings(parse(script, *argv), 'script', 'digits')


FREE = [['--out', 'x'], ['--gpu', '0'], ['--device', '-1'], ['--autoload'],
        ['--resume', 'x'], ['--frequency', '3'], ['--data-dir', 'x'],
        ['--epoch-budget', '3'], ['--pause-after', '3'], ['--init', 'x'],
        ['--epoch', '7'], ['--communicator', 'naive']]


@pytest.mark.parametrize('argv', FREE)
def test_what_a_resume_may_change(argv):
    assert settings(train_mnist, *argv) == settings(train_mnist)


@pytest.mark.parametrize('script,argv', [
    (train_mnist, ['--clip', 'none']), (train_mnist, ['--lr', '.5']),
    (train_mnist, ['--seed', '1']), (train_mnist, ['--unit', '5']),
    (train_mnist, ['--batchsize', '5']), (train_mnist, ['--validation']),
    (train_mnist, ['--optimizer', 'sign']),
    (train_mnist, ['--bn-eval', 'both']),
    (train_mnist, ['--model', 'convnet', '--clip', 'all']),
    (train_mnist, ['--schedule', 'linear']),
    (train_mnist, ['--skip', 'l1']),
    (train_cifar, ['--fixed-scales']), (train_cifar, ['--sparsity', '.5']),
    (train_cifar, ['--no-decay-of-scales']), (train_cifar, ['--nesterov']),
    (train_cifar, ['--drops', '3']), (train_cifar, ['--warmup', '3']),
    (train_cifar, ['--warmup-lr', '3']), (train_cifar, ['--momentum', '0']),
    (train_cifar, ['--anneal', '.5']), (train_cifar, ['--teacher', 'x']),
    (train_cifar, ['--scales', 'relative']),
    (train_cifar, ['--scale-lr', '.1']),
    (train_cifar, ['--communicator', 'naive', '--multi-node-bn']),
    # its rates depend on the number of epochs
    (train_cifar, ['--epoch', '100'])])
def test_what_a_resume_has_to_agree_with(script, argv):
    assert settings(script, *argv) != settings(script)


def test_a_schedule_over_all_epochs_can_not_be_extended():
    for options in (['--schedule', 'linear'], ['--anneal', '.5']):
        assert settings(train_mnist, *options, '--epoch', '3') != settings(
            train_mnist, *options, '--epoch', '4')


def test_every_option_is_agreed_on_unless_it_is_free():
    """A new option is one to agree on, unless someone says otherwise."""
    names = set(vars(parse(train_cifar))) | set(vars(parse(train_mnist)))
    agreed = set(settings(
        train_cifar, '--communicator', 'naive', '--multi-node-bn')) | set(
            settings(train_mnist))
    free = {argv[0][2:].replace('-', '_') for argv in FREE} | {'sweep'}
    assert names - agreed == free


def test_older_snapshots_know_no_option_that_is_not_set():
    assert 'multi_node_bn' not in settings(train_cifar)


def test_batch_normalization_of_all_processes_needs_processes():
    with pytest.raises(
            errors.UserError, match='says nothing without --communicator'):
        parse(train_mnist, '--multi-node-bn')


def test_the_float_network_is_that_of_method_float():
    for script, argv in ((train_mnist, ['--model', 'convnet']),
                         (train_cifar, ['--lr', '.5'])):
        parser = script.make_parser([*argv])
        before = parser.for_float(parser.parse())
        alone = parse(script, *argv, '--method', 'float')
        assert arguments.settings(before, 's', 'd') == arguments.settings(
            alone, 's', 'd')


def test_the_float_network_has_no_teacher_and_no_latent_weights_to_clip():
    parser = train_mnist.make_parser([
        '--model', 'convnet', '--teacher', 'x', '--temperature', '4',
        '--clip', 'weights'])
    before = parser.for_float(parser.parse())
    assert (before.teacher, before.temperature, before.clip) == (
        None, 2, 'none')


def test_what_is_compared_leaves_the_seed_out():
    a, b = [arguments.experiment(parse(train_mnist, *argv), 's', 'mnist')
            for argv in (['--seed', '1', '--bn-eval', 'both'], [])]
    assert a == b and 'lr' in a


def test_networks_say_which_layers_stay_float():
    assert parse(train_cifar).skip == ['conv0']
    binary = parse(train_cifar, '--arch', 'binarynet')
    assert (binary.method, binary.skip, binary.epoch) == ('bnn', [], 500)


@pytest.mark.parametrize('option', ['--momentum', '--weight-decay'])
def test_what_adam_does_not_have(option):
    with pytest.raises(errors.UserError, match='without --optimizer mom'):
        parse(train_cifar, '--optimizer', 'adam', option, '.5')


def test_a_teacher_has_its_own_relu(tmp_path):
    """A binary student has none; its float teacher has."""
    args = parse(train_mnist, '--method', 'bnn', '--unit', '4', '--teacher',
                 str(tmp_path / 'model.npz'))
    teacher = models.MLP(4)
    weights.save(str(tmp_path / 'model.npz'), teacher)
    x = numpy.random.uniform(size=(3, 784)).astype('f')
    for text in (None, '{"network": "mlp", "unit": 4, "method": "float"}'):
        if text is not None:
            (tmp_path / 'args.json').write_text(text)
        found = trainers.teacher(args, train_mnist.make_network)
        assert found.relu
        with chainer.using_config('train', False):
            assert (found(x).array == teacher(x).array).all()


@pytest.mark.parametrize('name', sorted(train_cifar.NETWORKS))
def test_networks_are_made_for_the_images(name):
    args = parse(train_cifar, '--arch', name)
    data = types.SimpleNamespace(
        n_classes=7, train=[numpy.zeros((2, 1, 32, 32), numpy.uint8)])
    network = train_cifar.make_network(args, data)
    with chainer.using_config('train', False):
        assert network(numpy.zeros((1, 1, 32, 32), 'f')).shape == (1, 7)
    assert getattr(network, 'relu', True) == (name != 'binarynet')
