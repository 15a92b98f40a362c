import math
from dataclasses import replace

import numpy as np
import oracles
import pytest

from bpcore import INITIALIZERS, RunSpec, StackSpec
from bpcore.stack import views
from bpcore.start import BIASES, ORDER, WEIGHTS, initial_parameters, start, stream

SPEC = StackSpec(sizes=(40, 60, 50, 3))
NAMES = list(INITIALIZERS)
UNIFORM = ("uniform", "glorot_uniform", "he_uniform")
RANDOM = [name for name in NAMES if name not in ("constant", "zeros")]


def weights(run, spec=SPEC):
    return [
        Wb[0, :, :n]
        for Wb, n in zip(
            views(initial_parameters(spec, [run]), spec.sizes, bias=spec.bias),
            spec.sizes,
            strict=False,
        )
    ]


def biases(run, spec=SPEC):
    return [Wb[0, :, -1] for Wb in views(initial_parameters(spec, [run]), spec.sizes, bias=True)]


@pytest.mark.parametrize(("fan_in", "fan_out"), [(300, 200), (200, 300), (1, 4000), (4000, 1)])
@pytest.mark.parametrize("name", NAMES)
def test_weights_have_the_moments_of_the_papers(name, fan_in, fan_out):
    W = INITIALIZERS[name].weights(fan_in, fan_out, np.random.default_rng(11))
    mean, deviation = oracles.initial(name, fan_in, fan_out)
    n = W.size
    assert W.shape == (fan_out, fan_in)
    assert W.dtype == np.float64
    # Five standard errors: of a mean deviation / sqrt(n); of a deviation sqrt((kurtosis - 1) / 4n)
    # of it, with kurtosis 3 of normal draws and 1.8 of uniform ones.
    kurtosis = 1.8 if name in UNIFORM else 3.0
    assert abs(W.mean() - mean) <= 5 * deviation / math.sqrt(n)
    assert abs(W.std() - deviation) <= 5 * deviation * math.sqrt((kurtosis - 1) / (4 * n))
    if name in UNIFORM:
        half_width = deviation * math.sqrt(3)
        assert np.abs(W).max() <= half_width
        # The largest of n uniform draws misses the end by more than 20 / n once in e^20 samples.
        assert np.abs(W).max() >= half_width * (1 - 20 / n)


@pytest.mark.parametrize(("fan_in", "fan_out"), [(7, 4), (4, 7), (5, 5), (1, 3), (3, 1)])
def test_orthogonal_has_orthonormal_rows_or_columns(fan_in, fan_out):
    W = INITIALIZERS["orthogonal"].weights(fan_in, fan_out, np.random.default_rng(0))
    product = W @ W.T if fan_out <= fan_in else W.T @ W
    # Householder QR is backward stable: a few roundings for each of at most 7 columns.
    assert np.abs(product - np.eye(len(product))).max() <= 50 * np.finfo(float).eps


def test_orthogonal_matrices_are_uniform_over_the_group():
    # Of Haar measure, an entry of a 2 x 2 matrix has mean 0 and determinants +1 and -1 are equally
    # likely; QR without the sign rule puts the diagonal on one side (Mezzadri 2007, section 5).
    rng = np.random.default_rng(5)
    many = [INITIALIZERS["orthogonal"].weights(2, 2, rng) for _ in range(2000)]
    standard_error = math.sqrt(0.5 / len(many))
    assert np.abs(np.mean(many, axis=0)).max() <= 5 * standard_error
    assert abs(np.mean([np.linalg.det(W) > 0 for W in many]) - 0.5) <= 5 * 0.5 / math.sqrt(2000)


@pytest.mark.parametrize("name", NAMES)
def test_layers_draw_from_their_own_streams_of_seed_and_replicate(name):
    for k, W in enumerate(weights(RunSpec(seed=3, replicate=8, init=name))):
        rng = np.random.default_rng(np.random.SeedSequence((3, 8), spawn_key=(WEIGHTS, k)))
        n_in, n_out = SPEC.sizes[k], SPEC.sizes[k + 1]
        assert np.array_equal(W, INITIALIZERS[name].weights(n_in, n_out, rng))


def test_streams_of_different_purpose_layer_seed_or_replicate_differ():
    draws = [
        stream(seed, replicate, purpose, layer).random()
        for seed in (0, 1, 2)
        for replicate in (0, 1, 2)
        for purpose in (WEIGHTS, BIASES, ORDER)
        for layer in (0, 1, 2)
    ]
    assert len(set(draws)) == len(draws)


@pytest.mark.parametrize("name", RANDOM)
def test_replicates_draw_anew_and_the_same_replicate_the_same(name):
    one, again, other, seed = (
        weights(RunSpec(seed=s, replicate=r, init=name))[0]
        for s, r in ((0, 0), (0, 0), (0, 1), (1, 0))
    )
    assert np.array_equal(one, again)
    assert not np.any(one == other)
    assert not np.any(one == seed)


@pytest.mark.parametrize("name", NAMES)
def test_scale_multiplies_the_draws_of_the_same_replicate(name):
    run = RunSpec(seed=1, replicate=2, init=name, bias_scale=0.5)
    # A power of two multiplies exactly.
    scaled = weights(replace(run, init_scale=0.25))
    assert all(np.array_equal(0.25 * W, S) for W, S in zip(weights(run), scaled, strict=True))
    assert all(
        np.array_equal(b, c)
        for b, c in zip(biases(run), biases(replace(run, init_scale=0.25)), strict=True)
    )


def test_scale_factor_multiplies_layer_by_layer_and_layers_beyond_have_one():
    run = RunSpec(init="normal", init_scale=2.0)
    plain, scaled = weights(run), weights(replace(run, scale_factor=(0.5, 4.0)))
    for W, S, factor in zip(plain, scaled, (0.5, 4.0, 1.0), strict=True):
        assert np.array_equal(factor * W, S)
    longer = weights(replace(run, scale_factor=(0.5, 4.0, 1.0, 9.0, 9.0)))
    assert all(np.array_equal(S, L) for S, L in zip(scaled, longer, strict=True))


def test_rates_have_the_factor_of_their_layer_for_weights_and_biases_and_decay_spares_biases():
    run = RunSpec(lr=0.5, lr_factor=(2.0, 0.25), weight_decay=0.125)
    parameters = start(SPEC, [run, RunSpec(lr=3.0)])
    rates, decay = (
        views(array, SPEC.sizes, bias=True) for array in (parameters.rates, parameters.decay)
    )
    assert [np.unique(rate[0]).tolist() for rate in rates] == [[1.0], [0.125], [0.5]]
    assert [np.unique(rate[1]).tolist() for rate in rates] == [[3.0]] * 3
    for k, d in enumerate(decay):
        assert np.unique(d[0, :, : SPEC.sizes[k]]).tolist() == [0.125]
        assert np.unique(d[0, :, SPEC.sizes[k] :]).tolist() == [0.0]
        assert np.unique(d[1]).tolist() == [0.0]


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-0.3, 0.1), (2.0, 3.0)])
def test_uniform_lies_between_its_ends_and_is_moved_not_drawn_anew(low, high):
    run = RunSpec(init="uniform", init_low=low, init_high=high, init_scale=10.0, bias_scale=3.0)
    plain = replace(run, init_low=-1.0, init_high=1.0)
    for scale, moved, drawn in ((10.0, weights, weights), (3.0, biases, biases)):
        for got, unit in zip(moved(run), drawn(plain), strict=True):
            expected = scale * (low + (high - low) * (unit / scale + 1) / 2)
            # A handful of roundings of numbers of this size.
            assert got == pytest.approx(expected, abs=8 * np.finfo(float).eps * scale * 3)
            assert got.min() >= scale * low - 1e-12
            assert got.max() <= scale * high + 1e-12


@pytest.mark.parametrize("name", [n for n in NAMES if n != "uniform"])
def test_ends_move_nothing_but_uniform(name):
    moved = weights(RunSpec(init=name, init_low=0.0, init_high=0.5))
    assert all(
        np.array_equal(W, M) for W, M in zip(weights(RunSpec(init=name)), moved, strict=True)
    )


@pytest.mark.parametrize("name", NAMES)
def test_biases_start_at_positive_zero_without_a_scale(name):
    for b in biases(RunSpec(init=name)):
        assert b.tobytes() == np.zeros_like(b).tobytes()


@pytest.mark.parametrize(
    ("dtype", "run"),
    [
        ("float64", RunSpec(init="uniform", init_low=0.0, init_high=0.0, bias_scale=-1.0)),
        ("float32", RunSpec(init="normal", bias_scale=1e-60)),
    ],
)
def test_no_bias_starts_at_negative_zero(dtype, run):
    # The slope of ReLU is taken from bits in which -0.0 would be a positive number.
    for b in biases(run, replace(SPEC, dtype=dtype)):
        assert np.all(b == 0)
        assert not np.any(np.signbit(b))


@pytest.mark.parametrize("name", NAMES)
def test_biases_are_drawn_like_one_weight_of_deviation_one(name):
    spec = StackSpec(sizes=(1, 5000, 1))
    b = biases(RunSpec(init=name, bias_scale=0.5), spec)[0]
    mean, deviation = {"uniform": (0, 1 / math.sqrt(3)), "constant": (1, 0)}.get(name, (0, 1))
    assert abs(b.mean() - 0.5 * mean) <= 5 * 0.5 * deviation / math.sqrt(5000)
    assert abs(b.std() - 0.5 * deviation) <= 5 * 0.5 * deviation * math.sqrt(2 / (4 * 5000))


def test_weights_do_not_depend_on_whether_there_are_biases():
    run = RunSpec(seed=4, bias_scale=1.0)
    without = weights(run, replace(SPEC, bias=False))
    assert all(np.array_equal(W, V) for W, V in zip(weights(run), without, strict=True))


def test_float32_starts_are_the_rounded_float64_ones():
    run = RunSpec(seed=4, init_scale=0.3, bias_scale=0.7)
    full = initial_parameters(SPEC, [run])
    half = initial_parameters(replace(SPEC, dtype="float32"), [run])
    assert half.dtype == np.float32
    assert np.array_equal(half, full.astype(np.float32))


def test_an_unknown_initializer_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match="`init`") as caught:
        RunSpec(init="he_norma")
    assert str(caught.value) == (
        "`init` must be one of normal, uniform, glorot_normal, glorot_uniform, he_normal, "
        "he_uniform, lecun_normal, orthogonal, constant, zeros; got he_norma. Did "
        "you mean he_normal?"
    )
