"""The rules' error rates: counted by hand, on a small population, and as they stand in docs."""

import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis import symptoms
from analysis.population import __main__ as command
from analysis.population import figures, page, rates, truths
from analysis.population.truths import TRUTHS
from analysis.population.twins import Twins, twins
from analysis.symptoms import measures
from analysis.symptoms.traces import Traces
from sweeps import records

ROOT = Path(__file__).resolve().parents[1]
LN2 = math.log(2)

SMALL = (
    "experiment=population data=moons,circles seed=0,1 data.seed=0,1 activation=relu,tanh "
    "depth=1,6 width=6,3 optimizer=sgd,sgd weight_decay=0,0.3 batch_size=full,50 "
    "init_scale=0.01,1,8 lr=0.03,3 jobs=1 "
)


def run(line, folder):
    import shlex
    import sys
    from unittest.mock import patch

    import train as entry
    from sweeps import engine

    arguments = ["train.py", *shlex.split(f"{line} store={folder}")]
    with patch.object(sys, "argv", arguments), patch.object(engine, "DONE", []):
        assert entry.main() == 0


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("population") / "store"
    run(SMALL + "epochs=20", folder)
    run(SMALL + "epochs=200 record=every:5 name=population_long", folder)
    return folder


@pytest.fixture(scope="module")
def pairs(store):
    return list(twins(store))


def test_twins_are_the_same_runs_ten_times_as_long(pairs):
    assert [(pair.data, pair.choosing) for pair in pairs] == [("circles", False), ("moons", True)]
    for pair in pairs:
        assert len(pair.short.frame) == len(pair.long.frame) == 48
        assert set(pair.short.column("epochs")) == {20}
        assert set(pair.long.column("epochs")) == {200}
        same = ~pair.short.diverged & pair.finished
        start, twin = (traces.curve("loss")[same, 0] for traces in (pair.short, pair.long))
        np.testing.assert_array_equal(start, twin)
        # What follows begins with the run's own end.
        np.testing.assert_allclose(
            pair.loss[same, 4] * LN2, pair.short.now("loss")[same], rtol=1e-9
        )
        assert np.isnan(pair.loss[:, :4]).all()


FEW = (
    "experiment=population data=moons seed=0 data.seed=0 activation=relu,tanh depth=1 width=6 "
    "optimizer=sgd weight_decay=0 batch_size=full init_scale=1 lr=0.03 jobs=1 "
)


def test_a_population_without_its_twin_is_refused(tmp_path):
    run(FEW + "epochs=20", tmp_path / "s")
    with pytest.raises(ValueError, match=r"^`sweep` must be one of .*; got population_long\."):
        list(twins(tmp_path / "s"))


def test_a_twin_that_went_another_way_is_refused(tmp_path):
    run(FEW + "epochs=20", tmp_path / "s")
    run(FEW + "epochs=200 record=every:5 bias=false name=population_long", tmp_path / "s")
    message = (
        "`population_long` must go on where `population` ends; on moons their losses differ there. "
        "Train both with the same settings, and record a multiple of the epochs."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        list(twins(tmp_path / "s"))


def test_what_is_true_reads_no_rule(pairs, monkeypatch):
    def forbidden(traces):
        raise AssertionError

    before = {name: truth.of(pairs[0]) for name, truth in TRUTHS.items()}
    rules = {s.measure for s in symptoms.SYMPTOMS.values() if s.measure and not s.is_definition}
    for name, function in list(vars(truths).items()):
        if any(function is rule for rule in rules):
            monkeypatch.setattr(truths, name, forbidden)
    for rule in rules:
        monkeypatch.setattr(measures, rule.__name__, forbidden)
    for name, truth in TRUTHS.items():
        np.testing.assert_array_equal(truth.of(pairs[0]), before[name])


def test_there_is_a_truth_for_every_symptom_in_its_place():
    assert list(TRUTHS) == list(symptoms.SYMPTOMS)


def test_verdicts_have_a_row_for_every_run_rule_and_moment(pairs):
    table = rates.verdicts(pairs)
    counts = table.groupby(["data", "symptom", "moment"]).size()
    assert set(counts) == {48}
    assert len(counts) == 2 * len(TRUTHS) * len(rates.MOMENTS)
    judged = symptoms.judge(pairs[1].short.frame, 0.5)
    rows = table[(table["data"] == "moons") & (table["moment"] == 0.5)]
    for name in judged:
        said = rows[rows["symptom"] == name]["says"]
        assert said.tolist() == judged[name].tolist()


def test_errors_are_counted_as_by_hand():
    says = [True, True, False, False, True, None, False, True]
    true = [True, False, True, False, True, True, False, False]
    data = ["a", "a", "a", "a", "b", "b", "b", "b"]
    table = pd.DataFrame(
        {"says": pd.array(says, "boolean"), "true": true, "data": data, "symptom": "slow"}
    ).assign(moment=1.0)
    counted = rates.error_rates(table).set_index(["symptom", "moment"]).loc[("slow", 1.0)]
    # Without it: runs 2, 4 of a, 7, 8 of b; the rule says it of 2 and 8. With it: 1, 3, 5; it is
    # silent on 3. The sixth cannot be told.
    assert (counted["without"], counted["having"]) == (4, 3)
    assert (counted["false_alarms"], counted["missed"]) == (0.5, 1 / 3)
    assert counted["false_most"] == 0.5
    # Wilson's interval of 2 in 4, from the formula.
    z = 1.959963984540054
    half = z / (1 + z * z / 4) * math.sqrt(0.25 / 4 + z * z / 64)
    assert counted["false_low"] == pytest.approx(0.5 - half)
    assert counted["false_high"] == pytest.approx(0.5 + half)
    assert counted["limit"] == symptoms.SYMPTOMS["slow"].limit


def test_other_limits_make_the_errors_of_rules_with_these_limits(pairs):
    table = rates.choices(pairs, [1.0]).set_index(["symptom", "limit"])
    counted = rates.error_rates(rates.verdicts(pairs)).set_index(["symptom", "moment"])
    for name, symptom in symptoms.SYMPTOMS.items():
        if symptom.measure is not None:
            at_limit = table.loc[(name, symptom.limit)]
            for column in ("false_alarms", "missed"):
                assert at_limit[column] == pytest.approx(
                    counted.loc[(name, 1.0)][column], nan_ok=True
                )


EPOCHS, TWIN_EPOCHS = [0, 5, 10, 20], list(range(0, 201, 5))


def traced(epochs, loss, **changes):
    """A run of one hidden layer whose loss follows a function of the epoch."""
    K = len(epochs)
    row = {
        "outcome": "finished",
        "steps": epochs[-1],
        "epochs": epochs[-1],
        "samples": 50,
        "batch_size": None,
        "loss": "binary_cross_entropy",
        "classes": 2,
        "dtype": "float64",
        "reduction": "mean",
        "n_out": 1,
        "prior_loss": LN2,
        "history_epoch": epochs,
        "history_loss": [LN2 * loss(epoch) for epoch in epochs],
        "history_output_spread": [0.3] * K,
    }
    for name, values in {
        "act_mean": [0.1, 0.5],
        "act_spread": [0.1, 0.2],
        "dead_fraction": [0, 0],
        "saturated_fraction": [0.1, 0.1],
        "grad_norm": [1, 1],
        "weight_norm": [1, 1],
        "update_ratio": [0.01, 0.01],
    }.items():
        row[f"history_{name}"] = [np.array(values, np.float32)] * K
    return row | changes


def made(loss, short=None, **changes):
    frames = [
        pd.DataFrame([traced(EPOCHS, loss, **(short or {}))]),
        pd.DataFrame([traced(TWIN_EPOCHS, loss, **changes)]),
    ]
    return Twins("made", False, *map(Traces, frames))


def by_layer(*values):
    return [np.array(values, np.float32)] * len(TWIN_EPOCHS)


def falling(epoch):
    return 0.9 / (1 + epoch)


CASES = {
    "learns": (made(falling), {"healthy"}),
    "diverged later": (
        made(falling, outcome="diverged", steps=100),
        {"diverged", "exploding_gradient"},
    ),
    "layer silent at the end": (
        made(lambda epoch: 1, history_act_mean=by_layer(0, 0.5), history_act_spread=by_layer(0, 0)),
        {"dead_layer", "not_learning"},
    ),
    "half of the units silent": (
        made(falling, history_dead_fraction=by_layer(0.5, 0)),
        {"dead_units", "healthy"},
    ),
    "weights gone": (
        made(falling, history_weight_norm=[*by_layer(1, 1)[1:], np.array([1, 0.009], np.float32)]),
        {"collapsed_weights"},
    ),
    "constant for good": (
        made(lambda epoch: 1, history_output_spread=[1e-3] * len(TWIN_EPOCHS)),
        {"stuck_at_prior", "not_learning"},
    ),
    "leaves the plateau late": (
        made(
            lambda epoch: 1 if epoch < 150 else 0.6,
            history_output_spread=[1e-3] * len(TWIN_EPOCHS),
        ),
        {"not_learning", "slow"},
    ),
    "flat at the end": (
        made(lambda epoch: 0.8, history_saturated_fraction=by_layer(0.5, 0)),
        {"saturated"},
    ),
    "thrown up once": (
        made(lambda epoch: 10 if epoch == 5 else 0.8),
        {"exploding_gradient"},
    ),
    "thrown up and recovered": (made(lambda epoch: 10 if epoch == 5 else 0.2), {"healthy"}),
    "first layer stands still": (
        # 200 epochs of 4.9e-4 are 0.098 of the norm.
        made(lambda epoch: 0.8, history_update_ratio=by_layer(4.9e-4, 0.1)),
        {"vanishing_gradient"},
    ),
    "first layer moves": (
        made(lambda epoch: 0.8, history_update_ratio=by_layer(5.1e-4, 0.1)),
        {"healthy"},
    ),
    "up and down": (
        made(lambda epoch: 0.2 + 0.05 * (epoch // 5 % 2) + 1e-9 * (epoch // 5 % 2)),
        {"oscillating"},
    ),
    "less up and down": (made(lambda epoch: 0.2 + 0.049 * (epoch // 5 % 2)), {"healthy"}),
    "goes on falling": (made(lambda epoch: 0.8 - epoch * 0.001), {"slow"}),
    "no better at the end of the run": (
        made(lambda epoch: 0.95 if epoch <= 20 else 0.93),
        {"not_learning"},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_these_are_true_of_a_hand_made_pair_and_no_other(case):
    pair, expected = CASES[case]
    assert {name for name, truth in TRUTHS.items() if truth.of(pair)[0]} == expected


def test_every_truth_is_among_the_hand_made_pairs():
    assert set().union(*(expected for _, expected in CASES.values())) == set(TRUTHS)


def test_measuring_writes_the_rates_of_the_half_that_thresholds_never_saw(
    store, pairs, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(page, "ERROR_RATES", tmp_path / "rates.csv")
    assert command.main(["measure", "--store", str(store)]) == 0
    table = pd.read_csv(tmp_path / "rates.csv")
    assert set(table["data"]) == {"circles"}
    assert set(table["runs"]) == {96}
    assert set(table["without"] + table["having"]) == {48}
    assert "Written: " in capsys.readouterr().out
    text = page.page()
    assert "trains 96 runs of 500 epochs" in text
    assert "the table is of 48\nruns on four others (circles)" in text


def test_choosing_looks_at_the_other_half(store, pairs, capsys):
    assert command.main(["choose", "--store", str(store)]) == 0
    [line] = re.findall(r"^ *stuck_at_prior +100\.0+ +100 % +(.*)$", capsys.readouterr().out, re.M)
    table = rates.choices([pair for pair in pairs if pair.data == "moons"], [1.0])
    row = table[(table["symptom"] == "stuck_at_prior") & (table["limit"] == 100)].iloc[0]
    expected = [100 * row["false_alarms"], 100 * row["missed"]]
    assert [float(number) for number in line.split()] == pytest.approx(expected, abs=0.005)


def test_a_store_that_is_none_is_refused(tmp_path, capsys):
    assert command.main(["measure", "--store", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("`sweep` must be one of those in ")


def test_the_page_is_what_table_and_rates_say_today():
    text = (ROOT / "docs" / "failure-modes.md").read_text(encoding="utf-8")
    assert text == page.page(), "run python -m analysis.population page > docs/failure-modes.md"


def test_the_stored_rates_are_of_the_limits_of_today():
    table = pd.read_csv(page.ERROR_RATES)
    stored = table.groupby("symptom")["limit"].unique().map(list).to_dict()
    assert stored == {name: [s.limit] for name, s in symptoms.SYMPTOMS.items()}
    assert sorted(set(table["moment"])) == list(rates.MOMENTS)


@pytest.fixture(scope="module")
def experiment():
    import yaml

    path = ROOT / "conf" / "experiment" / "population.yaml"
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    axes = {k: str(v).split(",") for k, v in config["hydra"]["sweeper"]["params"].items()}
    return config, axes


def test_the_population_of_the_page_is_the_one_of_the_experiment(experiment):
    config, axes = experiment
    behind = {name for group in config["zip"] for name in group[1:]}
    cells = math.prod(len(values) for name, values in axes.items() if name not in behind)
    assert set(pd.read_csv(page.ERROR_RATES)["runs"]) == {cells * config["replicates"]}
    assert config["epochs"] == 500  # as the page says


def test_thresholds_are_chosen_and_measured_on_different_data_and_seeds(experiment):
    config, axes = experiment
    assert ["data", "seed", "data.seed"] in config["zip"]
    assert len(set(axes["data"])) == len(axes["data"]) == 8
    assert axes["seed"] == axes["data.seed"] == ["0"] * 4 + ["1"] * 4


def test_every_symptom_has_its_picture():
    names = {path.stem for path in page.PICTURES.glob("*.png")}
    assert names == set(symptoms.SYMPTOMS) - {"healthy"} == set(figures.PANELS)


def test_a_picture_draws_losses_and_measurements_of_runs_with_and_without(store):
    frame = records.runs(store, "population", figures.COLUMNS)
    frame = frame[frame["data"] == "moons"].reset_index(drop=True)
    drawn = figures.draw("stuck_at_prior", frame)
    left, right = drawn.axes
    assert (left.get_ylabel(), right.get_ylabel()) == (
        "loss",
        "spread of the output,\nover the targets'",
    )
    assert left.get_xlabel() == right.get_xlabel() == "epoch"
    losses = {tuple(line.get_ydata()) for line in left.get_lines() if len(line.get_ydata()) > 2}
    stored = {tuple(loss) for loss in frame["history_loss"]}
    assert losses
    assert losses <= stored
    stuck = (symptoms.dominant(symptoms.judge(frame)) == "stuck_at_prior").sum()
    assert stuck > 0
    legend = [text.get_text() for text in drawn.legends[0].get_texts()]
    assert legend[0] == f"stuck at the prior ({stuck} of 48 runs)"


def test_a_picture_without_runs_to_show_is_refused(store):
    frame = records.runs(store, "population", figures.COLUMNS)
    healthy = frame[symptoms.judge(frame)["healthy"].fillna(False).to_numpy(bool)]
    with pytest.raises(ValueError, match="must have runs that show dead_layer and healthy ones"):
        figures.draw("dead_layer", healthy.reset_index(drop=True))
