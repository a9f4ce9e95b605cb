"""Tensors of packed codes, and pixels that become inputs."""

import numpy
import pytest

import quantized_net
from quantized_net.packing import tensors
import packed_models


def test_packed_tensors_refuse_what_does_not_fit():
    codebook = quantized_net.packing.Codebook.table(
        numpy.array([0, 1], 'f'))
    with pytest.raises(ValueError, match='a code 2'):
        tensors.PackedTensor.of_codes(
            numpy.array([2, 3, 0]), quantized_net.packing.Codebook.table(
                numpy.zeros(4, 'f')))
        tensors.PackedTensor(
            numpy.array([2], 'B'), 'bits2', (1,), codebook)
    rows = quantized_net.packing.Codebook.table(numpy.zeros((3, 2), 'f'))
    with pytest.raises(ValueError, match='3 rows'):
        tensors.PackedTensor(numpy.array([0], 'B'), 'bits1', (2, 2), rows)


def test_pixels(tmp_path):
    model, shape = packed_models.build('user')
    path = str(tmp_path / 'net')
    mean = numpy.full((3, 1, 1), 100., 'f')
    quantized_net.save_packed(
        path, model, shape, pixels={'divisor': 128., 'mean': mean})
    found = quantized_net.load_packed(path)
    pixels = numpy.random.RandomState(0).randint(
        0, 256, (3,) + shape).astype(numpy.uint8)
    numpy.testing.assert_array_equal(
        found(pixels), found((pixels.astype('f') - mean) / 128))
    quantized_net.load_packed(path, into=model)
    with pytest.raises(quantized_net.UserError, match='mean'):
        quantized_net.save_packed(path, model, shape, pixels={
            'divisor': 128., 'mean': numpy.zeros(7, 'f')})
