import itertools
from types import SimpleNamespace

import numpy as np
import oracles
import pytest

from bpcore import LOSSES, OUTPUTS, PAIRINGS, REFUSED, RunSpec, StackSpec
from bpcore.losses import check_pairing, output_rules
from bpcore.stack import SURELY_FINITE, Network
from bpcore.start import start

DTYPES = (np.float32, np.float64)
PAIRS = list(PAIRINGS)
R, M = 3, 40


def eps(dtype):
    return float(np.finfo(dtype).eps)


def layer(output, loss, z, y, reduction="mean"):
    """An output layer that has gone forward: everything a loss or a delta reads."""
    unit, loss_rule, delta_rule = output_rules(output, loss)
    made = SimpleNamespace(z=z, a=np.empty_like(z), targets=y, scratch=np.empty_like(z))
    made.share = 1.0 / z.shape[2] if reduction == "mean" else 1.0
    unit(made, made.a)
    made.loss = loss_rule
    made.delta = delta_rule
    return made


def losses(layer):
    out = np.full(len(layer.z), 7.0, layer.z.dtype)
    layer.loss(layer, out)
    return out


def delta(layer):
    out = np.full_like(layer.z, 7.0)
    layer.delta(layer, out)
    return out


def points(output, loss, units, seed=0):
    """Logits of order 1 off zero, and targets: classes, or soft ones, or any numbers."""
    rng = np.random.default_rng(seed)
    z = 2 * rng.standard_normal((R, units, M))
    z[np.abs(z) < 0.01] = 0.5  # the kink of relu
    if loss == "squared_error":
        return z, rng.standard_normal((1, units, M))
    soft = rng.uniform(0.05, 0.95, (1, units, M))
    return z, soft / soft.sum(axis=1, keepdims=True) if output == "softmax" else soft


def several_sizes(pairs):
    return [
        (output, loss, units)
        for output, loss in pairs
        for units in (1, 2, 5)
        if (output, loss, units) != ("softmax", "binary_cross_entropy", 1)
    ]


def test_every_pairing_is_either_trained_or_refused():
    assert {(o, loss) for o in OUTPUTS for loss in LOSSES} == set(PAIRINGS) | set(REFUSED)
    assert not set(PAIRINGS) & set(REFUSED)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize(("output", "loss", "units"), several_sizes(PAIRS))
def test_loss_is_the_definition(output, loss, units, reduction, dtype):
    z, y = (v.astype(dtype) for v in points(output, loss, units))
    got = losses(layer(output, loss, z, y, reduction))
    for r in range(R):
        expected = oracles.loss(output, loss, z[r].astype(float), y[0].astype(float))
        expected /= M if reduction == "mean" else 1
        # A sum of 40 u terms: log2(200) roundings of the sum, about ten of a term.
        assert got[r] == pytest.approx(expected, rel=20 * eps(dtype))


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize(("output", "loss", "units"), several_sizes(PAIRS))
def test_delta_is_the_chain_rule_written_out(output, loss, units, reduction):
    z, y = points(output, loss, units)
    got = delta(layer(output, loss, z, y, reduction))
    for r in range(R):
        expected = oracles.delta(output, loss, z[r], y[0]) / (M if reduction == "mean" else 1)
        # The oracle divides by a and 1 - a, of order e^-8 here: it rounds to eps e^8 = 7e-13.
        assert got[r] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("scale", [1.0, 10.0])
@pytest.mark.parametrize(("output", "loss", "units"), several_sizes(PAIRS))
def test_delta_is_the_limit_of_differences_of_the_loss(output, loss, units, scale):
    z, y = points(output, loss, units, seed=1)
    z, h = scale * z, 1e-5
    got = delta(layer(output, loss, z, y, "sum"))
    for k in range(units):
        for s in range(0, M, 7):
            above, below = z.copy(), z.copy()
            above[:, k, s] += h
            below[:, k, s] -= h
            # Of one sample alone, so that the others' losses do not round the difference.
            column = slice(s, s + 1)
            numerical = (
                losses(layer(output, loss, above[:, :, column], y[:, :, column], "sum"))
                - losses(layer(output, loss, below[:, :, column], y[:, :, column], "sum"))
            ) / (2 * h)
            # h^2/6 of a third derivative below 10 e, where e is the largest error a - y (e^2 in
            # the loss), and 10 roundings of the loss over h.
            size = np.max(np.abs(z[:, :, s])) + 2
            bound = 2 * h**2 * size + 10 * np.finfo(float).eps * size**2 / h
            assert np.all(np.abs(got[:, k, s] - numerical) <= bound)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("gap", [20.0, 60.0, 110.0, 800.0, 5000.0])
@pytest.mark.parametrize("right", [True, False])
@pytest.mark.parametrize(
    ("output", "loss", "units"),
    several_sizes([pair for pair in PAIRS if pair[0] in ("sigmoid", "softmax")]),
)
def test_loss_and_delta_of_extreme_logits_are_finite_and_right(
    output, loss, units, right, gap, dtype
):
    # One unit stands out by the gap, for the class that is right or for one that is not.
    z = np.full((1, units, 1), -gap / 2, dtype)
    z[0, 0, 0] = gap / 2
    y = np.zeros((1, units, 1), dtype)
    y[0, 0 if right else -1, 0] = 1.0 if units > 1 else float(right)
    made = layer(output, loss, z, y)
    expected = oracles.loss(output, loss, z[0].astype(float), y[0].astype(float))
    # Absolutely to roundings of the gap, which is what the difference of two logits rounds to.
    assert losses(made)[0] == pytest.approx(expected, rel=1e-6, abs=eps(dtype) * gap)
    got = delta(made)
    assert np.all(np.isfinite(got))
    # Differences of the oracle's loss, with a step at which they can resolve a large loss.
    step = 1e-3
    for k in range(units):
        shift = np.zeros((units, 1))
        shift[k] = step
        ends = [oracles.loss(output, loss, z[0] + s, y[0].astype(float)) for s in (shift, -shift)]
        numerical = (ends[0] - ends[1]) / (2 * step)
        # step^2/6 of a third derivative below 2, eps gap/step of the oracle, and float32.
        bound = 1e-6 + 4 * np.finfo(float).eps * gap / step + 4 * eps(dtype)
        assert abs(got[0, k, 0] - numerical) <= bound


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("output", "loss", "units"), several_sizes(PAIRS))
def test_a_loss_is_finite_where_its_size_vouches_for_it(output, loss, units, dtype):
    ends = np.array([-0.999, 0.0, 0.999], dtype) * dtype(SURELY_FINITE)
    combinations = list(itertools.islice(itertools.product(ends, repeat=units), 5000))
    z = np.array(combinations, dtype).T[None].copy()
    for targets in (np.zeros_like(z), np.ones_like(z), z[:, ::-1, ::-1].copy()):
        assert np.all(np.isfinite(losses(layer(output, loss, z, targets, "sum"))))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e13, -1e13])
@pytest.mark.parametrize("where", ["inputs", "targets"])
def test_what_could_make_a_loss_infinite_does_not_vouch(where, bad, dtype):
    spec = StackSpec(sizes=(1, 1), dtype=dtype, loss="squared_error", output="identity")
    parameters = start(spec, [RunSpec(init="constant")] * 2)
    network = Network(spec, parameters, np.zeros_like(parameters.flat), 3)
    arrays = {"inputs": np.ones((1, 2, 3), dtype), "targets": np.ones((1, 1, 3), dtype)}
    network.bind(arrays["inputs"], arrays["inputs"].transpose(0, 2, 1), arrays["targets"])
    network.forward()
    assert network.losses_are_finite()
    arrays[where][0, 0, 1] = bad
    network.forward()
    assert not network.losses_are_finite()


def test_well_known_values():
    # ln 2 of an undecided sigmoid, ln 10 of ten undecided classes, half a square.
    zero = np.zeros((1, 1, 4))
    assert losses(layer("sigmoid", "binary_cross_entropy", zero, zero + 1.0))[0] == np.log(2)
    ten = np.zeros((1, 10, 4))
    one_hot = np.zeros((1, 10, 4))
    one_hot[:, 3] = 1.0
    assert losses(layer("softmax", "softmax_cross_entropy", ten, one_hot))[0] == pytest.approx(
        np.log(10), rel=1e-15
    )
    assert losses(layer("identity", "squared_error", zero + 3.0, zero))[0] == 4.5


def test_softmax_does_not_change_under_a_shift_and_sums_to_one():
    z = np.random.default_rng(0).standard_normal((R, 5, M))
    a, shifted = np.empty_like(z), np.empty_like(z)
    OUTPUTS["softmax"](z, a)
    OUTPUTS["softmax"](z + 1024.0, shifted)  # adds at most 1024 eps to each logit
    assert shifted == pytest.approx(a, abs=2 * 1024 * np.finfo(float).eps)
    assert a.sum(axis=1) == pytest.approx(np.ones((R, M)), abs=8 * np.finfo(float).eps)


def test_softmax_over_one_unit_is_one_and_learns_nothing():
    z, y = points("softmax", "softmax_cross_entropy", 1)
    for loss in ("softmax_cross_entropy", "squared_error"):
        made = layer("softmax", loss, z, y)
        assert np.all(made.a == 1.0)
        assert np.all(delta(made) == 0.0)


_CROSS = {
    "binary_cross_entropy": "sigmoid or softmax",
    "softmax_cross_entropy": "softmax or sigmoid",
}
_RANGE = {"identity": "-inf to inf", "relu": "0 to inf", "tanh": "-1 to 1"}


@pytest.mark.parametrize(
    ("output", "loss", "fits", "range_"),
    [(o, loss, fits, r) for o, r in _RANGE.items() for loss, fits in _CROSS.items()],
)
def test_a_pairing_without_a_finite_loss_is_refused(output, loss, fits, range_):
    with pytest.raises(ValueError, match="`output`") as caught:
        StackSpec(sizes=(2, 3), output=output, loss=loss)
    assert str(caught.value) == (
        f"`output` must be {fits} with loss={loss}; got {output}: its logarithm needs outputs "
        f"between 0 and 1, and {output} gives any of {range_}."
    )


def test_softmax_over_one_unit_with_binary_cross_entropy_is_refused():
    with pytest.raises(ValueError, match="softmax over one unit") as caught:
        StackSpec(sizes=(2, 1), output="softmax", loss="binary_cross_entropy")
    assert str(caught.value) == (
        "`output` must be sigmoid or softmax with loss=binary_cross_entropy; got softmax: softmax "
        "over one unit is always 1, so the loss of every target below 1 is infinite."
    )
    check_pairing("softmax", "binary_cross_entropy", 2)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (
            "loss",
            "squared_eror",
            "`loss` must be one of binary_cross_entropy, softmax_cross_entropy, squared_error; got "
            "squared_eror. Did you mean squared_error?",
        ),
        (
            "output",
            "sigmod",
            "`output` must be one of sigmoid, softmax, identity, relu, tanh; got sigmod. Did you "
            "mean sigmoid?",
        ),
        ("reduction", "max", "`reduction` must be one of mean, sum; got max."),
    ],
)
def test_an_unknown_name_is_refused_with_all_names(key, value, message):
    with pytest.raises(ValueError, match=f"`{key}`") as caught:
        StackSpec(sizes=(2, 1), **{key: value})
    assert str(caught.value) == message
