"""What a report is about: the frame of a sweep, of several, of a store, of what a filter leaves."""

import shlex
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.frames import Study, is_numeric, text
from analysis.loading import load
from analysis.symptoms.traces import Traces
from sweeps import records


def made(axes, replicates=10, symptom="healthy", loss=0.1, seed=0, only=lambda cell: True, **more):
    """A study without training: every combination of the axes, every replicate.

    `symptom`, `loss` and `more` are values, or functions of the settings and the replicate.
    """
    rows, number = [], 0
    for values in product(*axes.values()):
        at = dict(zip(axes, values, strict=True))
        if not only(at):
            continue
        rows += [at | {"cell": number, "replicate": r} for r in range(replicates)]
        number += 1
    frame = pd.DataFrame(
        {key: pd.Series([row[key] for row in rows], dtype=object) for key in rows[0]}
    )
    numbers = [key for key in frame if key not in axes or is_numeric("", axes[key])]
    frame = frame.astype({key: float if key in axes else int for key in numbers})
    given = {"symptom": symptom, "final_loss": loss, "prior_loss": np.log(2), "seed": seed}
    given |= {"loss": "binary_cross_entropy", "reduction": "mean", "data": "moons"} | more
    for name, value in given.items():
        if name not in axes:
            frame[name] = [value(r) if callable(value) else value for r in rows]
    if "outcome" not in frame:
        frame["outcome"] = np.where(np.isfinite(frame["final_loss"]), "finished", "diverged")
    frame["unit"] = frame.groupby(["seed", "replicate"]).ngroup()
    traces = {
        "epochs": 10,
        "outcome": frame["outcome"],
        "history_epoch": [[0, 10]] * len(frame),
        "history_loss": [[0.7, value] for value in frame["final_loss"]],
        "batch_size": np.nan,
        "samples": 10,
        "steps": 10,
    }
    traces = pd.DataFrame({k: frame.get(k, v) for k, v in traces.items()}, index=frame.index)
    overrides = [[] for _ in range(number)]
    return Study("made", frame, axes, overrides, [], Traces(traces), Path("store"))


def trained(store, *lines):
    """Train sweeps in this process, without reports."""
    import train as entry
    from sweeps import engine

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HYDRA_FULL_ERROR", "1")
        for line in lines:
            patch.setattr(engine, "DONE", [])
            patch.setattr(
                sys, "argv", ["train.py", *shlex.split(line), f"store={store}", "report=false"]
            )
            assert entry.main() == 0
    return store


SMALL = "data=xor epochs=2 replicates=2"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("frames")
    return trained(
        folder / "store",
        f"-m activation=relu,tanh depth=1,3 {SMALL} name=wide",
        f"-m width=4,[5,3] batch_size=full,2 depth=2 {SMALL} name=lists",
        f"-m bias=true,false lr_factor=[1,1,1],[1,0.5,1] {SMALL} name=mixed",
        "-m seed=0,1 data=moons data.noise=0.1,0.3 epochs=2 replicates=7 name=seeds",
        f"depth=0 {SMALL} name=flat",
    )


def test_a_frame_has_a_row_a_run_with_the_axes_as_they_were_typed(store):
    study = load(store, ["lists"])
    assert study.axes == {"width": [4, (5, 3)], "batch_size": ["full", 2]}
    expected = records.runs(store, "lists")
    assert sorted(study.frame["run"]) == sorted(expected["run"])
    assert list(study.frame.index) == list(range(len(expected)))
    for run, width, batch in zip(
        expected["run"], expected["width"], expected["batch_size"], strict=True
    ):
        row = study.frame[study.frame["run"] == run].iloc[0]
        assert (row["width"], row["batch_size"]) == (width, batch)
    assert study.missing == 0


def test_symptoms_are_those_that_are_judged(store):
    from analysis.symptoms import NEEDED, dominant, judge

    study = load(store, ["wide"])
    judged = judge(records.runs(store, "wide", ("run", *NEEDED)))
    expected = dict(zip(records.runs(store, "wide")["run"], dominant(judged), strict=True))
    assert dict(zip(study.frame["run"], study.frame["symptom"], strict=True)) == expected


def test_runs_with_the_same_random_numbers_are_one_unit(store):
    study = load(store, ["seeds"])
    pairs = study.frame.groupby("unit")[["seed", "replicate"]].nunique()
    assert (pairs == 1).all(axis=None)
    assert study.frame["unit"].nunique() == 14
    assert study.frame["cell"].nunique() == 4


def test_two_sweeps_are_laid_side_by_side_with_the_values_of_each_others_axes(store):
    study = load(store, ["wide", "lists"])
    assert study.axes == {
        "sweep": ["wide", "lists"],
        "activation": ["relu", "tanh"],
        "depth": [1, 2, 3],
        "width": [10, 4, (5, 3)],
        "batch_size": ["full", 2],
    }
    assert study.numeric == ["depth"]  # so a map can run along it
    assert study.name == "wide+lists"
    by_sweep = study.frame.groupby("sweep")
    assert set(by_sweep.get_group("lists")["depth"]) == {2}
    assert set(by_sweep.get_group("wide")["batch_size"]) == {"full"}


def test_every_axis_of_two_sweeps_whose_numbers_have_an_order_is_numeric(store):
    study = load(store, ["wide", "flat"])
    assert study.axes["depth"] == [0, 1, 3]
    assert "depth" in study.numeric
    assert {type(value) for value in study.axes["depth"]} == {int}


def test_truth_values_of_records_and_of_axes_are_the_same_level(store):
    study = load(store, ["mixed", "wide"])
    assert study.axes["bias"] == [True, False]
    assert [text(value) for value in study.axes["bias"]] == ["true", "false"]
    assert study.axes["lr_factor"][:2] == [(1, 1, 1), (1, 0.5, 1)]


def test_a_sweep_named_twice_is_one(store):
    assert load(store, ["wide", "wide"]).axes == load(store, ["wide"]).axes


def test_a_store_has_every_setting_that_differs_for_an_axis(store):
    study = load(store)
    runs = records.runs(store)
    assert sorted(study.frame["run"]) == sorted(runs["run"])
    assert {*study.axes} == {
        *("activation", "depth", "width", "batch_size", "bias", "lr_factor", "seed", "data"),
        *("init", "samples", "data_digest"),  # moons with two amounts of noise
    }
    assert study.axes["batch_size"] == ["full", 2]
    assert {4, 10, (5, 3), None} == set(study.axes["width"])


def test_cells_of_a_store_are_told_apart_by_their_data_too(store):
    # The name is moons at both amounts of noise, and no column of a run has the noise.
    study = load(store)
    noises = {}
    for cell, rows in study.frame[study.frame["data"] == "moons"].groupby("cell"):
        [digest] = rows["data_digest"].unique()
        [noise] = [o for o in study.overrides[cell] if o.startswith("data.noise")]
        noises.setdefault(digest, set()).add(noise)
    assert sorted(map(sorted, noises.values())) == [["data.noise=0.1"], ["data.noise=0.3"]]


@pytest.mark.parametrize("name", ["wide", "lists", "mixed", "seeds", None])
def test_a_condition_that_all_fulfill_changes_nothing(store, name):
    study = load(store, [name] if name else [])
    kept = study.where("true", lambda at: True, [])
    pd.testing.assert_frame_equal(kept.frame, study.frame)
    assert kept.axes == study.axes
    assert kept.overrides == study.overrides


def test_a_condition_keeps_runs_and_numbers_their_cells_and_units_anew(store):
    study = load(store, ["seeds"])
    kept = study.where(
        "...", lambda at: at["replicate"] > 4 and at["seed"] == 1, ["replicate", "seed"]
    )
    frame = study.frame
    expected = frame[(frame["replicate"] > 4) & (frame["seed"] == 1)]
    assert list(kept.frame["run"]) == list(expected["run"])
    assert kept.axes == {"data.noise": [0.1, 0.3]}
    assert sorted(set(kept.frame["cell"])) == [0, 1]
    assert sorted(set(kept.frame["unit"])) == [0, 1]
    assert [kept.overrides[c] for c in kept.frame["cell"]] == [
        study.overrides[c] for c in expected["cell"]
    ]
    assert list(kept.traces.frame["run"]) == list(expected["run"])


def test_levels_that_are_null_outlive_a_condition():
    axes = {"data.path": [None, "a.csv", "b.csv"], "lr": [0.1, 1.0]}
    study = made(axes, replicates=1)
    assert study.where("...", lambda at: at["data.path"] != "a.csv", ["data.path"]).axes == {
        "data.path": [None, "b.csv"],
        "lr": [0.1, 1.0],
    }


def test_a_condition_that_none_fulfills_says_so(store):
    with pytest.raises(ValueError, match="must keep") as raised:
        load(store, ["wide"]).where("lr>100", lambda at: at["lr"] > 100, ["lr"])
    assert str(raised.value) == (
        "`--where` must keep at least one run; got lr>100, which none of 8 fulfills."
    )


def test_no_runs_at_all_say_what_to_do(tmp_path, store):
    with pytest.raises(ValueError, match="has none yet") as raised:
        load(tmp_path)
    assert str(raised.value) == (
        f"A report must have runs; {tmp_path} has none yet. "
        "Train some first: python train.py -m activation=relu,tanh"
    )
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "parts").mkdir()
    manifest = store / "sweeps" / "wide.parquet"
    (tmp_path / "sweeps" / "wide.parquet").write_bytes(manifest.read_bytes())
    with pytest.raises(ValueError, match="none is stored") as raised:
        load(tmp_path, ["wide"])
    assert str(raised.value) == (
        "A report must have runs; of wide none is stored yet. "
        "Give the command that trains it again."
    )


def test_runs_that_are_not_stored_yet_are_counted(tmp_path, store):
    trained(tmp_path, f"-m activation=relu depth=1,3 {SMALL}")
    manifest = store / "sweeps" / "wide.parquet"
    (tmp_path / "sweeps" / "wide.parquet").write_bytes(manifest.read_bytes())
    study = load(tmp_path, ["wide"])
    assert (len(study.frame), study.missing) == (4, 4)
    assert study.axes == {"depth": [1, 3]}


@pytest.mark.parametrize(
    ("value", "written"),
    [
        *[
            (0.1, "0.1"),
            (1e-5, "1e-05"),
            (3, "3"),
            ("relu", "relu"),
            (None, "null"),
            (True, "true"),
        ],
        *[(float("nan"), "null"), ((5, 3), "[5, 3]"), ((), "[]"), (("a@2", "b"), "[a@2, b]")],
    ],
)
def test_values_are_written_as_one_types_them(value, written):
    assert text(value) == written


@pytest.mark.parametrize(
    ("axis", "values", "expected"),
    [
        *[("lr", [0.1, 1], True), ("depth", [1, 2], True), ("bias", [True, False], False)],
        *[("seed", [0, 1], False), ("data.seed", [0, 1], False), ("width", [4, (5, 3)], False)],
        *[("batch_size", ["full", 2], False), ("width", [4, 5], True)],
    ],
)
def test_quantities_are_told_from_names(axis, values, expected):
    assert is_numeric(axis, values) is expected


def test_the_prior_is_one_number_or_none(store):
    assert load(store, ["wide"]).prior == pytest.approx(np.log(2))
    assert made({"lr": [0.1, 1]}, prior_loss=lambda at: at["lr"]).prior is None
