import math
import re
from dataclasses import replace

import numpy as np
import oracles
import pytest

from bpcore import PROBES, Data, RunSpec, StackSpec, epochs_to_record, train
from bpcore.probes import Moments, update_ratio

# Three pieces of evaluation, the last one short.
CHUNK = 64
M = 2 * CHUNK + 37
SPEC = StackSpec(sizes=(3, 6, 5, 1), activation="tanh", epochs=4, record=(0, 2, 4))
RUN = RunSpec(seed=5, lr=0.01, init="glorot_uniform", init_scale=2.5, bias_scale=1.0)


def data(n_out=1, m=M, midpoint=0.5):
    rng = np.random.default_rng(3)
    X = rng.standard_normal((3, m))
    Y = (X[:1] * X[1:2] > 0).astype(float)
    if n_out > 1:
        Y = np.eye(n_out)[rng.integers(n_out, size=m)].T
    return Data.of(X, Y, midpoint)


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch):
    monkeypatch.setattr("bpcore.training.CHUNK", CHUNK)


SETTINGS = {
    "tanh": {},
    "sigmoid": {"activation": "sigmoid"},
    "softsign": {"activation": "softsign"},
    "relu": {"activation": "relu"},
    "relu without bias": {"activation": "relu", "bias": False},
    "gelu": {"activation": "gelu"},
    "softmax": {"sizes": (3, 6, 4), "output": "softmax", "loss": "softmax_cross_entropy"},
    "dead outputs": {
        "sizes": (3, 6, 8),
        "activation": "relu",
        "output": "relu",
        "loss": "squared_error",
    },
    "tanh outputs": {"output": "tanh", "loss": "squared_error"},
    "sum": {"reduction": "sum"},
    "no hidden layer": {"sizes": (3, 1)},
}


@pytest.mark.parametrize("batch_size", [None, 16, 1])
@pytest.mark.parametrize("name", SETTINGS)
def test_every_probe_is_its_definition_over_all_training_data(name, batch_size):
    spec = replace(SPEC, batch_size=batch_size, **SETTINGS[name])
    run = replace(RUN, lr=0.01 / M if spec.reduction == "sum" else 0.01)
    given = data(spec.sizes[-1], m=CHUNK + 37 if batch_size == 1 else M)
    [got] = train(spec, [run], given)
    expected = oracles.training(spec, run, given).history
    assert set(expected) == set(PROBES) | {"loss", "accuracy"}
    for probe, values in expected.items():
        # Up to 404 steps of numbers of order 1; a count is a count of the same samples.
        bound = 1e-11 if batch_size == 1 else 1e-12
        wanted = pytest.approx(np.array(values), rel=bound, abs=bound, nan_ok=True)
        assert got.history[probe] == wanted, probe


def test_the_settings_show_what_they_are_there_for():
    history = {
        name: train(replace(SPEC, **changes), [RUN], data(changes.get("sizes", (1,))[-1]))[
            0
        ].history
        for name, changes in SETTINGS.items()
    }
    saturated = history["tanh"]["saturated_fraction"]
    assert np.all((saturated[:, :2] > 0) & (saturated[:, :2] < 1))
    assert np.all(np.isnan(history["relu"]["saturated_fraction"][:, :2]))
    assert np.all(np.isfinite(history["relu"]["saturated_fraction"][:, 2]))  # sigmoid
    assert np.all(np.isnan(history["softmax"]["saturated_fraction"][:, -1]))
    assert np.any(history["relu"]["dead_fraction"] > 0)
    assert np.any(history["dead outputs"]["dead_fraction"][:, -1] > 0)


@pytest.mark.parametrize("batch_size", [None, 16])
def test_float32_probes_are_those_of_float64_to_their_precision(batch_size):
    spec = replace(SPEC, batch_size=batch_size, dtype="float32", sizes=(3, 64, 1))
    [got] = train(spec, [RUN], data())
    [expected] = train(replace(spec, dtype="float64"), [RUN], data())
    for probe in PROBES:
        if probe == "saturated_fraction":  # a is rounded: near the threshold it may be counted
            bound = 20 / (64 * M)
        else:
            # 44 steps, ten roundings each of numbers of order 4; a deviation adds none.
            bound = 44 * 10 * 4 * float(np.finfo(np.float32).eps)
        wanted = pytest.approx(expected.history[probe], rel=bound, abs=bound, nan_ok=True)
        assert got.history[probe] == wanted, probe


def test_a_constant_network_has_no_spread_and_accuracy_of_the_majority():
    spec = replace(SPEC, epochs=0, record=())
    run = replace(RUN, init="zeros", bias_scale=0.0)
    given = data()
    [got] = train(spec, [run], given)
    assert got.history["output_spread"].tolist() == [0.0]
    assert got.history["act_spread"].tolist() == [[0.0] * 3]
    assert got.history["act_mean"].tolist() == [[0.0, 0.0, 0.5]]
    assert got.history["dead_fraction"].tolist() == [[1.0, 1.0, 0.0]]
    assert got.history["weight_norm"].tolist() == [[0.0] * 3]
    assert got.loss == pytest.approx(math.log(2), rel=1e-14)
    assert got.accuracy == np.mean(given.Y == 0)  # 0.5 is not above the midpoint


def test_an_update_ratio_of_a_weight_at_zero_is_nan_or_infinite():
    zero, one = np.zeros((1, 2, 2)), np.ones((1, 2, 2))
    with np.errstate(all="ignore"):
        ratios = update_ratio([zero, zero, 2 * one], [zero, one, 3 * one])
    assert np.isnan(ratios[0, 0])
    assert ratios[0, 1:].tolist() == [math.inf, 0.5]


def test_a_unit_that_is_not_a_number_is_not_dead():
    spec = replace(SPEC, activation="relu", epochs=0, record=())
    given = data(m=5)
    broken = replace(given, X=np.where(np.arange(5) == 2, np.nan, given.X))
    [got] = train(spec, [replace(RUN, init="constant", init_scale=-1.0, bias_scale=0.0)], broken)
    assert got.history["dead_fraction"][0, 0] == 0.0


@pytest.mark.parametrize("speaks", [*range(0, 40, 3), M - 1, None])
def test_a_unit_is_dead_only_if_it_is_silent_on_every_sample(speaks):
    spec = StackSpec(sizes=(1, 1, 1), epochs=0, record=(), probes=("dead_fraction",))
    X = -np.ones((1, M))
    if speaks is not None:
        X[0, speaks] = 1.0
    run = replace(RUN, init="constant", init_scale=1.0, bias_scale=0.0)
    [got] = train(spec, [run], Data.of(X, X > 0))
    assert got.history["dead_fraction"][0, 0] == (1.0 if speaks is None else 0.0)


def test_moments_do_not_depend_on_how_the_data_are_cut():
    rng = np.random.default_rng(0)
    rows = 1e6 + rng.standard_normal((4, 1000))
    for cuts in ([], [1], [999], [100, 101, 500], list(range(1, 1000))):
        moments = Moments()
        for part in np.split(rows, cuts, axis=1):
            moments.add(part, np.empty_like(part))
        # A mean of 1e6 rounds to 1e-10, and so do deviations from it; a thousand merges at most.
        assert moments.mean == pytest.approx(rows.mean(axis=1), abs=1e-9)
        assert moments.deviation() == pytest.approx(rows.std(axis=1), abs=1e-9)


# When


@pytest.mark.parametrize(
    ("record", "epochs", "expected"),
    [
        ("ends", 10, (0, 10)),
        ("ends", 0, (0,)),
        ("every", 3, (0, 1, 2, 3)),
        ("every:4", 10, (0, 4, 8, 10)),
        ("every:100", 10, (0, 10)),
        ("last:3", 10, (0, 8, 9, 10)),
        ("last:1", 10, (0, 10)),
        ("last:99", 3, (0, 1, 2, 3)),
        ("log:1", 10, (0, 1, 10)),
        ("log:2", 10, (0, 1, 10)),
        ("log:3", 100, (0, 1, 10, 100)),
        ("log:5", 0, (0,)),
        ("log:50", 1, (0, 1)),
        ([3, 1], 5, (0, 1, 3, 5)),
        ([], 5, (0, 5)),
        ((0, 5), 5, (0, 5)),
    ],
)
def test_epochs_to_record(record, epochs, expected):
    assert epochs_to_record(record, epochs) == expected


def test_fifty_log_spaced_epochs_of_a_thousand_are_fewer_because_the_first_coincide():
    epochs = epochs_to_record("log:50", 1000)
    spaced = {round(1000 ** (i / 49)) for i in range(50)}  # no tie to round there
    assert set(epochs) == spaced | {0}
    assert len(epochs) == 43


@pytest.mark.parametrize(
    "record", ["", "log", "log:", "log:0", "log:-1", "log:x", "every:0", "last", "last:0", "ends:3"]
)
def test_a_record_that_is_none_of_these_is_refused(record):
    with pytest.raises(ValueError, match="`record`") as caught:
        epochs_to_record(record, 10)
    assert str(caught.value) == (
        "`record` must be log:N, every, every:N, last:N, ends or a list of epochs, N a positive "
        f"number; got {record}."
    )


@pytest.mark.parametrize("record", [[11], [-1], [0.5], ["3"]])
def test_an_epoch_outside_of_the_training_is_refused(record):
    message = f"`record` must list whole epochs from 0 to 10; got {record}."
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        epochs_to_record(record, 10)
    assert str(caught.value) == message


def test_an_unknown_probe_is_refused_with_all_names():
    with pytest.raises(ValueError, match="`probes`") as caught:
        replace(SPEC, probes=("grad_nrm",))
    assert str(caught.value) == (
        "`probes` must be one of output_spread, act_mean, act_spread, dead_fraction, "
        "saturated_fraction, grad_norm, weight_norm, update_ratio; got grad_nrm. Did you mean "
        "grad_norm?"
    )
