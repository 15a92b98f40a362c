"""A command given again trains what is missing and nothing else, whoever trained before."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from bpcore import Outcome
from bpcore import train as train_core
from sweeps import engine, progress, records
from sweeps.resolve import core_data
from sweeps.schema import HISTORY_COLUMNS, SCALAR_COLUMNS

SMALL = "data=xor epochs=20"
GRID = f"-m {SMALL} replicates=3 activation=relu,tanh lr=0.1,1"
# Not part of what a run gives: how long it took, and where.
APART = ["seconds", "provenance"]


def frame_of(store):
    """Return all that a store knows of its runs, by identity, but for how long and where."""
    columns = [name for name in (*SCALAR_COLUMNS, *HISTORY_COLUMNS) if name not in APART]
    return records.runs(store, columns=columns).sort_values("run", ignore_index=True)


def count_rows(store):
    """Count stored rows, a run trained twice as two."""
    return sum(len(pd.read_parquet(part)) for part in (store / "parts").glob("*.parquet"))


def trained():
    return engine.DONE[0].trained


def without_count(out):
    """Drop the line that says how many runs were trained, and how long it took."""
    lines = out.splitlines(keepends=True)
    kept = [line for line in lines if not re.match(r"\d+ runs trained|Nothing to train", line)]
    assert len(kept) == len(lines) - 1
    return "".join(kept)


# The same, and more


def test_the_same_command_again_trains_nothing_and_prints_the_same_table(train, tmp_path):
    first = train(GRID)
    assert (first.status, first.err, trained()) == (0, "", 12)
    before = sorted(
        (path, path.stat().st_mtime_ns) for path in (tmp_path / "store/parts").iterdir()
    )
    second = train(GRID)
    assert (second.status, second.err, trained()) == (0, "", 0)
    assert without_count(second.out) == without_count(first.out)
    assert "Nothing to train; 12 were in the store." in second.out
    after = sorted((path, path.stat().st_mtime_ns) for path in (tmp_path / "store/parts").iterdir())
    assert after == before


def test_one_more_value_on_an_axis_trains_the_new_cells_only(train, tmp_path):
    train(GRID)
    old = set(records.runs(tmp_path / "store")["run"])
    train(GRID.replace("lr=0.1,1", "lr=0.1,0.5,1"))
    assert trained() == 6
    frame = records.runs(tmp_path / "store")
    assert frame.loc[~frame["run"].isin(old), "lr"].tolist() == [0.5] * 6


def test_more_replicates_train_the_new_ones_only(train, tmp_path):
    train(f"{SMALL} replicates=3")
    train(f"{SMALL} replicates=5")
    assert trained() == 2
    assert sorted(records.runs(tmp_path / "store")["replicate"]) == [0, 1, 2, 3, 4]
    train(f"{SMALL} replicates=4")
    assert trained() == 0


def test_a_single_run_and_a_sweep_share_their_runs(train):
    train(f"{SMALL} replicates=3 activation=tanh lr=1")
    train(GRID)
    assert trained() == 9


def test_spelling_out_what_is_usual_trains_nothing(train):
    train(f"-m {SMALL} replicates=2 lr=0.1,0.3")
    train(
        f"-m {SMALL} replicates=2 'lr=range(0.1,0.4,0.2)' output=sigmoid init=he_normal "
        "batch_size=4 depth=2"
    )
    assert trained() == 0


def test_an_edited_table_is_trained_again(train, tmp_path):
    table = tmp_path / "mine.csv"
    table.write_text("a,b,y\n0,0,0\n0,1,1\n1,0,1\n1,1,0\n", encoding="utf-8")
    line = "-m data=table data.path=mine.csv data.target=y epochs=5 replicates=2 lr=0.1,1"
    train(line)
    assert trained() == 4
    table.rename(tmp_path / "moved.csv")
    train(line.replace("mine", "moved"))
    assert trained() == 0
    (tmp_path / "moved.csv").write_text("a,b,y\n0,0,0\n0,1,1\n1,0,1\n1,2,0\n", encoding="utf-8")
    train(line.replace("mine", "moved"))
    assert trained() == 4


def test_a_value_given_twice_is_one_cell(train):
    ended = train(f"-m {SMALL} replicates=2 lr=0.1,0.1,1e-1,1")
    assert (ended.status, trained(), len(engine.DONE[0].sweep.cells)) == (0, 4, 2)


def test_cells_that_turn_out_to_be_one_run_are_trained_once(train, tmp_path):
    train(f"-m {SMALL} replicates=2 init=auto,he_normal momentum=0.8,0.9")
    assert (trained(), len(engine.DONE[0].sweep.cells)) == (2, 4)
    assert count_rows(tmp_path / "store") == 2
    assert len(records.runs(tmp_path / "store", engine.DONE[0].sweep.name)) == 8


def test_a_sweep_is_named_by_its_axes_and_runs_and_a_name_may_be_given(train, tmp_path):
    names = []
    for line in (GRID, GRID, GRID.replace("lr=0.1,1", "lr=1,0.1"), f"{GRID} name=mine"):
        train(line)
        names.append(engine.DONE[0].sweep.name)
    assert re.fullmatch("activation-lr-[0-9a-f]{6}", names[0])
    assert names == [names[0]] * 3 + ["mine"]
    assert sorted(records.sweeps(tmp_path / "store")) == sorted({*names})


def test_nothing_but_the_store_is_left_behind(train, tmp_path):
    for line in (f"{GRID} store=elsewhere", "experiment=smoke epochs=1 replicates=1"):
        assert train(line).status == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["elsewhere", "store"]
    for store in ("elsewhere", "store"):
        names = sorted(path.name for path in (tmp_path / store).iterdir())
        assert names == ["data", "parts", "provenance", "sweeps"]


# Workers


MANY_TASKS = (
    "-m data=moons data.samples=50 epochs=30 replicates=7 activation=relu,gelu depth=1,3 "
    "lr=0.1,100 batch_size=full,16"
)


def test_one_worker_and_two_give_the_same_to_the_bit(train, tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "ALONE_WORK", 0.0)
    assert train(f"{MANY_TASKS} jobs=1 store=one").status == 0
    assert train(f"{MANY_TASKS} jobs=2 store=two").status == 0
    assert trained() == 112
    pd.testing.assert_frame_equal(
        frame_of(tmp_path / "one"), frame_of(tmp_path / "two"), check_exact=True
    )


def test_workers_kept_from_another_directory_find_the_store(train, tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "ALONE_WORK", 0.0)
    for samples in ("50", "60"):
        (tmp_path / samples).mkdir()
        monkeypatch.chdir(tmp_path / samples)
        line = MANY_TASKS.replace("samples=50", f"samples={samples}")
        assert train(f"{line} jobs=2").status == 0
        assert trained() == 112


# Plans and progress


def test_a_plan_counts_and_trains_nothing(train, tmp_path):
    ended = train(f"{GRID} plan=true")
    assert (ended.status, ended.err) == (0, "")
    assert "  activation: relu, tanh\n  lr: 0.1, 1\n" in ended.out
    assert re.search(
        r"^4 cells, 12 runs: 0 are in the store, 12 would be trained, in \d+ stacks\.$",
        ended.out,
        re.MULTILINE,
    )
    assert "Nothing has been trained." in ended.out
    assert list(tmp_path.iterdir()) == []


def test_a_plan_knows_what_the_store_has(train, tmp_path):
    train(GRID)
    rows = count_rows(tmp_path / "store")
    more = train(f"{GRID.replace('lr=0.1,1', 'lr=0.1,1,2')} plan=true")
    assert "6 cells, 18 runs: 12 are in the store, 6 would be trained, in " in more.out
    same = train(f"{GRID} plan=true")
    assert "4 cells, 12 runs, all in the store. Nothing would be trained." in same.out
    assert count_rows(tmp_path / "store") == rows
    assert len(records.sweeps(tmp_path / "store")) == 1


def test_progress_without_a_terminal_is_a_line_now_and_then(train, monkeypatch):
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    lines = train(GRID).err.splitlines()
    *counts, last = lines
    assert re.fullmatch(r"12 runs trained in \d+\.\d s", last)
    numbers = [
        re.fullmatch(r"(\d+) of 12 runs, \d+ runs/s, \S+ s left, 0 diverged", line)[1]
        for line in counts
    ]
    assert sorted(map(int, numbers)) == list(map(int, numbers))
    assert numbers[-1] == "12"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        *[(0.04, "0.0 s"), (9.94, "9.9 s"), (10.4, "10 s"), (59.4, "59 s"), (59.6, "1 min 0 s")],
        *[(200, "3 min 20 s"), (3599, "59 min 59 s"), (3600, "1 h 0 min"), (7505, "2 h 5 min")],
    ],
)
def test_durations_are_said_in_two_units_at_most(seconds, said):
    assert progress.duration(seconds) == said


# Parameters


def test_saved_parameters_are_those_of_training_again(train, tmp_path):
    line = f"{SMALL} replicates=3 activation=tanh lr=0.7"
    assert train(f"{line} save_params=params.npz").status == 0
    runs = engine.DONE[0].sweep.runs[0]
    results = train_core(
        runs[0].spec, [run.run for run in runs], core_data(runs[0].setting.prepared)
    )
    with np.load(tmp_path / "params.npz") as file:
        assert sorted(file) == ["W1", "W2", "W3", "b1", "b2", "b3"]
        for name in file:
            expected = np.stack([result.params[name] for result in results])
            np.testing.assert_array_equal(file[name], expected)
    # Also when all runs were in the store already.
    assert train(f"{line} save_params=again.npz").status == 0
    assert (trained(), (tmp_path / "again.npz").is_file()) == (0, True)


# Results


def test_the_loss_of_a_cell_is_the_median_and_that_of_diverged_runs_inf(train, monkeypatch):
    asked = []
    run_cells = engine.run_cells
    monkeypatch.setattr(
        engine, "run_cells", lambda cells: asked.append(run_cells(cells)) or asked[-1]
    )
    train("-m data=xor epochs=300 replicates=3 activation=identity loss=squared_error lr=0.1,1e6")
    [[calm, wild]] = asked
    frame = records.runs("store")
    assert calm == frame.loc[frame["lr"] == 0.1, "final_loss"].median()
    assert wild == np.inf
    assert set(frame.loc[frame["lr"] == 1e6, "outcome"]) == {Outcome.DIVERGED}


# Other launchers, other sweepers


def test_runs_of_hydras_basic_launcher_are_reused(train, tmp_path):
    assert train(f"{GRID} hydra/launcher=basic").status == 0
    assert trained() == 12
    assert records.sweeps(tmp_path / "store") == [engine.DONE[0].sweep.name]
    name = engine.DONE[0].sweep.name
    train(GRID)
    assert (trained(), engine.DONE[0].sweep.name) == (0, name)


def test_hydras_basic_sweeper_gives_the_same_sweep(train):
    assert train(f"{GRID} hydra/sweeper=basic").status == 0
    name = engine.DONE[0].sweep.name
    train(GRID)
    assert (trained(), engine.DONE[0].sweep.name) == (0, name)


def test_runs_of_hydras_joblib_launcher_are_reused(train, program, tmp_path):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="joblib launcher is missing")
    ended = program(f"{GRID} hydra/launcher=joblib hydra.launcher.n_jobs=2", warnings="ignore")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out == (
        "Trained in other processes. What is stored: python -m sweeps.store list\n"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store"]
    train(GRID)
    assert trained() == 0
    assert count_rows(tmp_path / "store") == 12


def test_runs_of_the_optuna_sweeper_are_reused(train, program, tmp_path):
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper", reason="Optuna sweeper is missing")
    ended = program(
        f"-m {SMALL} replicates=2 hydra/sweeper=optuna hydra.sweeper.n_trials=4 "
        "hydra.sweeper.n_jobs=2 hydra.sweeper.sampler.seed=1 'lr=interval(0.1,1)'",
        warnings="ignore",
    )
    assert ended.status == 0, ended.err
    rates = records.runs(tmp_path / "store")["lr"].unique()
    assert len(rates) == 4
    assert [path.name for path in tmp_path.iterdir()] == ["store"]
    # Batch after batch, the study stays one sweep.
    assert len(records.sweeps(tmp_path / "store")) == 1
    train(f"-m {SMALL} replicates=2 lr={','.join(map(str, rates))}")
    assert trained() == 0
