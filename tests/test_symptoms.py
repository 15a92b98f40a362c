"""Symptoms: rules on hand-made traces, against plain loops, and on networks looked into."""

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis import symptoms
from analysis.symptoms.traces import Traces
from bpcore import Data, RunSpec, StackSpec, train
from sweeps import records

ROOT = Path(__file__).resolve().parents[1]
EPOCHS = [0, 1, 10, 100, 400, 700, 1000]
LN2 = math.log(2)


def layers(*values):
    """The same measurements by layer at every record."""
    return [np.array(values, np.float32) for _ in EPOCHS]


def run(**changes):
    """A row of a healthy run of two hidden layers and six records, with changes."""
    row = {
        "outcome": "finished",
        "steps": 1000,
        "epochs": 1000,
        "samples": 200,
        "batch_size": None,
        "loss": "binary_cross_entropy",
        "classes": 2,
        "dtype": "float64",
        "reduction": "mean",
        "n_out": 1,
        "prior_loss": LN2,
        "history_epoch": EPOCHS,
        "history_loss": [0.7, 0.69, 0.5, 0.2, 0.12, 0.11, 0.1],
        "history_output_spread": [0.1, 0.1, 0.3, 0.4, 0.4, 0.4, 0.4],
        "history_dead_fraction": layers(0, 0.25, 0),
        "history_saturated_fraction": layers(np.nan, np.nan, np.nan),
        "history_grad_norm": layers(0.1, 0.1, 0.1),
        "history_weight_norm": layers(3, 3, 1),
        "history_update_ratio": layers(1e-3, 1e-3, 1e-3),
    }
    return row | changes


def plateau(**changes):
    """A run whose loss is that of guessing and whose output is the same for every input."""
    return run(
        history_loss=[0.8, 0.7, *[LN2] * 5],
        history_output_spread=[1e-9] * 7,
        **changes,
    )


def judge(*rows, until=1.0):
    return symptoms.judge(pd.DataFrame(list(rows)), until)


def found(row, until=1.0):
    [judged] = judge(row, until=until).to_dict("records")
    return {name for name, value in judged.items() if value is True}


GONE = [*layers(3, 3, 1)[:6], np.array([3, 0, 1], np.float32)]
SHRUNK = [*layers(3, 3, 1)[:6], np.array([0.2999, 3, 1], np.float32)]
BOUNCING = [0.7, 0.69, 0.5, 0.2, 0.12, 0.12 + 0.2 * LN2 + 1e-9, 0.1]
FALLING = [0.9, 0.85, 0.8, 0.7, 0.55, 0.5, 0.45]
STUCK = {"stuck_at_prior", "not_learning"}

CASES = {
    "healthy": (run(), {"healthy"}),
    "diverged": (run(outcome="diverged", steps=500), {"diverged"}),
    "dead layer": (
        plateau(history_dead_fraction=layers(0.5, 1, 0), history_grad_norm=layers(0, 0, 0)),
        {"dead_layer", "dead_units", *STUCK},
    ),
    "dead units": (run(history_dead_fraction=layers(0.25, 0.5, 0)), {"dead_units", "healthy"}),
    "fewer dead units": (run(history_dead_fraction=layers(0.25, 0.49, 0)), {"healthy"}),
    "silent output, as of relu": (
        plateau(history_dead_fraction=layers(0, 0, 1)),
        {"dead_layer", *STUCK},
    ),
    "weights a tenth": (run(history_weight_norm=SHRUNK), {"collapsed_weights"}),
    "weights 0 from the start": (run(history_weight_norm=layers(0, 0, 0)), {"healthy"}),
    "weights 0 at the end": (run(history_weight_norm=GONE), {"collapsed_weights"}),
    "plateau": (plateau(), STUCK),
    "plateau of which the output leaves": (
        # A factor e in 600 epochs: it needs ln(0.5 / 1e-4) of these, far less than 100 trainings.
        plateau() | {"history_output_spread": [1e-5, 1e-5, 1e-5, 2e-5, 4e-5, 6e-5, 4e-5 * math.e]},
        {"not_learning"},
    ),
    "plateau that it is about to leave": (
        # A factor e^2 in 600 epochs, e in 0.3 of the epochs asked for.
        plateau()
        | {"history_output_spread": [1e-5, 1e-5, 1e-5, 2e-5, 4e-5, 6e-5, 4e-5 * math.e**2]},
        {"slow", "not_learning"},
    ),
    "growing, but the weights stand still": (
        plateau(history_update_ratio=layers(1e-6, 1e-6, 9e-6), history_grad_norm=layers(1, 1, 1))
        | {"history_output_spread": [1e-5, 1e-5, 1e-5, 2e-5, 4e-5, 6e-5, 4e-5 * math.e]},
        STUCK,
    ),
    "the output depends on the input": (
        plateau() | {"history_output_spread": [0.01] * 7},
        {"not_learning"},
    ),
    "above guessing": (run(history_loss=[0.9] * 7), {"not_learning"}),
    "no better than nine tenths": (run(history_loss=[0.63] * 7), {"not_learning"}),
    "a little better than nine tenths": (run(history_loss=[0.62] * 7), {"healthy"}),
    "saturated": (
        run(history_saturated_fraction=layers(0.1, 0.5, 0.9), history_loss=[0.5] * 7),
        {"saturated"},
    ),
    "saturated and good": (run(history_saturated_fraction=layers(1, 1, 1)), {"healthy"}),
    "only the output saturated": (
        run(history_saturated_fraction=layers(0.1, 0.4, 0.9), history_loss=[0.5] * 7),
        {"healthy"},
    ),
    "exploding": (
        # 30 * 2.5 / ln 2 = 108
        run(history_weight_norm=layers(30, 3, 1), history_grad_norm=layers(2.5, 1, 1))
        | {"history_loss": [0.5] * 7},
        {"exploding_gradient"},
    ),
    "exploding to no number": (
        run(history_grad_norm=[*layers(1, 1, 1)[:6], np.array([np.nan, 1, 1], np.float32)])
        | {"history_loss": [0.5] * 7},
        {"exploding_gradient"},
    ),
    "exploding before it diverged": (
        run(outcome="diverged", steps=500, history_grad_norm=layers(1, 1, 1e9))
        | {"history_loss": [0.5] * 7},
        {"diverged", "exploding_gradient"},
    ),
    "large gradients survived": (run(history_grad_norm=layers(1e3, 1e3, 1e3)), {"healthy"}),
    "vanishing": (
        # 1000 updates of 9e-6 of the norm: 111 trainings to move by it; 3 * 1e-3 / ln 2 < 3 %.
        run(history_update_ratio=layers(9e-6, 1e-3, 1e-3), history_grad_norm=layers(1e-3, 1, 1))
        | {"history_loss": [0.5] * 7},
        {"vanishing_gradient"},
    ),
    "it moved once": (
        run(
            history_update_ratio=[
                np.array([1e-4, 1, 1], np.float32),
                *layers(9e-6, 1e-3, 1e-3)[1:],
            ],
            history_grad_norm=layers(1e-3, 1, 1),
            history_loss=[0.5] * 7,
        ),
        {"healthy"},
    ),
    "a small learning rate is no vanishing gradient": (
        run(history_update_ratio=layers(9e-6, 9e-6, 9e-6), history_loss=[0.5] * 7),
        {"healthy"},
    ),
    "oscillating": (run(history_loss=BOUNCING), {"oscillating"}),
    "oscillated in the first half": (
        run(history_loss=[0.7, 0.3, 0.9, 0.3, 0.2, 0.15, 0.1]),
        {"healthy"},
    ),
    "slow": (run(history_loss=FALLING), {"slow"}),
    "slow, and up in between": (
        run(history_loss=[0.9, 0.85, 0.8, 0.7, 0.6, 0.64, 0.45]),
        {"healthy"},
    ),
    "falling from high to low": (
        run(history_loss=[0.9, 0.85, 0.8, 0.7, 0.5, 0.4, 0.3]),
        {"healthy"},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_hand_made_run_shows_these_symptoms_and_no_other(case):
    row, expected = CASES[case]
    assert found(row) == expected


def test_every_symptom_is_among_the_hand_made_runs():
    seen = set().union(*(expected for _, expected in CASES.values()))
    assert seen == set(symptoms.SYMPTOMS)


def test_runs_are_judged_each_for_itself():
    # Of different depth and length, in one frame: padding must not leak.
    deep = {
        name: [np.append(np.zeros(9), v).astype(np.float32) for v in value]
        for name, value in run().items()
        if isinstance(value, list) and np.ndim(value[0]) == 1
    }
    rows = [row for row, _ in CASES.values()] + [run(**deep)]
    together = judge(*rows)
    alone = pd.concat([judge(row) for row in rows], ignore_index=True)
    pd.testing.assert_frame_equal(together, alone)


def test_columns_are_the_symptoms_and_rows_keep_their_index():
    frame = pd.DataFrame([run(), run()], index=["b", "a"])
    judged = symptoms.judge(frame)
    assert list(judged) == list(symptoms.SYMPTOMS)
    assert list(judged.index) == ["b", "a"]
    assert set(map(str, judged.dtypes)) == {"boolean"}


def test_no_runs_have_no_symptoms():
    judged = symptoms.judge(pd.DataFrame([run()]).iloc[:0])
    assert list(judged) == list(symptoms.SYMPTOMS)
    assert len(judged) == 0


@pytest.mark.parametrize("until", [0, -0.1, 1.5])
def test_until_is_a_share(until):
    with pytest.raises(
        ValueError, match=rf"^`until` must be above 0 and at most 1; got {until}\.$"
    ):
        judge(run(), until=until)


def test_until_sees_nothing_later():
    late = run(
        history_loss=[0.7, 0.69, 0.5, 0.2, *[np.nan] * 3],
        history_dead_fraction=[*layers(0, 0, 0)[:4], *layers(1, 1, 0)[:3]],
    )
    assert found(late, until=0.1) == {"healthy"}
    assert "dead_layer" in found(late, until=0.4)


@pytest.mark.parametrize(
    ("batch_size", "steps", "seen"),
    [
        (None, 500, True),
        (None, 501, False),
        (60, 2000, True),
        (60, 2001, False),
        ("full", 500, True),
    ],
)
def test_a_run_has_diverged_when_its_updates_say_so(batch_size, steps, seen):
    # 200 samples in batches of 60 are four updates an epoch, of which half of 1000 are 2000.
    row = run(outcome="diverged", steps=steps, batch_size=batch_size)
    assert ("diverged" in found(row, until=0.5)) is seen


PROBES = ("output_spread", "dead_fraction", "saturated_fraction", "grad_norm", "weight_norm")


@pytest.mark.parametrize("probe", [*PROBES, "update_ratio"])
@pytest.mark.parametrize("absent", ["null", "no column"])
def test_what_was_not_recorded_cannot_be_told(probe, absent):
    row = run(**{f"history_{probe}": None})
    if absent == "no column":
        del row[f"history_{probe}"]
    [judged] = judge(row).to_dict("records")
    unknown = {name for name, value in judged.items() if pd.isna(value)}
    needing = {name for name, s in symptoms.SYMPTOMS.items() if probe in s.reads}
    assert needing
    assert unknown == needing | {"healthy"}


def test_a_failure_that_is_seen_decides_though_others_cannot_be_told():
    bare = {name: None for name in run() if name.startswith("history_")}
    row = run(**bare) | {"history_epoch": EPOCHS, "history_loss": BOUNCING}
    [judged] = judge(row).to_dict("records")
    assert judged["oscillating"] is True
    assert judged["healthy"] is False
    assert symptoms.dominant(judge(row)).tolist() == ["oscillating"]


def test_a_training_of_no_epochs_shows_what_one_moment_can_show():
    ends = {name: value[:1] for name, value in run().items() if isinstance(value, list)}
    row = plateau(epochs=0, steps=0)
    row |= {name: row[name][:1] for name in ends} | {"history_loss": [LN2]}
    [judged] = judge(row).to_dict("records")
    assert judged["dead_layer"] is False
    assert pd.isna(judged["stuck_at_prior"])
    assert pd.isna(judged["slow"])


def test_without_a_loss_of_guessing_nothing_is_said_that_needs_it():
    [judged] = judge(run(prior_loss=None)).to_dict("records")
    relative = {name for name, symptom in symptoms.SYMPTOMS.items() if symptom.relative}
    assert {name for name, value in judged.items() if pd.isna(value)} == {*relative, "healthy"}


def scaled(row, factor):
    """The same run with its losses in another unit."""
    keys = ("history_loss", "history_grad_norm")
    changed = {key: [v * factor for v in row[key]] for key in keys}
    return row | changed | {"prior_loss": row["prior_loss"] * factor}


@pytest.mark.parametrize("case", CASES)
def test_the_sum_over_samples_is_judged_as_the_mean(case):
    row, expected = CASES[case]
    assert found(scaled(row, 200) | {"reduction": "sum"}) == expected


def test_a_regression_is_stuck_whatever_the_unit_of_its_target():
    for unit in (1e-3, 1.0, 1e3):
        row = scaled(plateau(loss="squared_error", classes=0), unit**2 / 2 / LN2)
        row["history_output_spread"] = [0.002 * unit] * 7
        assert found(row) == STUCK
        row["history_output_spread"] = [0.004 * unit] * 7
        assert found(row) == {"not_learning"}


def test_a_dead_layer_is_named_before_the_plateau_it_explains():
    rows = [CASES[case][0] for case in ("dead layer", "plateau", "healthy", "dead units")]
    named = symptoms.dominant(judge(*rows)).tolist()
    assert named == ["dead_layer", "stuck_at_prior", "healthy", "healthy"]


def test_the_table_can_be_read_aloud():
    experiments = {path.stem for path in (ROOT / "conf" / "experiment").glob("*.yaml")}
    for name, symptom in symptoms.SYMPTOMS.items():
        assert name == symptom.name
        assert symptom.experiment in experiments
        assert symptom.what.endswith(".")
        assert symptom.threshold.endswith(".")
        words = symptom.phrase.split()
        assert words[0] in ("are", "have", "had", "diverged", "oscillate")
    with pytest.raises(TypeError):
        symptoms.SYMPTOMS["new"] = symptom


# The rules again, from their sentences, a run at a time in plain Python.


def prior_times(row):
    return [loss / row["prior_loss"] for loss in row["loss"]]


def target_deviation(row):
    if row["classes"] == 0 or row["loss_name"] == "squared_error":
        m = row["samples"] if row["reduction"] == "sum" else 1
        return math.sqrt(2 * row["prior_loss"] / (row["n_out"] * m))
    share = 1 / max(row["n_out"], 2)
    return math.sqrt(share * (1 - share))


def cut(stored, until):
    """Take the lists of a stored run apart up to a moment."""
    n = sum(epoch <= until * stored["epochs"] for epoch in stored["history_epoch"])
    row = {key: value for key, value in stored.items() if not key.startswith("history_")}
    row["loss_name"] = stored["loss"]
    for key, value in stored.items():
        if key.startswith("history_") and value is not None:
            row[key.removeprefix("history_")] = list(value)[:n]
    half = row["epoch"][-1] / 2
    row["half"] = max(k for k, epoch in enumerate(row["epoch"]) if epoch <= half)
    batch = row["batch_size"] if row["batch_size"] == row["batch_size"] else row["samples"]
    row["updates"] = row["epochs"] * math.ceil(row["samples"] / (batch or row["samples"]))
    row["ended"] = row["outcome"] == "diverged" and row["steps"] <= until * row["updates"]
    return row


def oracle_dead_layer(row, until):
    return any(share == 1 for share in row["dead_fraction"][-1])


def oracle_dead_units(row, until):
    return any(share >= 0.5 for share in row["dead_fraction"][-1][:-1])


def oracle_collapsed_weights(row, until):
    pairs = zip(row["weight_norm"][0], row["weight_norm"][-1], strict=True)
    return any(float(now) <= float(start) / 10 for start, now in pairs if start > 0)


def e_folding(row):
    floor = {"float64": 1e-12, "float32": 1e-5}[row["dtype"]] * target_deviation(row)
    now, before = row["output_spread"][-1] + floor, row["output_spread"][row["half"]] + floor
    passed = row["epoch"][-1] - row["epoch"][row["half"]]
    growth = math.log(now / before) / passed
    return 1 / growth / row["epochs"] if growth > 0 else math.inf


def oracle_at_prior(row):
    near = abs(prior_times(row)[-1] - 1) < 0.02
    return near and row["output_spread"][-1] < 0.003 * target_deviation(row)


def oracle_stuck_at_prior(row, until):
    if not oracle_at_prior(row):
        return False
    floor = {"float64": 1e-12, "float32": 1e-5}[row["dtype"]]
    share = row["output_spread"][-1] / target_deviation(row) + floor
    fastest = max((float(r) for r in row["update_ratio"][-1] if r == r), default=0.0)
    still = math.inf if fastest == 0 else 1 / (fastest * row["updates"])
    return math.log(1 / share) * e_folding(row) >= 100 or still >= 100


def high(row):
    return not prior_times(row)[-1] <= 0.5


def oracle_saturated(row, until):
    return high(row) and any(share >= 0.5 for share in row["saturated_fraction"][-1][:-1])


def products(row, layers):
    pairs = zip(row["weight_norm"], row["grad_norm"], strict=True)
    return [float(w[k]) * float(g[k]) / row["prior_loss"] for w, g in pairs for k in layers(w)]


def oracle_exploding_gradient(row, until):
    return high(row) and any(not p < 100 for p in products(row, lambda w: range(len(w))))


def oracle_vanishing_gradient(row, until):
    if not high(row) or oracle_dead_layer(row, until):
        return False
    fastest = max((float(r[0]) for r in row["update_ratio"] if r[0] == r[0]), default=-math.inf)
    tiny = all(not p >= 0.03 for p in products(row, lambda w: [0]))
    return tiny and fastest * row["updates"] <= 1 / 100


def oracle_oscillating(row, until):
    late = prior_times(row)[row["half"] :]
    return any(after - before >= 0.2 for before, after in pairwise(late))


def oracle_slow(row, until):
    if oracle_at_prior(row) and e_folding(row) < 0.5:
        return True
    lowest = np.minimum.accumulate(prior_times(row))
    climbed = sum(max(b - a, 0) for a, b in pairwise(prior_times(row)[row["half"] :]))
    slopes = []
    for since in (row["half"], max(len(lowest) - 3, 0)):
        time = math.log(row["epoch"][-1] / max(row["epoch"][since], 1))
        slopes.append((lowest[since] - lowest[-1]) / time)
    fall = min(min(slopes) * math.log(10), lowest[-1] - min(slopes) * math.log(1 / until))
    return lowest[-1] > 0.5 and climbed < 0.05 and fall >= 0.2


def oracle_not_learning(row, until):
    return prior_times(row)[-1] >= 0.9


ORACLES = {
    name.removeprefix("oracle_"): function
    for name, function in list(globals().items())
    if name.startswith("oracle_") and name != "oracle_at_prior"
}

SWEEP = (
    "-m data=moons,spirals,digits data.samples=60 activation=relu,tanh depth=1,5 width=4 "
    "init_scale=0.01,1,6 lr=0.003,0.3,8 weight_decay=0,0.3 batch_size=full,25 epochs=60 "
    "replicates=1 report=false jobs=1 dtype=float32,float64 zip=[batch_size,dtype]"
)


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Runs of many settings, most of which fail in one way or another."""
    import shlex
    import sys
    from unittest.mock import patch

    import train as entry
    from sweeps import engine

    folder = tmp_path_factory.mktemp("symptoms") / "store"
    arguments = ["train.py", *shlex.split(SWEEP), f"store={folder}"]
    with patch.object(sys, "argv", arguments), patch.object(engine, "DONE", []):
        assert entry.main() == 0
    return records.runs(folder, columns=symptoms.NEEDED)


@pytest.mark.parametrize("until", [0.2, 1.0])
def test_rules_agree_with_plain_loops_on_trained_networks(stored, until):
    judged = symptoms.judge(stored, until)
    rows = [cut(row, until) for row in stored.to_dict("records")]
    assert judged["diverged"].tolist() == [row["ended"] for row in rows]
    for name, oracle in ORACLES.items():
        expected = [
            (not row["ended"] or name == "exploding_gradient") and bool(oracle(row, until))
            for row in rows
        ]
        assert judged[name].tolist() == expected, name
        assert any(expected) or until < 1, f"no run shows {name}: the test would not notice"


def test_frames_of_arrow_are_judged_the_same(stored):
    arrow = stored.convert_dtypes(dtype_backend="pyarrow")
    pd.testing.assert_frame_equal(symptoms.judge(arrow), symptoms.judge(stored))


def test_layers_are_counted_in_the_lists(stored):
    depth = stored["history_grad_norm"].map(lambda lists: len(lists[0]) - 1)
    assert Traces(stored).depth.tolist() == depth.tolist()


def hidden_layers(params, X):
    """Activations of all hidden layers of a ReLU network."""
    a, out = X, []
    for k in range(1, len(params) // 2):
        a = np.maximum(params[f"W{k}"] @ a + params[f"b{k}"][:, None], 0)
        out.append(a)
    return out


def test_a_layer_is_dead_where_its_final_weights_say_so():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2, 40))
    data = Data.of(X, (X[:1] > 0).astype(float))
    spec = StackSpec(sizes=(2, 3, 3, 3, 3, 1), activation="relu", epochs=50, record=(0, 20, 50))
    results = train(spec, [RunSpec(replicate=r, lr=1.0) for r in range(40)], data)
    rows = []
    for result in results:
        history = {f"history_{name}": list(values) for name, values in result.history.items()}
        row = run(epochs=50, samples=40, outcome=str(result.outcome), steps=result.steps)
        rows.append(row | history)
    dead = [
        any((layer == 0).all() for layer in hidden_layers(result.params, X)) for result in results
    ]
    assert 5 < sum(dead) < 35
    assert judge(*rows)["dead_layer"].tolist() == dead


@pytest.mark.campaign
@pytest.mark.parametrize(
    ("experiment", "failure", "where"),
    [
        ("dead_relu", "dead_layer", {"activation": "relu", "depth": 12, "lr": 1.0}),
        ("stuck_at_ln2", "stuck_at_prior", {"init_scale": 0.01, "depth": 4, "lr": 0.1}),
    ],
)
def test_the_experiments_named_for_a_failure_show_it_most(train, experiment, failure, where):
    done = train(f"experiment={experiment} replicates=4 report=false jobs=1")
    assert done.status == 0
    columns = [*symptoms.NEEDED, *where]
    frame = records.runs("store", experiment, list(dict.fromkeys(columns)))
    named = symptoms.dominant(symptoms.judge(frame))
    failures = named[named != "healthy"].value_counts()
    assert failures.index[0] == failure
    cell = np.logical_and.reduce([frame[axis] == value for axis, value in where.items()])
    assert named[cell].tolist() == [failure] * int(cell.sum())
