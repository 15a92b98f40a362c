import numpy as np
import pytest

from bpcore import RunSpec, StackSpec, buffers
from bpcore.stack import Network
from bpcore.start import start


@pytest.mark.parametrize("dtype", [np.float32, np.float64, bool])
@pytest.mark.parametrize("shape", [(), (1,), (3, 5), (7, 1, 300), (2, 0)])
def test_zeros_are_zeros_on_a_cache_line(shape, dtype):
    # Several, because one may be aligned by chance.
    for array in [buffers.zeros(shape, dtype) for _ in range(5)]:
        assert (array.shape, array.dtype) == (shape, dtype)
        assert array.flags.c_contiguous
        assert array.flags.writeable
        assert not array.any()
        assert array.ctypes.data % 64 == 0 or not array.size


def test_a_copy_is_the_same_in_c_order_and_its_own():
    array = np.arange(12.0).reshape(3, 4).T
    made = buffers.copy(array)
    assert made.tolist() == array.tolist()
    assert made.flags.c_contiguous
    made[0, 0] = 9.0
    assert array[0, 0] == 0.0


def test_what_a_step_goes_through_lies_on_cache_lines():
    spec = StackSpec(sizes=(2, 5, 3, 1))
    parameters = start(spec, [RunSpec(), RunSpec()])
    network = Network(spec, parameters, buffers.zeros(parameters.flat.shape, float), 7)
    arrays = [parameters.flat, parameters.rates, network.layers[0].scratch]
    arrays += [array for layer in network.layers for array in (layer.z, layer.a, layer.delta)]
    assert all(array.ctypes.data % 64 == 0 for array in arrays)
