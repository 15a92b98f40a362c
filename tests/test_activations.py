import numpy as np
import oracles
import pytest

from bpcore.activations import ACTIVATIONS, positive_bits

DTYPES = (np.float32, np.float64)
NAMES = list(ACTIVATIONS)
# Off the kinks at 0, on both sides, into saturation.
Z = np.concatenate([np.linspace(-30, 30, 601)[1::2], [-1e-3, 1e-3, -1e-7, 1e-7]])
EXTREME = np.array([-1e30, -800.0, -100.0, -0.0, 0.0, 100.0, 800.0, 1e30])


def apply(formula, v):
    out = np.full_like(v, 7.0)  # a formula must not read what it finds in out
    kept = v.copy()
    formula(v, out)
    assert v.tobytes() == kept.tobytes()
    return out


def tolerance(dtype):
    """Ten roundings of the largest number that goes in: formulas have about ten operations."""
    return 10 * np.finfo(dtype).eps


def test_the_oracle_knows_every_activation():
    assert set(oracles.ACTIVATION) == set(oracles.DERIVATIVE) == set(ACTIVATIONS)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_value_is_the_textbooks(name, dtype):
    z = Z.astype(dtype)
    expected = oracles.ACTIVATION[name](z.astype(float))
    error = np.abs(apply(ACTIVATIONS[name].value, z) - expected)
    assert np.all(error <= tolerance(dtype) * np.maximum(1, np.abs(z)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_slope_of_z_is_the_textbooks(name, dtype):
    z = Z.astype(dtype)
    expected = oracles.DERIVATIVE[name](z.astype(float))
    error = np.abs(apply(ACTIVATIONS[name].slope_at_z, z) - expected)
    # z (1 - tanh^2) of gelu and z (1 - s) of silu round in units of z; gelu's tanh^2 once more.
    assert np.all(error <= 2 * tolerance(dtype) * np.maximum(1, np.abs(z)))


@pytest.mark.parametrize("name", NAMES)
def test_slope_of_z_is_the_limit_of_differences(name):
    f, h = ACTIVATIONS[name].value, 1e-5
    numerical = (apply(f, Z + h) - apply(f, Z - h)) / (2 * h)
    smooth = np.abs(Z) > h  # the differences must not straddle the kink at 0
    error = np.abs(apply(ACTIVATIONS[name].slope_at_z, Z) - numerical)[smooth]
    # h^2/6 of a third derivative below 2, and rounding of a value of size |z| over h.
    bound = h**2 / 3 + 4 * np.finfo(float).eps * np.maximum(1, np.abs(Z[smooth])) / h
    assert np.all(error <= bound)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [n for n in NAMES if ACTIVATIONS[n].slope_at_a])
def test_slope_of_a_is_slope_of_z(name, dtype):
    entry, z = ACTIVATIONS[name], Z.astype(dtype)
    a = apply(entry.value, z)
    # An error of one rounding of a counts with |d slope / d a|, which is below 2 in all of them.
    difference = np.abs(apply(entry.slope_at_a, a) - apply(entry.slope_at_z, z))
    assert np.all(difference <= 2 * tolerance(dtype))


@pytest.mark.parametrize("name", NAMES)
def test_a_slope_of_a_exists_exactly_where_the_activation_is_monotone(name):
    values = apply(ACTIVATIONS[name].value, np.linspace(-5, 5, 1001))
    assert (ACTIVATIONS[name].slope_at_a is not None) == bool(np.all(np.diff(values) >= 0))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [n for n in NAMES if ACTIVATIONS[n].in_place])
def test_what_may_be_written_in_place_gives_the_same_bits_there(name, dtype):
    z = np.concatenate([Z, EXTREME, [np.nan, np.inf, -np.inf]]).astype(dtype)
    expected = apply(ACTIVATIONS[name].value, z)
    ACTIVATIONS[name].value(z, z)
    assert z.tobytes() == expected.tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_keeps_one_is_true_to_its_word(name, dtype):
    # The other way round need not hold: elu(1) is 1 too, but is not written in place.
    if ACTIVATIONS[name].keeps_one:
        assert apply(ACTIVATIONS[name].value, np.ones(3, dtype)).tolist() == [1.0] * 3


@pytest.mark.parametrize("name", NAMES)
def test_kinks_are_where_the_slope_jumps(name):
    slope = ACTIVATIONS[name].slope_at_z
    grid = np.linspace(-5, 5, 1001)
    below, above = apply(slope, grid - 1e-9), apply(slope, grid + 1e-9)
    jumps = grid[np.abs(above - below) > 1e-6]  # a slope with a slope below 10 moves 2e-8
    assert jumps == pytest.approx(ACTIVATIONS[name].kinks, abs=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_saturation_is_where_the_slope_is_one_percent_of_its_largest(name):
    ends = oracles.thresholds(name)
    saturation = ACTIVATIONS[name].saturation
    if ends is None:
        assert saturation is None
    else:
        at = oracles.ACTIVATION[name](np.array(ends))
        # brentq finds z to 1e-14 relative, z is below 20, and a moves less than z.
        assert np.array(saturation) == pytest.approx(at, abs=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
def test_bits_tell_positive_from_zero_exactly(dtype):
    tiny, info = np.nextafter(dtype(0), dtype(1)), np.finfo(dtype)
    values = [0.0, tiny, info.tiny, info.eps, 0.5, 1.0, info.max, np.inf]
    a = np.array([*values, *np.random.default_rng(0).exponential(size=100)], dtype)
    out = apply(positive_bits, a)
    assert out.tobytes() == (a > 0).astype(dtype).tobytes()
    assert apply(positive_bits, np.array([np.nan, -np.nan], dtype)).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("name", [n for n in NAMES if ACTIVATIONS[n].slope_at_positive_zero])
def test_the_cheaper_slope_has_the_bits_of_the_other_for_what_comes_out_of_the_activation(name):
    entry = ACTIVATIONS[name]
    a = apply(entry.value, np.concatenate([Z, [0.0, np.inf, 5e-324, -5e-324]]))
    cheap = apply(entry.slope_at_positive_zero, a)
    assert cheap.tobytes() == apply(entry.slope_at_a, a).tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["sigmoid", "softplus", "tanh", "softsign", "relu", "elu"])
def test_nothing_overflows_far_out(name, dtype):
    z = EXTREME.astype(dtype)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        a = apply(ACTIVATIONS[name].value, z)
        slope = apply(ACTIVATIONS[name].slope_at_a, a)
    limits = {
        "sigmoid": ([0.0, 1.0], [0.0, 0.0]),
        "softplus": ([0.0, 1e30], [0.0, 1.0]),
        "tanh": ([-1.0, 1.0], [0.0, 0.0]),
        "softsign": ([-1.0, 1.0], [0.0, 0.0]),
        "relu": ([0.0, 1e30], [0.0, 1.0]),
        "elu": ([-1.0, 1e30], [0.0, 1.0]),
    }[name]
    assert a[[0, -1]].tolist() == np.array(limits[0], dtype).tolist()
    assert slope[[0, -1]].tolist() == limits[1]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_far_out_every_activation_and_its_slope_are_finite(name, dtype):
    z = EXTREME.astype(dtype)
    with np.errstate(over="ignore", invalid="ignore"):  # as in the training loop
        assert np.all(np.isfinite(apply(ACTIVATIONS[name].value, z)))
        assert np.all(np.isfinite(apply(ACTIVATIONS[name].slope_at_z, z)))


@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 3, 4), (1, 1, 1), (2, 3, 0)])
@pytest.mark.parametrize("name", NAMES)
def test_arrays_of_any_shape_are_taken(name, shape):
    z = np.random.default_rng(0).standard_normal(shape)
    flat = apply(ACTIVATIONS[name].value, z.ravel())
    assert np.array_equal(apply(ACTIVATIONS[name].value, z).ravel(), flat)
