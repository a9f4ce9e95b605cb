"""Methods with random numbers or state of their own: killed and resumed."""

import numpy
import pytest

import scripts

SMALL = ['--dataset', 'digits', '--epoch', '3']
MLP = [*SMALL, '--unit', '32']


@pytest.mark.parametrize('options', [
    ['--method', 'bnn', '--stochastic', 'weights', 'activations',
     '--shift-bn', '--optimizer', 'shift-adamax', '--lr', '0.0625',
     '--loss', 'square-hinge', '--glorot-rates', '--latent-init', 'uniform',
     '--schedule', 'exponential', '--hidden-layers', '3'],
    ['--method', 'dorefa', '--gradient-bits', '4', '--ends', 'same']])
def test_a_killed_run_goes_on_as_it_would_have(tmp_path, options):
    scripts.assert_kill_and_resume_is_one_run(
        tmp_path, .5, 'train_mnist.py', *MLP, *options)


def test_learned_steps_go_on_from_where_they_were(tmp_path):
    scripts.assert_kill_and_resume_is_one_run(
        tmp_path, .5, 'train_mnist.py', *SMALL, '--model', 'convnet',
        '--method', 'lsq', '--weight-bits', '2', '--activation-bits', '2',
        '--optimizer', 'momentum', '--lr', '0.01')
    with numpy.load(str(tmp_path / 'whole' / 'model.npz')) as saved:
        assert saved['conv2/weight_quantizer/initialized']
        assert 0 < saved['conv2/weight_quantizer/step'] < 1
