"""The central promise: a run is the same to the last bit whatever stack it travels in."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from bpcore import (
    ACTIVATIONS,
    INITIALIZERS,
    OPTIMIZERS,
    PAIRINGS,
    Data,
    Outcome,
    RunSpec,
    StackSpec,
    train,
)

SIZES = (1, 2, 3, 5, 9, 37)
HUGE = 1e30


def data(n_in, n_out, m, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_in, m))
    Y = (rng.random((n_out, m)) > 0.5).astype(float)
    return Data(X, Y, X[:, : m // 2], Y[:, : m // 2], 0.5)


def same_bits(a, b):
    """Equal in every bit that means anything, the sign of zero included.

    A NaN must be where the other has one, but its own sign may differ: which of two NaN an addition
    hands on depends on whether the compiler's vector loop or its remainder adds them.
    """
    a, b = (np.where(np.isnan(v), v.dtype.type("nan"), v) for v in (a, b))
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def numbers(result):
    """Every number of a result, by name."""
    scalars = ("steps", "loss", "accuracy", "loss_test", "accuracy_test")
    found = {name: np.array(getattr(result, name), float) for name in scalars}
    found |= {f"params.{name}": p for name, p in result.params.items()}
    epochs = result.history["epoch"].astype(float)
    history = result.history | {"epoch": epochs}
    return found | {f"history.{name}": values for name, values in history.items()}


def differences(one, other):
    """What differs between two results of a run."""
    a, b = numbers(one), numbers(other)
    assert set(a) == set(b)
    found = [name for name in a if not same_bits(a[name], b[name])]
    return found + (["outcome"] if one.outcome != other.outcome else [])


def assert_alone_is_together(spec, runs, given, alone=None):
    together = train(spec, runs, given)
    for slot, run in enumerate(runs):
        single = alone[run] if alone else train(spec, [run], given)[0]
        assert differences(single, together[slot]) == [], f"slot {slot} of {len(runs)}"
    return together


BASE = StackSpec(sizes=(3, 10, 10, 1), epochs=12, record=(0, 4, 12))
OUTPUTS = {
    "one output": {},
    "several outputs": {
        "sizes": (3, 10, 10, 4),
        "output": "softmax",
        "loss": "softmax_cross_entropy",
    },
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch_size", [None, 16, 1])
@pytest.mark.parametrize("outputs", OUTPUTS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_run_is_the_same_in_stacks_of_any_size_in_any_slot(optimizer, outputs, batch_size, dtype):
    spec = replace(BASE, optimizer=optimizer, dtype=dtype, batch_size=batch_size)
    spec = replace(spec, epochs=6, record=(0, 4, 6), **OUTPUTS[outputs])
    m = 53 if batch_size else 200
    if batch_size == 1:
        m, spec = 7, replace(spec, epochs=3, record=(0, 2, 3))
    given = data(3, spec.sizes[-1], m)
    lr = 0.3 if optimizer == "sgd" else 0.02
    runs = [RunSpec(replicate=r, lr=lr, bias_scale=0.1 * (r % 3)) for r in range(max(SIZES))]
    alone = {run: train(spec, [run], given)[0] for run in runs[:3] + runs[-1:]}
    for size in SIZES:
        for slots in (range(size), range(size)[::-1])[: 2 if size < max(SIZES) else 1]:
            together = train(spec, [runs[r] for r in slots], given)
            for slot, r in enumerate(slots):
                if runs[r] in alone:
                    found = differences(alone[runs[r]], together[slot])
                    assert found == [], f"slot {slot} of {size}"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch_size", [None, 8, 1])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_neighbors_that_diverge_are_not_felt(optimizer, batch_size, dtype):
    spec = replace(
        BASE,
        optimizer=optimizer,
        dtype=dtype,
        batch_size=batch_size,
        output="identity",
        loss="squared_error",
    )
    given = data(3, 1, 21)
    huge = HUGE if dtype == "float32" else 1e200
    rates = [huge, 0.01, 1e6, huge, 0.02, 1e3, 0.001, huge]
    runs = [RunSpec(replicate=r, lr=lr) for r, lr in enumerate(rates)]
    together = assert_alone_is_together(spec, runs, given)
    outcomes = {result.outcome for result in together}
    assert Outcome.DIVERGED in outcomes
    assert Outcome.FINISHED in outcomes


def test_runs_diverge_at_different_steps_without_being_felt():
    # A linear model, where the error grows by the same factor in every step.
    ends = {"epochs": 300, "record": (0, 300)}
    spec = replace(BASE, sizes=(3, 1), output="identity", loss="squared_error", **ends)
    runs = [RunSpec(replicate=r, lr=1.5**r) for r in range(12)]
    together = assert_alone_is_together(spec, runs, data(3, 1, 21))
    assert len({result.steps for result in together}) > 4


@pytest.mark.parametrize("batch_size", [1, 7, 16])
def test_runs_that_share_an_order_are_the_same_in_any_company(batch_size):
    # Three that gather a batch once for all, then beside one with an order of its own.
    spec = replace(BASE, batch_size=batch_size)
    shared = [RunSpec(replicate=2, lr=lr) for lr in (0.01, 0.1, 1e6)]
    assert_alone_is_together(spec, shared, data(3, 1, 21))
    assert_alone_is_together(spec, [*shared, RunSpec(replicate=3)], data(3, 1, 21))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch_size", [None, 300])
def test_layers_larger_than_numpys_buffers_are_the_same(batch_size, dtype):
    # NumPy casts and sums in buffers of 8,192 numbers: here one run's layer has more than that.
    spec = replace(
        BASE, sizes=(3, 40, 40, 1), dtype=dtype, batch_size=batch_size, epochs=2, record=(0, 2)
    )
    runs = [RunSpec(replicate=r) for r in range(3)]
    assert_alone_is_together(spec, runs, data(3, 1, 500))


@pytest.mark.parametrize("batch_size", [None, 1])
@pytest.mark.parametrize("units", [9, 17, 130])
@pytest.mark.parametrize("pair", [pair for pair in PAIRINGS if pair[0] == "softmax"])
def test_sums_over_many_output_units_are_the_same(pair, units, batch_size):
    # A sum over eight units and more is added up in another order where they lie side by side.
    output, loss = pair
    sizes = (3, 4, units)
    spec = replace(BASE, sizes=sizes, output=output, loss=loss, epochs=2, record=(0, 2))
    runs = [RunSpec(replicate=r) for r in range(3)]
    for m in (1, 5):
        assert_alone_is_together(replace(spec, batch_size=batch_size), runs, data(3, units, m))


# A property test: configurations at random.


@dataclass(frozen=True)
class Drawn:
    spec: StackSpec
    runs: list
    data: Data


def _one(rng, options):
    return options[rng.integers(len(options))]


def _defects(rng, depth):
    names = ["sign_error", "extra_batch_mean", "bias_grad_mean_instead_of_sum"]
    if depth:
        names += [
            "derivative_at_activation",
            "missing_hidden_derivative",
            "upstream_discarded",
            "inplace_derivative_overwrites_cache",
            "inplace_derivative_after_use",
            "cache_used_twice",
            "weights_updated_before_backprop",
        ]
    return (_one(rng, names),)


def _spec(rng):
    output, loss = _one(rng, list(PAIRINGS))
    depth = int(rng.integers(0, 4))
    n_out = int(_one(rng, [1, 1, 2, 3, 10]))
    if (output, loss, n_out) == ("softmax", "binary_cross_entropy", 1):
        n_out = 2
    epochs = int(rng.integers(0, 7))
    defects = _defects(rng, depth) if rng.random() < 0.3 else ()
    early = "weights_updated_before_backprop" in defects
    return StackSpec(
        sizes=(int(rng.integers(1, 5)), *(int(n) for n in rng.integers(1, 12, depth)), n_out),
        activation=_one(rng, list(ACTIVATIONS)),
        output=output,
        loss=loss,
        reduction=_one(rng, ["mean", "sum"]),
        bias="bias_grad_mean_instead_of_sum" in defects or bool(rng.random() < 0.7),
        dtype=_one(rng, ["float32", "float64"]),
        optimizer="sgd" if early else _one(rng, list(OPTIMIZERS)),
        decays=bool(not early and rng.random() < 0.3),
        batch_size=_one(rng, [None, None, 1, 2, 4, 7, 50]),
        epochs=epochs,
        defects=defects,
        record=tuple(sorted({0, epochs, int(rng.integers(0, epochs + 1))})),
    )


def _run(rng, spec):
    return RunSpec(
        seed=int(rng.integers(2)),
        replicate=int(rng.integers(3)),
        lr=float(_one(rng, [0.0, 0.01, 0.1, 1.0, 10.0, 1e4, HUGE])),
        lr_factor=tuple(rng.uniform(0, 2, rng.integers(3))),
        init=_one(rng, list(INITIALIZERS)),
        init_scale=float(_one(rng, [1e-40, 0.01, 1.0, 3.0, -1.0])),
        scale_factor=tuple(rng.uniform(0, 2, rng.integers(3))),
        bias_scale=float(_one(rng, [0.0, 0.5, -1.0])),
        weight_decay=float(_one(rng, [0.0, 0.01])) if spec.decays else 0.0,
    )


def drawn(seed):
    """Draw a small stack, some runs of which diverge."""
    rng = np.random.default_rng((20, seed))
    spec = _spec(rng)
    runs = [_run(rng, spec) for _ in range(_one(rng, [2, 3, 5, 9]))]
    given = data(spec.sizes[0], spec.sizes[-1], int(rng.integers(1, 20)), seed)
    return Drawn(spec, runs, given)


SEEDS = 200


@pytest.mark.parametrize("tenth", range(10))
def test_any_run_of_any_stack_is_the_same_as_alone(tenth):
    for seed in range(tenth, SEEDS, 10):
        case = drawn(seed)
        together = train(case.spec, case.runs, case.data)
        for slot, run in enumerate(case.runs):
            [single] = train(case.spec, [run], case.data)
            assert differences(single, together[slot]) == [], f"seed {seed}, slot {slot}"


def test_the_configurations_drawn_reach_every_name_and_both_outcomes():
    cases = [drawn(seed) for seed in range(SEEDS)]
    specs = [case.spec for case in cases]
    assert {spec.activation for spec in specs} == set(ACTIVATIONS)
    assert {(spec.output, spec.loss) for spec in specs} == set(PAIRINGS)
    assert {spec.optimizer for spec in specs} == set(OPTIMIZERS)
    assert {spec.batch_size for spec in specs} == {None, 1, 2, 4, 7, 50}
    assert {run.init for case in cases for run in case.runs} == set(INITIALIZERS)
    assert len({defect for spec in specs for defect in spec.defects}) == 10
    outcomes = [r.outcome for case in cases[:100] for r in train(case.spec, case.runs, case.data)]
    assert 20 < outcomes.count(Outcome.DIVERGED) < len(outcomes) - 20
