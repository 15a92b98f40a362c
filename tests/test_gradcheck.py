import re
from dataclasses import replace

import numpy as np
import pytest

from bpcore import ACTIVATIONS, PAIRINGS, Data, RunSpec, StackSpec, train_stack
from bpcore.gradcheck import ArrayCheck, gradcheck, gradcheck_stack

# A function of two arrays whose gradient is known: L = sum sin(A) b + |b|^2 / 2.


def loss(p):
    return float(np.sum(np.sin(p["A"]) @ p["b"]) + 0.5 * p["b"] @ p["b"])


def gradient(p):
    return {"A": np.cos(p["A"]) * p["b"], "b": np.sin(p["A"]).sum(axis=0) + p["b"]}


def point(seed=0):
    rng = np.random.default_rng(seed)
    return {"A": rng.standard_normal((3, 4)), "b": 1 + rng.random(4)}


@pytest.mark.parametrize("seed", range(5))
def test_a_right_gradient_passes_far_below_the_tolerance(seed):
    checks = gradcheck(loss, point(seed), gradient(point(seed)))
    for name, size in (("A", 12), ("b", 4)):
        check = checks[name]
        assert check.ok
        # Richardson with h = 1e-4 or less: rounding of a loss below 20, over h/2, over a gradient
        # above 1e-3 of the largest.
        assert check.worst < 1e-7
        assert check.norm_error < 1e-9
        assert (check.checked, check.kinks, check.size) == (size, 0, size)


@pytest.mark.parametrize("entry", list(np.ndindex(3, 4)))
@pytest.mark.parametrize("factor", [-1.0, 0.0, 2.0, 1.0001])
def test_a_single_wrong_entry_is_found_and_named(entry, factor):
    wrong = gradient(point())
    wrong["A"][entry] *= factor
    checks = gradcheck(loss, point(), wrong)
    assert not checks["A"].ok
    assert checks["A"].worst_at == entry
    # |g - n| / max(|g|, |n|) of g = factor n.
    assert checks["A"].worst == pytest.approx(abs(factor - 1) / max(abs(factor), 1), rel=1e-3)
    assert checks["b"].ok


def test_the_errors_are_those_of_the_definition():
    weights = np.array([3.0, -4.0, 0.001])
    check = gradcheck(
        lambda p: float(weights @ p["w"]), {"w": np.ones(3)}, {"w": np.array([3.0, -4.0, 0.003])}
    )["w"]
    # The third: |0.003 - 0.001| over its floor, 1e-3 of the largest, which is 4e-3.
    assert check.worst == pytest.approx(0.002 / 0.004, rel=1e-9)
    assert check.worst_at == (2,)
    assert check.norm_error == pytest.approx(0.002 / np.linalg.norm([3, -4, 0.003]), rel=1e-9)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_gradient_that_is_not_finite_fails(bad):
    wrong = gradient(point())
    wrong["b"][2] = bad
    checks = gradcheck(loss, point(), wrong)
    assert not checks["b"].ok
    assert checks["b"].worst_at == (2,)
    assert np.isnan(checks["b"].worst)
    assert checks["A"].ok


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_loss_that_is_not_finite_fails_even_where_the_gradient_says_nan_too(bad):
    def broken(p):
        return bad if p["w"][1] > 1 else float(p["w"].sum())

    for claimed in (1.0, np.nan):
        check = gradcheck(broken, {"w": np.ones(3)}, {"w": np.array([1.0, claimed, 1.0])})["w"]
        assert not check.ok
        assert check.worst_at == (1,)


def test_an_entry_at_a_kink_is_left_out_and_counted_and_the_others_are_not():
    def kinked(p):
        return float(np.abs(p["w"]).sum())

    w = np.array([1.0, 0.0, -2.0, 0.0])
    for claimed in (-1.0, 0.0, 1.0, 7.0):  # at a kink no number is wrong
        right = gradcheck(kinked, {"w": w}, {"w": np.array([1.0, claimed, -1.0, claimed])})["w"]
        assert right.ok
        assert (right.checked, right.kinks, right.size) == (2, 2, 4)
    wrong = gradcheck(kinked, {"w": w}, {"w": np.array([1.0, 0.0, 1.0, 0.0])})["w"]
    assert not wrong.ok
    assert wrong.worst_at == (2,)


@pytest.mark.parametrize("jump", [1.0, 1e-2, 1e-4])
@pytest.mark.parametrize("distance", [0.9, 0.5, 1 / 3, 0.25, 0.1, 0.02])
def test_a_kink_beside_the_point_is_left_behind_by_a_smaller_step(distance, jump):
    # L = w^2 / 2 + w + jump max(w - (1 + d), 0): a third of the step is where the gap of a kink
    # halves as a smooth function's does.
    at = 1 + 1e-4 * distance

    def bent(p):
        w = p["w"][0]
        return float(w**2 / 2 + w + jump * max(w - at, 0.0))

    check = gradcheck(bent, {"w": np.ones(1)}, {"w": np.array([2.0])})["w"]
    assert check.ok
    assert (check.checked, check.kinks) == (1, 0)
    beyond = gradcheck(bent, {"w": np.ones(1)}, {"w": np.array([2.0 + jump])})["w"]
    assert not beyond.ok


def test_an_array_of_which_nothing_can_be_checked_is_not_ok():
    check = gradcheck(lambda p: float(abs(p["w"][0])), {"w": np.zeros(1)}, {"w": np.zeros(1)})["w"]
    assert check == ArrayCheck(False, check.norm_error, check.worst, None, 0, 1, 1)


def test_a_gradient_of_zero_is_right_where_nothing_depends_on_it():
    check = gradcheck(
        lambda p: 0.7 + float(p["w"][0]),
        {"w": np.ones(2), "dead": np.ones(3)},
        {"w": np.array([1.0, 0.0]), "dead": np.zeros(3)},
    )
    assert check["w"].ok
    assert check["dead"].ok
    assert check["dead"].worst == 0.0
    assert not gradcheck(lambda p: 0.7, {"w": np.ones(2)}, {"w": np.array([0.0, 1e-3])})["w"].ok


def test_a_sample_says_how_many_it_looked_at():
    check = gradcheck(loss, point(), gradient(point()), sample=5, rng=np.random.default_rng(3))
    assert (check["A"].checked, check["A"].size) == (5, 12)
    assert (check["b"].checked, check["b"].size) == (4, 4)
    wrong = {"A": -gradient(point())["A"]}
    assert not gradcheck(loss, point(), wrong, sample=1)["A"].ok


def test_the_point_is_left_as_it_was_and_any_numbers_are_taken():
    p = {"w": np.array([1, 2], dtype=np.int32), "s": np.array(3.0, np.float32)}
    before = {name: array.copy() for name, array in p.items()}
    checks = gradcheck(
        lambda q: float((q["w"] ** 2).sum() * q["s"]), p, {"w": [6, 12], "s": np.array(5.0)}
    )
    assert all(check.ok for check in checks.values())
    assert all(np.array_equal(p[name], before[name]) for name in p)


def test_an_empty_array_is_right():
    check = gradcheck(loss, point() | {"c": np.zeros((0, 2))}, {"c": np.zeros((0, 2))})["c"]
    assert check == ArrayCheck(True, 0.0, 0.0, None, 0, 0, 0)


@pytest.mark.parametrize(
    ("grads", "what"), [({"A": np.zeros((4, 3))}, "A (4, 3)"), ({"C": np.zeros(2)}, "C (2,)")]
)
def test_a_gradient_of_another_shape_or_of_nothing_is_refused(grads, what):
    message = f"`grads` must have the shapes of params, A (3, 4), b (4,); got {what}."
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        gradcheck(loss, point(), grads)
    assert str(caught.value) == message


# The engine's own backward.

RUNS = [
    RunSpec(replicate=0, init="glorot_normal", init_scale=1.5, bias_scale=0.7),
    RunSpec(replicate=1, init="glorot_normal", init_scale=0.8, bias_scale=0.4),
    RunSpec(replicate=2, init="glorot_normal", init_scale=1.2, bias_scale=1.0),
]


def data(n_out, output="sigmoid", loss="squared_error", m=6, seed=0):
    rng = np.random.default_rng(seed)
    Y = rng.uniform(0.1, 0.9, (n_out, m))
    if output == "softmax":
        Y = Y / Y.sum(axis=0)
    return Data.of(rng.standard_normal((2, m)), Y)


def assert_right(spec, runs, given):
    counts = {"checked": 0, "kinks": 0}
    for checks in gradcheck_stack(spec, runs, given):
        for name, check in checks.items():
            assert check.ok, (name, check)
            counts["checked"] += check.checked
            counts["kinks"] += check.kinks
    # Off the kinks on purpose: entries of zero gradient aside, all can be checked.
    assert counts["kinks"] == 0
    assert counts["checked"] == len(runs) * sum(
        (n_in + spec.bias) * n_out for n_in, n_out in zip(spec.sizes, spec.sizes[1:], strict=False)
    )


@pytest.mark.parametrize("n_out", [1, 3])
@pytest.mark.parametrize(("output", "loss"), PAIRINGS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_backward_is_the_gradient_of_the_loss(activation, output, loss, n_out):
    if (output, loss, n_out) == ("softmax", "binary_cross_entropy", 1):
        return  # refused
    spec = StackSpec(sizes=(2, 4, 3, n_out), activation=activation, output=output, loss=loss)
    assert_right(spec, RUNS, data(n_out, output))


@pytest.mark.parametrize(
    "changes",
    [
        {"bias": False},
        {"bias": False, "activation": "relu"},
        {"reduction": "sum"},
        {"sizes": (2, 1)},
        {"sizes": (2, 1, 1)},
        {"sizes": (2, 1, 1, 3)},
        {"sizes": (2, 3, 3, 3, 3, 3, 1)},
    ],
    ids=str,
)
@pytest.mark.parametrize("m", [1, 6])
def test_backward_of_other_shapes_is_the_gradient_too(changes, m):
    spec = replace(StackSpec(sizes=(2, 4, 3, 1), activation="tanh"), **changes)
    assert_right(spec, RUNS, data(spec.sizes[-1], m=m))


def test_backward_is_the_gradient_after_some_training_too():
    for activation in ("relu", "gelu", "sigmoid"):
        spec = StackSpec(sizes=(2, 4, 3, 1), activation=activation, epochs=200)
        trained = train_stack(spec, RUNS, data(1)).params
        for checks in gradcheck_stack(spec, RUNS, data(1), trained):
            assert all(check.ok for check in checks.values())


def test_a_defect_in_one_layer_is_found_there_and_below():
    spec = StackSpec(
        sizes=(2, 4, 3, 1), activation="tanh", defects=("missing_hidden_derivative@2",)
    )
    for checks in gradcheck_stack(spec, RUNS, data(1)):
        assert [check.ok for check in checks.values()] == [False, False, True]


def test_zero_biases_and_zeros_in_the_data_are_told_from_a_wrong_gradient():
    # Every hidden unit of the first sample stands on the kink of ReLU: the loss bends there in b1,
    # but not in W1, because that sample's inputs are zero.
    spec = StackSpec(sizes=(2, 3, 1), activation="relu")
    given = Data.of([[0.0, 1.0, -0.5], [0.0, 0.3, 0.8]], [[0.2, 0.4, 0.9]])
    [checks] = gradcheck_stack(spec, [RunSpec(init="glorot_normal")], given)
    assert all(check.ok for check in checks.values())
    assert checks["Wb1"].kinks == 3
    assert checks["Wb1"].checked == 6
