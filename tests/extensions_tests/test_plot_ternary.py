"""PlotTernary, in small runs."""

import chainer
from chainer import functions as F
from chainer import links as L
from chainer import training
from chainer.training import extensions as chainer_extensions
from matplotlib import image
import numpy
import pytest

import quantized_net
from quantized_net import extensions
from quantized_net import plots


class Model(chainer.Chain):

    def __init__(self, n_blocks):
        super(Model, self).__init__()
        with self.init_scope():
            self.conv = L.Convolution2D(1, 4, 3)
            self.blocks = chainer.ChainList(
                *[L.Linear(16, 16) for _ in range(n_blocks)])
            self.fc = L.Linear(16, 2)

    def forward(self, x):
        h = F.relu(self.conv(x)).reshape(len(x), -1)
        for block in self.blocks:
            h = F.relu(block(h))
        return self.fc(h)


def make_trainer(out, report=True, plot=True, n_blocks=1, skip=('fc',),
                 **options):
    numpy.random.seed(0)
    x = numpy.random.uniform(-1, 1, (30, 1, 4, 4)).astype('f')
    data = chainer.datasets.TupleDataset(
        x, (x.sum(axis=(1, 2, 3)) > 0).astype('i'))
    model = L.Classifier(Model(n_blocks))
    quantized_net.quantize(model.predictor, 'ttq', skip)
    optimizer = chainer.optimizers.Adam(.01).setup(model)
    updater = training.updaters.StandardUpdater(
        chainer.iterators.SerialIterator(data, 10), optimizer)
    trainer = training.Trainer(updater, (2, 'epoch'), out=str(out))
    if plot:
        # before LogReport, whose row it has to have nevertheless
        trainer.extend(extensions.PlotTernary(model, **options))
    if report:
        trainer.extend(extensions.TernaryReport(model))
    trainer.extend(chainer_extensions.LogReport())
    return trainer, model


def pictures(folder):
    return sorted(path.name for path in folder.glob('*.png'))


@pytest.fixture
def drawn(monkeypatch):
    """What is drawn: from the name to the figures."""
    found = {}
    for name in ('scales', 'flips', 'histogram', 'kernels'):
        original = getattr(plots, 'draw_' + name)

        def draw(*args, name=name, original=original, **options):
            found.setdefault(name, []).append(original(*args, **options))
        monkeypatch.setattr(plots, 'draw_' + name, draw)
    return found


def test_pictures(tmp_path, drawn):
    trainer, model = make_trainer(tmp_path)
    trainer.run()
    assert pictures(tmp_path) == [
        'flips.png', 'histogram.png', 'kernels.png', 'scales.png']
    for name in pictures(tmp_path):
        assert image.imread(str(tmp_path / name))[..., :3].std() > .01
    log = trainer.get_extension('LogReport').log
    before, after = drawn['scales']
    assert list(before.axes[0].lines[1].get_xdata()) == [1]
    assert list(after.axes[0].lines[1].get_ydata()) == [
        row['conv/Wp'] for row in log]
    assert [axes.get_title() for axes in after.axes[:2]] == [
        'conv', 'blocks/0']
    cells = drawn['kernels'][-1].axes[0].collections[0].get_array()
    numpy.testing.assert_array_equal(
        cells[1:, 1:4], numpy.sign(model.predictor.conv.quantized_W.array)[
            0, 0])


def test_the_model_is_as_without(tmp_path):
    state = []
    for plot in (False, True):
        trainer, model = make_trainer(tmp_path, plot=plot)
        trainer.run()
        state.append(chainer.serializers.DictionarySerializer())
        state[-1].save(model)
        state[-1]('random', numpy.random.uniform())
    a, b = [s.target for s in state]
    assert set(a) == set(b)
    for key in a:
        numpy.testing.assert_array_equal(a[key], b[key])


def test_of_many_layers_three_are_shown(tmp_path, drawn):
    trainer, _ = make_trainer(tmp_path, n_blocks=11, skip=('conv', 'fc'))
    trainer.run()
    for name in ('scales', 'histogram'):
        assert [axes.get_title() for axes in drawn[name][-1].axes[:3]] == [
            'blocks/0', 'blocks/5', 'blocks/10']
    assert len(drawn['flips'][-1].axes[0].lines) == 11
    assert 'kernels' not in drawn


def test_chosen_layers(tmp_path, drawn):
    trainer, model = make_trainer(tmp_path, layers=['blocks/0'])
    trainer.run()
    assert pictures(tmp_path) == ['flips.png', 'histogram.png', 'scales.png']
    assert len(drawn['flips'][-1].axes[0].lines) == 1
    with pytest.raises(quantized_net.UserError, match='no quantized layer '
                       'fc; there are conv, blocks/0'):
        extensions.PlotTernary(model, ['fc'])


def test_without_what_it_draws(tmp_path):
    trainer, _ = make_trainer(tmp_path, report=False)
    trainer.run()
    assert pictures(tmp_path) == ['histogram.png', 'kernels.png']
    extension = extensions.PlotTernary(L.Classifier(Model(1)))
    (tmp_path / 'float').mkdir()
    trainer.out = str(tmp_path / 'float')
    extension(trainer)
    assert pictures(tmp_path / 'float') == []


@pytest.mark.parametrize('name', ['Wp', 'Wn'])
def test_a_negative_scale_is_drawn_with_its_sign(tmp_path, drawn, name):
    trainer, model = make_trainer(tmp_path, n_blocks=0)
    quantizer = model.predictor.conv.weight_quantizer
    trainer.updater.get_optimizer('main').alpha = 0
    quantizer.Wp.array[...], quantizer.Wn.array[...] = .5, .25
    getattr(quantizer, name).array[...] *= -1
    trainer.run()
    Wp, Wn = float(quantizer.Wp.array), float(quantizer.Wn.array)
    _, p, n = drawn['scales'][-1].axes[0].lines
    assert list(p.get_ydata()) == [Wp, Wp]
    assert list(n.get_ydata()) == [-Wn, -Wn]
    # 18 or so of the 36 weights are of either scale, whatever its sign
    W = model.predictor.conv.W.array
    codes = numpy.sign(W) * (model.predictor.conv.quantized_W.array != 0)
    axes = drawn['histogram'][-1].axes[0]
    for patch, label, code in zip(axes.patches, (
            'becomes $-W_n$', 'becomes 0', 'becomes $W_p$'), (-1, 0, 1)):
        counts, _, bottom = patch.get_data()
        assert patch.get_label() == label
        assert (counts - bottom).sum() == (codes == code).sum() > 0
    ticks = [tick.get_text() for tick in
             axes.child_axes[0].get_xticklabels()]
    assert sorted(ticks) == ['$-W_n = %.3g$' % -Wn, '$W_p = %.3g$' % Wp]
    legend, = drawn['kernels'][-1].legends
    black, grey, white = [text.get_text() for text in legend.get_texts()]
    names = '$-W_n = %.3g$' % -Wn, '$W_p = %.3g$' % Wp
    assert grey == '0'
    assert (black, white) == (
        (', '.join(names), 'none') if name == 'Wp' else
        ('none', ', '.join(names)))
