"""What readers return, against the core trained directly and against other programs' readers."""

from __future__ import annotations

import os

import duckdb
import numpy as np
import pandas as pd
import pytest

from bpcore import ENGINE_VERSION, train
from bpcore.probes import PROBES, SCALARS
from sweeps import engine, records
from sweeps.compose import Cell
from sweeps.errors import BadInput
from sweeps.resolve import core_data, resolve
from sweeps.scanning import scan
from sweeps.schema import HISTORY_COLUMNS, SCALAR_COLUMNS
from tests.test_resolve import config

CELLS = {
    "plain": {"lr": 0.5},
    "batches, test split": {"activation": "tanh", "batch_size": 7, "data_test_fraction": 0.25},
    "three classes": {
        "data": {"name": "blobs", "samples": 30},
        "width": [4, 3],
        "dtype": "float32",
    },
    "diverges": {"activation": "identity", "loss": "squared_error", "lr": 50.0, "epochs": 400},
    "no probes": {"probes": "none", "depth": 1},
    "no epochs": {"epochs": 0},
    "no hidden layer": {"depth": 0, "weight_decay": 0.01, "lr_factor": [0.5]},
    "defects": {"defects": ["sign_error@1"], "bias_scale": 0.3, "scale_factor": [2.0]},
}
PER_LAYER = [name for name, probe in PROBES.items() if probe.per_layer]
CURVES = [*SCALARS, *(name for name, probe in PROBES.items() if not probe.per_layer)]


def cell(name):
    return config(**{"epochs": 30, "replicates": 3, "record": "log:6"} | CELLS[name])


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store that holds all cells as one sweep, `all`, trained by one process."""
    root = tmp_path_factory.mktemp("records") / "store"
    cells = [
        Cell((f"+cell={k}", "depth=2"), cell(name) | {"store": str(root), "name": "all"})
        for k, name in enumerate(CELLS)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "DONE", [])
        engine.run_cells(cells)
    return root


@pytest.fixture(scope="module")
def direct():
    """Each run's identity to what training it alone in the core gives."""
    results = {}
    for name in CELLS:
        for run in resolve(cell(name)):
            [result] = train(run.spec, [run.run], core_data(run.setting.prepared))
            results[run.id] = (run, result)
    return results


def test_every_run_is_there_once(store, direct):
    assert sorted(records.runs(store)["run"]) == sorted(direct)


def test_scalars_are_those_of_the_core_to_the_bit(store, direct):
    for row in records.runs(store).to_dict("records"):
        _, result = direct[row["run"]]
        assert (row["outcome"], row["steps"]) == (result.outcome, result.steps)
        np.testing.assert_equal(row["final_loss"], result.loss)
        for name in ("accuracy", "loss_test", "accuracy_test"):
            np.testing.assert_equal(row[f"final_{name}"], getattr(result, name))
        assert row["engine"] == ENGINE_VERSION
        assert row["seconds"] > 0


def test_configuration_columns_are_what_was_trained(store, direct):
    for row in records.runs(store).to_dict("records"):
        run, _ = direct[row["run"]]
        spec, one = run.spec, run.run
        for name in ("activation", "loss", "output", "optimizer", "dtype", "bias", "reduction"):
            assert row[name] == getattr(spec, name)
        for name in ("seed", "replicate", "lr", "init_scale", "bias_scale", "weight_decay", "init"):
            assert row[name] == getattr(one, name)
        assert tuple(row["lr_factor"]) == one.lr_factor
        assert tuple(row["scale_factor"]) == one.scale_factor
        assert tuple(row["defects"]) == spec.defects
        assert (row["n_in"], row["n_out"], row["depth"]) == (2, spec.sizes[-1], spec.layers - 1)
        assert row["epochs"] == spec.epochs
        np.testing.assert_equal(row["batch_size"], spec.batch_size or np.nan)
        assert row["data_digest"] == run.setting.prepared.digest
        assert row["samples"] == run.setting.prepared.X.shape[1]


def test_a_width_is_one_number_or_all_of_them(store, direct):
    frame = records.runs(store).set_index("run")
    widths = {
        tuple(run.spec.sizes[1:-1]): frame.loc[id_, "width"] for id_, (run, _) in direct.items()
    }
    assert widths == {(10, 10): "10", (4, 3): "4-3", (10,): "10", (): ""}


def test_dead_units_are_counted_over_all_hidden_units(store, direct):
    for row in records.runs(store).to_dict("records"):
        run, result = direct[row["run"]]
        hidden = np.array(run.spec.sizes[1:-1])
        expected = np.nan
        if "dead_fraction" in result.history and len(hidden) and result.outcome == "finished":
            dead = result.history["dead_fraction"][-1, :-1] * hidden
            expected = dead.sum() / hidden.sum()
        np.testing.assert_allclose(row["final_dead_fraction"], expected, rtol=1e-12)


def test_histories_are_those_of_the_core_to_the_bit(store, direct):
    frame = records.histories(store)
    assert list(frame.columns) == ["run", "epoch", *CURVES]
    for run, rows in frame.groupby("run", sort=False):
        history = direct[run][1].history
        assert rows["epoch"].tolist() == history["epoch"].tolist()
        for name in CURVES:
            expected = history.get(name, np.full(len(rows), np.nan))
            np.testing.assert_array_equal(rows[name].to_numpy(), expected)
    assert set(frame["run"]) == {run for run, (_, r) in direct.items() if len(r.history["epoch"])}


def test_layers_are_those_of_the_core_in_single_precision(store, direct):
    frame = records.layers(store)
    assert list(frame.columns) == ["run", "epoch", "layer", *PER_LAYER]
    for run, rows in frame.groupby("run", sort=False):
        spec, history = direct[run][0].spec, direct[run][1].history
        K = len(history["epoch"])
        assert rows["epoch"].tolist() == np.repeat(history["epoch"], spec.layers).tolist()
        assert rows["layer"].tolist() == list(range(1, spec.layers + 1)) * K
        for name in PER_LAYER:
            with np.errstate(over="ignore"):  # of a run that explodes
                expected = history[name].astype(np.float32).ravel()
            np.testing.assert_array_equal(rows[name].to_numpy(np.float32), expected)
    probed = {run for run, (r, _) in direct.items() if r.spec.probes}
    assert set(frame["run"]) == probed


def test_a_diverged_run_keeps_its_history_up_to_its_end(store, direct):
    ended = {id_: r for id_, (run, r) in direct.items() if r.outcome == "diverged"}
    assert len(ended) == 3
    frame = records.histories(store, ids=ended)
    for run, rows in frame.groupby("run"):
        assert rows["epoch"].max() < 400
        assert len(rows) == len(ended[run].history["epoch"])


def test_only_the_runs_asked_for_are_read(store, direct):
    some = list(direct)[5:9]
    for read in (records.histories, records.layers):
        assert set(read(store, ids=some)["run"]) <= set(some)
    assert set(records.histories(store, ids=some)["run"]) == set(some)
    assert set(records.histories(store, "all", some)["run"]) == set(some)
    assert records.histories(store, ids=[]).empty
    assert records.layers(store, ids=[]).empty


def test_a_run_asked_for_twice_is_read_once(store, direct):
    one = next(iter(direct))
    assert len(scan(store, [one, one])) == 1
    assert not records.histories(store, ids=[one, one]).duplicated(["run", "epoch"]).any()


def test_columns_can_be_chosen(store):
    frame = records.runs(store, columns=["lr", "final_loss"])
    assert list(frame.columns) == ["run", "lr", "final_loss"]


def test_a_sweep_has_its_cells_and_axes(store):
    frame = records.runs(store, "all")
    assert frame["cell"].tolist() == sorted(list(range(len(CELLS))) * 3)
    assert set(SCALAR_COLUMNS) <= set(frame.columns)


def test_the_manifest_lists_every_run_with_cell_and_replicate(store, direct):
    about, members = records.manifest(store, "all")
    assert (about["name"], len(about["cells"])) == ("all", len(CELLS))
    assert sorted(members["run"].to_pylist()) == sorted(direct)
    for row in members.to_pylist():
        assert row["replicate"] == direct[row["run"]][0].run.replicate
        assert row["run"] in {r.id for r in resolve(cell(list(CELLS)[row["cell"]]))}


def test_a_sweep_that_is_not_there_is_refused(store):
    for read in (records.runs, records.histories, records.layers, records.manifest):
        with pytest.raises(BadInput) as refused:
            read(store, "al")
        assert str(refused.value) == (
            f"`sweep` must be one of those in {store}: all; got al. Did you mean all?"
        )


def test_where_a_run_was_made_can_be_looked_up(store):
    [identity] = set(records.runs(store)["provenance"])
    assert records.provenance(store, identity)["engine"] == ENGINE_VERSION


def test_plain_pandas_reads_the_same(store):
    ours = records.runs(store, columns=SCALAR_COLUMNS)
    theirs = pd.read_parquet(store / "parts")
    assert set(theirs.columns) == {*SCALAR_COLUMNS, *HISTORY_COLUMNS}
    pd.testing.assert_frame_equal(
        theirs[list(ours.columns)].sort_values("run", ignore_index=True),
        ours.sort_values("run", ignore_index=True),
    )


def test_duckdb_reads_the_same(store):
    ours = records.runs(store).groupby("activation")["final_loss"].max()
    query = (
        f"select activation, max(final_loss), count(*) from '{store}/parts/*.parquet' "  # noqa: S608
        "group by activation order by activation"
    )
    with duckdb.connect() as connection:
        theirs = connection.execute(query).fetchall()
    np.testing.assert_equal([row[1] for row in theirs], ours.sort_index().tolist())
    assert sum(row[2] for row in theirs) == 3 * len(CELLS)


def test_sweeps_are_listed_the_latest_first(store, tmp_path):
    from sweeps.store import Store

    made = Store(tmp_path)
    table = records.manifest(store, "all")[1]
    for number, name in enumerate(("first", "second")):
        made.write_manifest(name, {}, table)
        path = tmp_path / "sweeps" / f"{name}.parquet"
        os.utime(path, ns=(number, number))
    assert records.sweeps(tmp_path) == ["second", "first"]


def test_reading_writes_nothing(store):
    before = {path: path.stat().st_mtime_ns for path in store.rglob("*")}
    records.runs(store, "all")
    records.layers(store)
    assert {path: path.stat().st_mtime_ns for path in store.rglob("*")} == before
