"""The same training on the CPU and on the GPU, step by step."""

import chainer
import numpy
import pytest

import cases


@pytest.mark.parametrize('name', cases.NAMES)
def test_float64_lockstep(gpu, name):
    """In float32 rounding would grow too fast to tell it from a fault."""
    both = [cases.Case(name, device, 'd')
            for device in (chainer.get_device('@numpy'), gpu)]
    for _ in range(4):
        found = []
        for case in both:
            with chainer.using_device(case.device):
                case.step()
                found.append(case.compared())
        assert found[0].keys() == found[1].keys()
        for key in found[0]:
            assert found[1][key].dtype == numpy.float64
            numpy.testing.assert_allclose(
                found[1][key], found[0][key], 1e-8, 1e-10, err_msg=key)
