"""Experiments as data: what is in the tomls, and what is refused."""

import pathlib

import pytest

from quantized_net import errors
from quantized_net import experiments
from quantized_net import reproduction
from quantized_net.training import arguments
import reproduce

ALL = experiments.find()
VARIANTS = [v for e in ALL.values() for v in e.variants.values()]


@pytest.mark.parametrize('variant', VARIANTS, ids=lambda v: v.key)
def test_each_variant_is_a_run_of_its_own(variant):
    """Its options are right, and no other's."""
    def parse(argv):
        return reproduce.script_of(variant).make_parser(argv).parse()

    script = variant.experiment.script
    assert experiments.matching(
        ALL, script, parse, arguments.experiment, arguments.experiment(
            parse(variant.argv(7)), script, variant.experiment.data)
    ) is variant
    if variant.init is not None:
        assert experiments.variant(ALL, variant.init)


@pytest.mark.parametrize('variant', VARIANTS, ids=lambda v: v.key)
def test_runs_are_those_of_the_toml(variant):
    """What lies beside it was made with its options."""
    parser = reproduce.script_of(variant).make_parser
    for seed in variant.seeds:
        if not (variant.folder(seed) / 'args.json').exists():
            continue
        saved = experiments.read_args(variant.folder(seed))
        wanted = vars(parser(variant.argv(seed)).parse())
        free = {'autoload', 'data_dir', 'epoch_budget', 'init', 'out',
                'network', 'pause_after'}
        for name in (set(saved) & set(wanted)) - free:
            if name == 'skip' and not saved[name]:
                continue  # older runs: null for none
            if name in ('drops', 'threshold') and saved[name] is None:
                continue  # older runs: null for the default
            assert saved[name] == wanted[name], (variant.key, name)


def test_no_folder_of_runs_without_a_variant():
    for path in experiments.RESULTS.rglob('seed*/args.json'):
        folder = path.parent.parent
        key = folder.relative_to(experiments.RESULTS).as_posix()
        assert experiments.variant(ALL, key)


def test_command_line():
    variant = experiments.variant(ALL, 'mnist_ttq/ternary_paper_layers')
    assert variant.argv(3) == [
        '--model', 'convnet', '--schedule', 'linear', '--lr', '0.003',
        '--method', 'ttq', '--skip', 'conv1', 'fc', '--dataset', 'mnist',
        '--seed', '3']
    variant = experiments.variant(ALL, 'mnist_ttq/fixed_scales')
    assert '--fixed-scales' in variant.argv()


def test_figures():
    bnn = experiments.variant(ALL, 'mnist_qnn/bnn')
    key = 'validation/main/accuracy'
    assert bnn.figure(key, 20).value == .9766
    assert bnn.figure(key, 19) is None and bnn.figure('main/loss', 20) is None
    qnn = experiments.variant(ALL, 'mnist_qnn/qnn')
    assert qnn.figure(key, 20).value == .9806
    assert qnn.figure(key, 3).value == .9738
    assert qnn.figure(key, 21) is None
    resnet = experiments.variant(ALL, 'cifar10/resnet20-ttq')
    figure = resnet.figure(key, 160, 'least mean of 20')
    assert figure.value == pytest.approx(1 - .0887)


def test_statistics():
    values = [.1] * 10 + [.5] * 20 + [.2] * 10
    assert experiments.STATISTICS['last'](values) == .2
    assert experiments.STATISTICS['mean of 10'](values) == pytest.approx(.2)
    assert experiments.STATISTICS['least mean of 20'](values) == (
        pytest.approx(.5))
    assert experiments.STATISTICS['least mean of 20']([.1] * 19) is None


GOOD = '''title = "t"
script = "train_mnist.py"
data = "digits"
[variants.a]
'''


@pytest.mark.parametrize('text,word', [
    ('title = ', 'Invalid'), (GOOD.replace('title', 'titel'), 'title'),
    (GOOD + 'colour = 1', 'colour'), ('shade = 1\n' + GOOD, 'shade'),
    (GOOD + '[[variants.a.published]]\nkey = "k"\nsource = "s"', 'value'),
    (GOOD + '[[variants.a.published]]\nkey = "k"\nsource = "s"\nvalue = 1'
     '\nstatistic = "mode"', 'mode')])
def test_a_toml_that_is_wrong_is_named(tmp_path, text, word):
    folder = tmp_path / 'toy'
    folder.mkdir()
    (folder / 'experiment.toml').write_text(text)
    with pytest.raises(errors.UserError) as info:
        experiments.find(tmp_path)
    assert word in str(info.value)
    assert str(pathlib.Path('toy') / 'experiment.toml') in str(info.value)


def test_options_that_are_wrong_are_named(tmp_path):
    folder = tmp_path / 'toy'
    folder.mkdir()
    (folder / 'experiment.toml').write_text(
        GOOD + 'options = { colour = 1 }')
    found = experiments.find(tmp_path)

    def parse(argv):
        raise errors.UserError('--colour')

    with pytest.raises(errors.UserError, match='toml, variant a: --colour'):
        experiments.matching(found, 'train_mnist.py', parse, None, {})


def test_bounds():
    low, high = reproduction.bounds([1., 1.1, .9])
    assert low == pytest.approx(.6) and high == pytest.approx(1.4)
    assert reproduction.bounds([1., 1., 1.]) == pytest.approx((.98, 1.02))
    assert reproduction.bounds([2.]) == pytest.approx((1.9, 2.1))
