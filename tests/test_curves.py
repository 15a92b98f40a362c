"""Curves of the loss and of layers, against plain pandas on long tables."""

import numpy as np
import pandas as pd
import pytest
from test_frames import load, made, trained

from analysis.curves import (
    MOST_EPOCHS,
    MOST_LEVELS,
    by_axis,
    inside,
    ranked_cells,
    three_cells,
)
from analysis.histories import epochs_of, on, spread
from sweeps import records


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("curves")
    common = "data=xor replicates=6"
    return trained(
        folder / "store",
        f"-m activation=relu,tanh lr=0.1,1 epochs=30 {common} name=sound",
        f"-m lr=1,1e200 init_scale=1,1e200 epochs=20 output=identity loss=squared_error {common}"
        " name=broken",
        f"-m depth=1,3 epochs=0 {common} name=untrained",
        f"-m lr=0.1,1 epochs=200 record=every {common} name=long",
    )


def long_table(store, name):
    study = load(store, [name])
    curves = records.histories(store, name).merge(
        study.frame[["run", "cell", "unit", *study.axes]], on="run"
    )
    return study, curves


@pytest.mark.parametrize("axis", ["activation", "lr"])
def test_a_curve_is_the_median_over_replicates_of_medians_over_their_cells(store, axis):
    study, curves = long_table(store, "sound")
    table = by_axis(study, axis)
    each = curves.groupby([axis, "epoch", "unit"])["loss"].median()
    expected = each.groupby(level=[0, 1]).median()
    assert len(table) == len(expected)
    from analysis.frames import text

    for (level, epoch), value in expected.items():
        row = table[(table["level"] == text(level)) & (table["epoch"] == epoch)]
        assert row["median"].item() == pytest.approx(value, rel=1e-12)
        values = np.sort(each[level, epoch])  # of six replicates: least and largest
        assert (row["low"].item(), row["high"].item()) == (values[0], values[-1])
        assert row["runs"].item() == 12


def test_all_runs_are_one_curve_where_there_is_no_axis(store):
    study, curves = long_table(store, "sound")
    expected = curves.groupby(["epoch", "unit"])["loss"].median().groupby("epoch").median()
    table = by_axis(study, None)
    np.testing.assert_allclose(table["median"], expected)
    assert set(table["level"]) == {"all"}


def test_a_run_that_diverged_counts_as_infinite_from_there_on(store):
    study, _ = long_table(store, "broken")
    assert set(study.frame["outcome"]) == {"finished", "diverged"}
    epochs = epochs_of(study.traces)
    loss = on(study.traces, "loss", epochs)
    ended = (study.frame["outcome"] == "diverged").to_numpy()
    assert np.isinf(loss[ended, -1]).all()
    assert np.isfinite(loss[~ended]).all()
    born = study.frame["init_scale"] > 1  # infinite before the first step: nothing was recorded
    assert np.isinf(loss[born & ended]).all()
    table = by_axis(study, "init_scale")
    assert np.isinf(table.loc[table["level"] == "1e+200", "median"]).all()


def test_runs_that_were_infinite_before_the_first_step_have_no_layers_to_show(store):
    study = load(store, ["broken"])
    for cell in range(4):
        for probe in ("grad_norm", "dead_fraction"):
            table = inside(study, cell, probe)
            assert list(table.columns) == ["layer", "epoch", "median"]
            assert table.empty == (study.at(cell)["init_scale"] > 1)


def test_layers_of_a_cell_are_the_medians_of_its_runs(store):
    study = load(store, ["sound"])
    cell = three_cells(study)["worst"]
    members = study.frame["run"][study.frame["cell"] == cell]
    layers = records.layers(store, "sound")
    layers = layers[layers["run"].isin(members)]
    for probe in ("grad_norm", "dead_fraction"):
        expected = layers.groupby(["epoch", "layer"])[probe].median().dropna()
        table = inside(study, cell, probe).set_index(["epoch", "layer"])["median"].sort_index()
        assert list(table.index) == list(expected.index)
        np.testing.assert_allclose(table, expected, rtol=1e-6)


def test_what_was_not_recorded_has_no_rows(store):
    assert inside(load(store, ["sound"]), 0, "no_such_probe").empty


def test_runs_of_no_epochs_have_their_start(store):
    study = load(store, ["untrained"])
    table = by_axis(study, "depth")
    assert list(table["epoch"]) == [0, 0]
    assert set(inside(study, 0, "grad_norm")["epoch"]) <= {0}


def test_many_epochs_are_thinned_and_both_ends_kept(store):
    table = by_axis(load(store, ["long"]), "lr")
    epochs = table["epoch"].unique()
    assert len(epochs) == MOST_EPOCHS
    assert (epochs[0], epochs[-1]) == (0, 200)


def test_cells_are_ranked_by_their_median_loss():
    losses = {"a": 0.5, "b": np.inf, "c": 0.1, "d": 0.3}
    study = made({"init": list(losses)}, loss=lambda at: losses[at["init"]])
    assert list(ranked_cells(study).index) == [2, 3, 0, 1]
    assert three_cells(study) == {"best": 2, "median": 3, "worst": 1}
    expected = study.frame.groupby("cell")["final_loss"].median().sort_values()
    pd.testing.assert_series_equal(ranked_cells(study), expected)


def test_a_cell_of_which_half_diverged_is_as_bad_as_one_that_did():
    study = made(
        {"init": ["a", "b"]},
        loss=lambda at: np.inf if at["init"] == "b" and at["replicate"] < 6 else 0.5,
    )
    assert ranked_cells(study).tolist() == [0.5, np.inf]


@pytest.mark.parametrize(
    ("cells", "words"), [(1, {"best"}), (2, {"best", "worst"}), (3, {"best", "median", "worst"})]
)
def test_few_cells_are_shown_once_each(cells, words):
    study = made({"init": list("abc")[:cells]}, loss=lambda at: ord(at["init"]))
    chosen = three_cells(study)
    assert set(chosen) == words
    assert len(set(chosen.values())) == cells


def test_many_levels_are_picked_evenly_with_both_ends():
    assert spread(MOST_LEVELS, MOST_LEVELS).tolist() == list(range(MOST_LEVELS))
    picked = spread(100, MOST_LEVELS)
    assert (len(picked), picked[0], picked[-1]) == (MOST_LEVELS, 0, 99)
    assert np.ptp(np.diff(picked)) <= 1


@pytest.mark.parametrize("levels", [[None, "a"], [(1, 1), (1, 0.5)], [True, False], ["full", 4]])
def test_levels_of_every_kind_have_a_curve(levels):
    table = by_axis(made({"axis": levels}, replicates=3), "axis")
    assert table["level"].nunique() == 2
    assert (table["runs"] == 3).all()
    assert table["low"].isna().all()
