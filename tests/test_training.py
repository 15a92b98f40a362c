import warnings
from dataclasses import replace

import numpy as np
import oracles
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

from bpcore import Data, Hyper, Outcome, RunSpec, StackSpec, stack_size, train, train_stack
from bpcore.batches import MiniBatches
from bpcore.probes import PROBES

HYPER = Hyper(momentum=0.9, beta1=0.9, beta2=0.99, epsilon=1e-6)
M = 23  # a prime, so that batches do not divide it


def data(n_in=3, n_out=1, m=M, seed=0, midpoint=0.5, loss="binary_cross_entropy"):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_in, m))
    if loss == "squared_error":
        return Data.of(X, np.sin(X[:1] + np.arange(n_out)[:, None]), midpoint)
    if n_out == 1:
        return Data.of(X, (X[:1] * X[1:2] > 0).astype(float), midpoint)
    return Data.of(X, np.eye(n_out)[np.argmax(X[: min(n_in, n_out)], axis=0)].T, midpoint)


BASE = StackSpec(sizes=(3, 5, 4, 1), activation="tanh", hyper=HYPER, epochs=30, record=(0, 7, 30))
RUN = RunSpec(seed=2, replicate=1, lr=0.3, init="glorot_uniform", init_scale=1.5, bias_scale=0.3)
SOFTMAX = {"sizes": (3, 5, 4), "output": "softmax", "loss": "softmax_cross_entropy"}
SQUARED = {"output": "identity", "loss": "squared_error"}

CASES = {
    "plain": ({}, {}),
    **{name: ({"activation": name}, {}) for name in oracles.ACTIVATION},
    "momentum": ({"optimizer": "momentum"}, {"lr": 0.05}),
    "nesterov": ({"optimizer": "nesterov"}, {"lr": 0.05}),
    "rmsprop": ({"optimizer": "rmsprop"}, {"lr": 0.01}),
    "adam": ({"optimizer": "adam"}, {"lr": 0.01}),
    "batches": ({"batch_size": 5}, {}),
    "batches of adam": ({"batch_size": 5, "optimizer": "adam"}, {"lr": 0.01}),
    "batches of nesterov": ({"batch_size": 5, "optimizer": "nesterov"}, {"lr": 0.02}),
    "single samples": ({"batch_size": 1, "epochs": 5, "record": (0, 3, 5)}, {"lr": 0.05}),
    "single samples, softmax": (
        {"batch_size": 1, "epochs": 5, "record": (0, 5), **SOFTMAX},
        {"lr": 0.05},
    ),
    "one shuffled batch of all": ({"batch_size": M}, {}),
    "batches larger than the data": ({"batch_size": 100}, {}),
    "weight decay": ({"decays": True}, {"weight_decay": 0.05}),
    "weight decay of momentum": (
        {"decays": True, "optimizer": "momentum"},
        {"weight_decay": 0.05, "lr": 0.05},
    ),
    "weight decay of adam in batches": (
        {"decays": True, "optimizer": "adam", "batch_size": 8},
        {"weight_decay": 0.05, "lr": 0.01},
    ),
    "no bias": ({"bias": False}, {}),
    "no bias, relu, batches": ({"bias": False, "activation": "relu", "batch_size": 5}, {}),
    "sum": ({"reduction": "sum"}, {"lr": 0.02}),
    "sum in batches": ({"reduction": "sum", "batch_size": 5}, {"lr": 0.02}),
    "no hidden layer": ({"sizes": (3, 1)}, {}),
    "no hidden layer, no bias, single samples": (
        {"sizes": (3, 1), "bias": False, "batch_size": 1},
        {},
    ),
    "width 1": ({"sizes": (3, 1, 1, 1)}, {}),
    "deep": ({"sizes": (3, *[6] * 8, 1)}, {"lr": 0.05}),
    "softmax": (SOFTMAX, {}),
    "softmax in batches": ({"batch_size": 5, **SOFTMAX}, {}),
    "binary softmax": ({**SOFTMAX, "loss": "binary_cross_entropy"}, {}),
    "sigmoids": ({"sizes": (3, 5, 4)}, {}),
    "sigmoids, softmax cross-entropy": ({**SOFTMAX, "output": "sigmoid"}, {}),
    "regression": (SQUARED, {}),
    "regression of three": ({"sizes": (3, 5, 3), **SQUARED}, {"lr": 0.1}),
    "squared error of sigmoid": ({**SQUARED, "output": "sigmoid"}, {}),
    "squared error of tanh": ({**SQUARED, "output": "tanh"}, {}),
    "squared error of softmax": ({**SOFTMAX, "loss": "squared_error"}, {}),
    "squared error of relu": ({**SQUARED, "output": "relu"}, {"bias_scale": 2.0}),
    "rates of layers": ({}, {"lr_factor": (0.1, 3.0)}),
}


def case(name):
    changes, run_changes = CASES[name]
    spec, run = replace(BASE, **changes), replace(RUN, **run_changes)
    midpoint = None if name.startswith("regression") else 0.5
    return spec, run, data(3, spec.sizes[-1], midpoint=midpoint, loss=spec.loss)


def assert_same(got, expected, bound):
    """Compare a result with the oracle's, everything to an absolute and relative bound."""
    assert got.steps == expected.steps
    assert (got.outcome is Outcome.DIVERGED) == expected.diverged
    assert set(got.params) == set(expected.params)
    for name, p in expected.params.items():
        assert got.params[name] == pytest.approx(p, abs=bound, rel=bound), name
    assert got.loss == pytest.approx(expected.loss, abs=bound, rel=bound)
    for name, values in expected.history.items():
        at = pytest.approx(np.array(values), abs=bound, rel=bound, nan_ok=True)
        assert got.history[name] == at, name


@pytest.mark.parametrize("name", CASES)
def test_a_training_is_the_textbooks(name):
    spec, run, given = case(name)
    [got] = train(spec, [run], given)
    # No case is chaotic: an error grows at most tenfold (the next test measures it), and
    # 115 steps of some ten roundings of numbers of order 1 make 115 * 10 * 10 * eps = 2.6e-12.
    assert_same(got, oracles.training(spec, run, given), 3e-12)


def test_no_case_is_chaotic():
    # The claim on which the tolerances above and below rest: a start moved by 1e-7 moves the end by
    # no more than ten times that.
    for name in CASES:
        spec, run, given = case(name)
        ends = []
        for scale in (1.0, 1.0 + 1e-7):
            [result] = train(spec, [replace(run, init_scale=run.init_scale * scale)], given)
            ends.append(np.concatenate([p.ravel() for p in result.params.values()]))
        assert np.abs(ends[1] - ends[0]).max() <= 10 * 1e-7 * max(1.0, np.abs(ends[0]).max()), name


@pytest.mark.parametrize("name", CASES)
def test_a_float32_training_is_the_textbooks_to_its_precision(name):
    spec, run, given = case(name)
    [got] = train(replace(spec, dtype="float32"), [run], given)
    assert all(p.dtype == np.float32 for p in got.params.values())
    # As above with the roundings of float32, 115 * 10 * 10 * 1.2e-7 = 1.4e-3: kinks included.
    expected = oracles.training(spec, run, given)
    expected.history.pop("accuracy", None)  # an output beside the midpoint may round across it
    assert_same(got, expected, 1.4e-3)


def test_runs_of_a_stack_are_each_the_textbooks():
    spec, _, given = case("batches")
    runs = [replace(RUN, replicate=r, lr=lr) for r in (0, 1) for lr in (0.1, 0.5)]
    for run, got in zip(runs, train(spec, runs, given), strict=True):
        assert_same(got, oracles.training(spec, run, given), 3e-12)


# Order of samples


def test_orders_come_from_seed_and_replicate_and_are_drawn_anew_every_epoch():
    spec, given = replace(BASE, batch_size=5), data()
    runs = [
        RunSpec(seed=4, replicate=2),
        RunSpec(seed=4, replicate=3),
        RunSpec(seed=4, replicate=2),
    ]
    batches = MiniBatches(spec, runs, given, 5)
    assert batches.sizes == [5, 5, 5, 5, 3]
    expected = [oracles.orders(run, 2, M) for run in runs]
    for epoch in range(2):
        batches.shuffle()
        assert all(np.array_equal(batches.order[r], expected[r][epoch]) for r in range(3))
        x, x_T, y = batches.take(5, 5)
        for r in range(3):
            chosen = expected[r][epoch][5:10]
            assert np.array_equal(x[r], np.vstack([given.X[:, chosen], np.ones(5)]))
            assert np.array_equal(x_T[r], x[r].T)
            assert np.array_equal(y[r], given.Y[:, chosen])
    assert not np.array_equal(expected[0][0], expected[0][1])
    assert not np.array_equal(expected[0][0], expected[1][0])


# Divergence


def exploding(lr, **changes):
    changes = {"activation": "identity", "epochs": 200, "record": (0, 200), **SQUARED, **changes}
    return replace(BASE, **changes), replace(RUN, lr=lr)


@pytest.mark.parametrize("batch_size", [None, 5, 1])
@pytest.mark.parametrize("optimizer", ["sgd", "momentum"])
def test_a_run_is_frozen_where_the_textbook_is(optimizer, batch_size):
    spec, run = exploding(30.0, optimizer=optimizer, batch_size=batch_size)
    given = data(loss="squared_error")
    [got] = train(spec, [run], given)
    with np.errstate(all="ignore"):
        expected = oracles.training(spec, run, given)
    assert expected.diverged
    assert got.outcome is Outcome.DIVERGED
    assert got.steps == expected.steps
    assert got.steps % 10 == 0
    assert not np.isfinite(got.loss)
    assert np.isnan(got.accuracy)


def test_a_run_that_ends_between_two_checks_is_found_at_the_end():
    spec, run = exploding(30.0)
    given = data(loss="squared_error")
    steps = train(spec, [run], given)[0].steps
    # It still passed the check ten steps before. At some step in between its loss was lost.
    for epochs in range(steps - 9, steps + 1):
        [got] = train(replace(spec, epochs=epochs, record=()), [run], given)
        with np.errstate(all="ignore"):
            expected = oracles.training(replace(spec, epochs=epochs, record=()), run, given)
        assert got.steps == epochs
        assert (got.outcome is Outcome.DIVERGED) == expected.diverged
    assert got.outcome is Outcome.DIVERGED
    assert got.history["epoch"].tolist() == [0, steps]


def test_a_diverged_run_keeps_its_records_up_to_there_and_no_more():
    spec, run = exploding(30.0, record=tuple(range(201)))
    [got] = train(spec, [run], data(loss="squared_error"))
    assert got.history["epoch"].tolist() == list(range(got.steps))
    assert all(len(values) == got.steps for values in got.history.values())
    result = train_stack(spec, [run], data(loss="squared_error"))
    assert result.recorded.tolist() == [got.steps]
    assert np.all(np.isnan(result.history["loss"][0, got.steps :]))


def test_a_start_that_is_not_finite_diverges_before_the_first_step():
    given = data()
    broken = replace(given, X=np.where(np.arange(M) == 3, np.nan, given.X))
    [got] = train(BASE, [RUN], broken)
    assert (got.outcome, got.steps) == (Outcome.DIVERGED, 0)
    assert np.isnan(got.loss)
    assert got.history["epoch"].tolist() == []
    assert all(np.array_equal(p, oracles.start(BASE, RUN)[name]) for name, p in got.params.items())


# Records


def test_no_epochs_measure_the_start_and_change_nothing():
    spec, given = replace(BASE, epochs=0, record=()), data()
    [got] = train(spec, [RUN], given)
    expected = oracles.training(spec, RUN, given)
    assert spec.record == (0,)
    assert (got.outcome, got.steps) == (Outcome.FINISHED, 0)
    assert got.history["epoch"].tolist() == [0]
    assert_same(got, expected, 1e-13)


@pytest.mark.parametrize("batch_size", [None, 5])
@pytest.mark.parametrize("optimizer", list(oracles.OPTIMIZER))
def test_measuring_changes_nothing(optimizer, batch_size):
    spec = replace(BASE, optimizer=optimizer, batch_size=batch_size)
    [often] = train(replace(spec, record=tuple(range(31))), [RUN], data())
    [never] = train(replace(spec, record=(), probes=()), [RUN], data())
    assert all(often.params[name].tobytes() == p.tobytes() for name, p in never.params.items())
    assert often.loss == never.loss
    assert set(never.history) == {"epoch", "loss", "accuracy", "loss_test", "accuracy_test"}


def test_a_shorter_training_is_the_beginning_of_a_longer_one():
    for batch_size in (None, 5):
        spec = replace(BASE, batch_size=batch_size, record=(0, 12, 30))
        [long] = train(spec, [RUN], data())
        [short] = train(replace(spec, epochs=12, record=(0, 12)), [RUN], data())
        for name in long.history:
            assert long.history[name][:2].tobytes() == short.history[name].tobytes(), name


def test_the_test_split_is_measured_like_training_data():
    given, other = data(), data(seed=1, m=600)
    split = replace(given, X_test=other.X, Y_test=other.Y)
    [got] = train(BASE, [RUN], split)
    net = oracles.Net("tanh")
    expected = oracles.probes(net, got.params, other.X, other.Y, 0.5)
    assert got.loss_test == pytest.approx(expected["loss"], rel=1e-13)
    assert got.accuracy_test == expected["accuracy"]
    assert got.history["loss_test"][-1] == got.loss_test
    [without] = train(BASE, [RUN], given)
    assert np.isnan(without.loss_test)
    assert all(without.params[name].tobytes() == p.tobytes() for name, p in got.params.items())


def test_regression_has_no_accuracy():
    spec, run, given = case("regression")
    [got] = train(spec, [run], given)
    assert np.isnan(got.accuracy)
    assert np.all(np.isnan(got.history["accuracy"]))


def test_a_decay_of_zero_is_none():
    runs = [RUN, replace(RUN, lr=0.1)]
    for optimizer in oracles.OPTIMIZER:
        spec = replace(BASE, optimizer=optimizer)
        with_zero = train(replace(spec, decays=True), runs, data())
        for a, b in zip(with_zero, train(spec, runs, data()), strict=True):
            assert all(a.params[name].tobytes() == p.tobytes() for name, p in b.params.items())


def test_stack_size_stays_within_its_bounds_and_falls_with_the_size_of_a_run():
    small = stack_size(replace(BASE, sizes=(2, 2, 1)), 4)
    large = stack_size(replace(BASE, sizes=(784, 512, 512, 10)), 60000)
    sizes = [stack_size(replace(BASE, sizes=(2, width, 1)), 200) for width in (4, 16, 64, 256)]
    assert (small, large) == (64, 8)
    assert sizes == sorted(sizes, reverse=True)


def test_every_probe_is_in_the_history():
    [got] = train(BASE, [RUN], data())
    assert set(PROBES) <= set(got.history)
    assert got.history["grad_norm"].shape == (3, 3)


# scikit-learn's own networks from the same start. Its alpha is a penalty per sample.


def sklearn_steps(kind, spec, run, given, count, *, alpha=0.0, momentum=0.0, adam=False):
    """Parameters after full-batch steps of scikit-learn from the run's start."""
    params = oracles.start(spec, run)
    depth = spec.layers
    m = given.X.shape[1]
    model = kind(
        hidden_layer_sizes=spec.sizes[1:-1],
        activation={"sigmoid": "logistic"}.get(spec.activation, spec.activation),
        solver="adam" if adam else "sgd",
        alpha=alpha,
        batch_size=m,
        learning_rate_init=run.lr,
        momentum=momentum,
        nesterovs_momentum=momentum > 0,
        max_iter=1,
        shuffle=False,
        warm_start=True,
        tol=0.0,
        n_iter_no_change=10**6,
        beta_1=spec.hyper.beta1,
        beta_2=spec.hyper.beta2,
        epsilon=spec.hyper.epsilon,
    )
    y = given.Y[0] if spec.sizes[-1] == 1 else given.Y.T
    if kind is MLPClassifier:
        y = given.Y[0].astype(int) if spec.sizes[-1] == 1 else np.argmax(given.Y, axis=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it is told to stop after 1 and 10
        model.fit(given.X.T, y)
        model.coefs_ = [params[f"W{k}"].T.copy() for k in range(1, depth + 1)]
        model.intercepts_ = [params[f"b{k}"].copy() for k in range(1, depth + 1)]
        model.set_params(max_iter=count)
        model.fit(given.X.T, y)
    found = {f"W{k + 1}": W.T for k, W in enumerate(model.coefs_)}
    return found | {f"b{k + 1}": b for k, b in enumerate(model.intercepts_)}


NETWORKS = {
    "binary": (MLPClassifier, {}),
    "classes": (MLPClassifier, {**SOFTMAX, "sizes": (3, 5, 3)}),
    "regression": (MLPRegressor, SQUARED),
}


@pytest.mark.parametrize("count", [1, 10])
@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "identity"])
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(
    ("alpha", "momentum", "adam"),
    [(0.0, 0.0, False), (0.7, 0.0, False), (0.0, 0.9, False), (0.7, 0.9, False), (0.0, 0.0, True)],
)
def test_steps_are_those_of_scikit_learn(network, activation, count, alpha, momentum, adam):
    kind, changes = NETWORKS[network]
    optimizer = "adam" if adam else "nesterov" if momentum else "sgd"
    # scikit-learn's epsilon is not divided by the bias correction: without one they agree.
    spec = replace(
        BASE,
        activation=activation,
        epochs=count,
        record=(),
        decays=alpha > 0,
        optimizer=optimizer,
        hyper=replace(HYPER, momentum=momentum, epsilon=1e-300),
        **changes,
    )
    run = replace(RUN, lr=0.1 if optimizer == "sgd" else 0.01, weight_decay=alpha / M)
    given = data(3, spec.sizes[-1], loss=spec.loss, midpoint=None)
    expected = sklearn_steps(
        kind, spec, run, given, count, alpha=alpha, momentum=momentum, adam=adam
    )
    [got] = train(spec, [run], given)
    assert set(got.params) == set(expected)
    for name, p in expected.items():
        # Ten steps, ten roundings each, of numbers of order 1; adam divides by a small root.
        assert got.params[name] == pytest.approx(p, abs=1e-12 if adam else 1e-14 * 2), name
