"""The links of a model in their order, and the names of layers."""

import chainer
from chainer import links as L

import quantized_net
from quantized_net import quantizers
from quantized_net import traversal


def layer():
    return quantized_net.QuantizedLinear(
        2, 2, weight_quantizer=quantizers.Sign())


def test_a_classifier_s_predictor_is_left_out_of_the_names():
    head = chainer.Sequential(layer())
    chain = chainer.Chain(box_predictor=head, b=layer(), a=L.Linear(2, 2))
    model = L.Classifier(chain)
    assert [name for name, _ in traversal.quantized_layers(model)] == [
        'box_predictor/0', 'b']
    assert [path for path, link in traversal.links_in_order(model)
            if hasattr(link, 'W')] == [
        'predictor/box_predictor/0', 'predictor/b', 'predictor/a']
