"""The pictures hold what they were given; the command on a run's folder."""

import json
import os
import pathlib
import subprocess
import sys

from matplotlib import image
import numpy
import pytest

from quantized_net import plots
from quantized_net import quantizers
from quantized_net.extensions import settings as settings_module
from quantized_net.plots import _layers
from quantized_net.plots import histogram

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
LAYERS = ('conv1', 'conv2', 'fc')


def make_log(n=3, layers=LAYERS):
    rows = [{'epoch': 1, 'main/loss': .5}]  # of the float network
    for epoch in range(2, n + 2):
        row = {'epoch': epoch}
        for i, layer in enumerate(layers):
            row.update({
                layer + '/Wp': 1 + .1 * epoch + i, layer + '/Wn': 2. + i,
                layer + '/positive': .3, layer + '/zero': .1 * epoch,
                layer + '/negative': .7 - .1 * epoch,
                layer + '/flips': .1 ** epoch})
        rows.append(row)
    return rows


def weights(shape):
    W = numpy.random.uniform(-1, 1, shape).astype('f')
    quantizer = quantizers.TTQ(.25)
    quantizer.Wp.array[...] = .5
    return W, quantizers.decode(*quantizer.encode(W))


def assert_is_png(path):
    assert path.read_bytes()[:8] == b'\x89PNG\r\n\x1a\n'
    assert image.imread(str(path))[..., :3].std() > .01
    assert os.listdir(path.parent) == [path.name]


def test_scales(tmp_path):
    path = tmp_path / 'scales.png'
    picture = plots.draw_scales(make_log(), ['conv1', 'fc'], str(path))
    assert_is_png(path)
    assert [axes.get_title() for axes in picture.axes[:2]] == ['conv1', 'fc']
    _, Wp, Wn = picture.axes[1].lines
    numpy.testing.assert_allclose(
        Wp.get_xydata(), [(2, 3.2), (3, 3.3), (4, 3.4)])
    numpy.testing.assert_allclose(
        Wn.get_xydata(), [(2, -4), (3, -4), (4, -4)])
    for area, (low, high) in zip(
            picture.axes[2].collections, [(0, 50), (30, 70), (70, 100)]):
        heights = area.get_paths()[0].vertices[:, 1]
        assert (heights.min(), heights.max()) == (
            pytest.approx(low), pytest.approx(high))


def test_scales_of_one_epoch(tmp_path):
    path = tmp_path / 'scales.png'
    picture = plots.draw_scales(make_log(1), ['fc'], str(path))
    assert_is_png(path)
    assert [bar.get_height() for bar in picture.axes[1].patches] == [
        pytest.approx(x) for x in (50, 20, 30)]


@pytest.mark.parametrize('n', [1, 3])
def test_flips(tmp_path, n):
    path = tmp_path / 'flips.png'
    picture = plots.draw_flips(make_log(n), LAYERS, str(path))
    assert_is_png(path)
    axes, = picture.axes
    assert axes.get_yscale() == ('linear' if n == 1 else 'log')
    assert [line.get_label() for line in axes.lines] == list(LAYERS)
    numpy.testing.assert_allclose(
        axes.lines[2].get_ydata(), [1, .1, .01][:n])


def test_flips_of_many_layers_and_none(tmp_path):
    layers = ['block%d' % i for i in range(30)]
    log = make_log(3, layers)
    log[2]['block7/flips'] = 0
    picture = plots.draw_flips(log, layers, str(tmp_path / 'flips.png'))
    assert len({line.get_color() if isinstance(line.get_color(), str)
                else tuple(line.get_color())
                for line in picture.axes[0].lines}) == 30


def test_histogram(tmp_path):
    path = tmp_path / 'histogram.png'
    W, values = weights((10, 40))
    picture = plots.draw_histogram(
        [(name, W, values) for name in LAYERS + ('last',)], str(path))
    assert_is_png(path)
    axes = picture.axes[0]
    delta = .25 * numpy.abs(W).max()
    drawn = [line.get_xdata()[0] for line in axes.lines[:2]]
    numpy.testing.assert_allclose(drawn, [-delta, delta], rtol=.02)
    marks = [float(line.get_xdata()[0]) for line in axes.lines[2:]]
    assert marks == [-1, 0, .5]
    for patch, where in zip(
            axes.patches, (values < 0, values == 0, values > 0)):
        counts, edges, bottom = patch.get_data()
        assert (counts - bottom).sum() == where.sum()
        # the thresholds are edges: no bar of another color in a region
        used = edges[:-1][counts > bottom]
        assert used.min() >= edges[edges <= W[where].min() + 1e-6].max()
        assert used.max() < W[where].max()


def test_threshold():
    W, values = weights((10, 40))
    inside = numpy.abs(W)[values == 0].max()
    outside = numpy.abs(W)[values != 0].min()
    assert inside <= histogram.threshold(W, values) <= outside
    assert histogram.threshold(W, numpy.sign(W)) is None
    # filters with thresholds of their own
    assert histogram.threshold(
        numpy.array([.1, .2, .3, .9]), numpy.array([0, .2, 0, .9])) is None


def test_histogram_of_anything(tmp_path):
    W, values = weights((6, 40))
    plots.draw_histogram(
        [('sign', W, numpy.sign(W)), ('far', W, 50 * values),
         ('zeros', 0 * W, 0 * W), ('nan', W * numpy.nan, values)],
        str(tmp_path / 'histogram.png'))
    assert_is_png(tmp_path / 'histogram.png')


@pytest.mark.parametrize('shape', [(12, 16, 3, 3), (4, 1, 5, 3)])
def test_kernels(tmp_path, shape):
    path = tmp_path / 'kernels.png'
    _, values = weights(shape)
    picture = plots.draw_kernels('conv1', values, str(path))
    assert_is_png(path)
    mesh, = picture.axes[0].collections
    cells = mesh.get_array()
    height, width = shape[2:]
    n_out, n_in = min(shape[0], 10), min(shape[1], 10)
    for o in range(n_out):
        for i in range(n_in):
            tile = cells[i * (height + 1) + 1:(i + 1) * (height + 1),
                         o * (width + 1) + 1:(o + 1) * (width + 1)]
            assert (tile == numpy.sign(values[o, i])).all()
    assert cells.count() == n_out * n_in * height * width
    colors = mesh.cmap(mesh.norm(numpy.array([-1., 0, 1])))[:, 0]
    assert colors[0] == 0 and .3 < colors[1] < .7 and colors[2] == 1


def test_sparsity(tmp_path):
    path = tmp_path / 'sparsity.png'
    picture = plots.draw_sparsity(
        [(.5, .09), (.1, .1)], str(path), .08, 'float, 10 epochs')
    assert_is_png(path)
    curve, reference = picture.axes[0].lines
    numpy.testing.assert_allclose(curve.get_xydata(), [(10, 10), (50, 9)])
    assert list(reference.get_ydata()) == [8, 8]
    assert reference.get_label() == 'float, 10 epochs'


def make_result(folder, settings, log=None):
    folder.mkdir(exist_ok=True)
    (folder / 'log').write_text(json.dumps(make_log() if log is None else log))
    (folder / 'args.json').write_text('{"method": "ttq"}')
    arrays = {settings_module.Settings.key: json.dumps(settings)}
    for name, shape in zip(LAYERS, [(4, 1, 3, 3), (5, 4, 3, 3), (10, 20)]):
        prefix = 'updater/model:main/predictor/%s/' % name
        arrays[prefix + 'W'] = numpy.random.normal(
            0, .1, shape).astype('f')
        arrays[prefix + 'weight_quantizer/Wp'] = numpy.float32(.25)
        arrays[prefix + 'weight_quantizer/Wn'] = numpy.float32(.5)
    with open(folder / 'snapshot_iter_9', 'wb') as f:
        numpy.savez(f, **arrays)


def command(*args):
    return subprocess.run(
        [sys.executable, '-m', 'quantized_net.plots', *map(str, args)],
        capture_output=True, text=True, timeout=100, cwd=str(ROOT),
        env=dict(os.environ, OMP_NUM_THREADS='1'))


def pictures(folder):
    return sorted(path.name for path in folder.glob('*.png'))


TTQ = {'method': 'ttq', 'sparsity': None, 'fixed_scales': False}


@pytest.mark.parametrize('settings', [
    TTQ, dict(TTQ, sparsity=.5), dict(TTQ, fixed_scales=True, threshold=.1),
    {'method': 'twn', 'threshold': .6}])
def test_command(tmp_path, settings):
    make_result(tmp_path, settings)
    done = command(tmp_path)
    assert done.returncode == 0, done.stderr
    assert pictures(tmp_path) == [
        'flips.png', 'histogram.png', 'kernels-conv2.png', 'scales.png']


def test_command_on_named_layers(tmp_path):
    make_result(tmp_path / 'run', TTQ)
    done = command(tmp_path / 'run', '--layers', 'fc', 'conv2', '--out',
                   tmp_path / 'there')
    assert done.returncode == 0, done.stderr
    assert pictures(tmp_path / 'run') == []
    assert pictures(tmp_path / 'there') == [
        'flips.png', 'histogram.png', 'kernels-conv2.png', 'scales.png']


def test_command_without_a_whole_snapshot(tmp_path):
    make_result(tmp_path, TTQ)
    os.truncate(tmp_path / 'snapshot_iter_9', 1000)
    done = command(tmp_path)
    assert done.returncode == 0, done.stderr
    assert 'left out the histogram and the kernels' in done.stdout
    assert 'damaged' in done.stderr
    assert pictures(tmp_path) == ['flips.png', 'scales.png']


def assert_one_line(done, *words):
    assert done.returncode == 2, done.stderr
    message, = done.stderr.strip().splitlines()
    for word in words:
        assert word in message


def test_command_with_bad_input(tmp_path):
    assert_one_line(command(tmp_path / 'nowhere'), 'no folder', 'nowhere')
    assert_one_line(command(tmp_path), 'can not read', 'log')
    make_result(tmp_path, TTQ, log=[{'epoch': 1, 'main/loss': 1}])
    assert_one_line(command(tmp_path), 'no ternary run')
    make_result(tmp_path, TTQ)
    assert_one_line(
        command(tmp_path, '--layers', 'conv9'), 'conv9', 'conv1, conv2, fc')
    (tmp_path / 'log').write_text('[{')
    assert_one_line(command(tmp_path), 'no log')
    (tmp_path / 'log').write_text('{}')
    assert_one_line(command(tmp_path), 'no log')
    for settings, word in (({'method': 'float'}, 'float'),
                           ({'method': 'xnor'}, 'xnor'), ({}, 'None'),
                           (dict(TTQ, threshold='x'), 'settings')):
        make_result(tmp_path, settings)
        assert_one_line(command(tmp_path), 'snapshot_iter_9', word)


@pytest.mark.parametrize('settings', [TTQ, dict(TTQ, fixed_scales=True)])
def test_weights_of_a_snapshot(tmp_path, settings):
    make_result(tmp_path, settings)
    path = str(tmp_path / 'snapshot_iter_9')
    layers = _layers.of_snapshot(path, settings, ['conv2', 'fc'])
    assert [layer[0] for layer in layers] == ['conv2', 'fc']
    for name, W, values, scales in layers:
        assert scales == (.25, .5)
        with numpy.load(path) as archive:
            assert (W == archive[
                'updater/model:main/predictor/%s/W' % name]).all()
        delta = numpy.float32(.05) * numpy.abs(W).max()
        assert (values == numpy.where(
            W > delta, .25, numpy.where(W < -delta, -.5, 0))).all()
