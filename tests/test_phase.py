"""Phase maps: rates in cells, their panels and their order, against plain pandas."""

import numpy as np
import pandas as pd
import pytest
from test_frames import made

from analysis.intervals import wilson
from analysis.phase import MOST_PANELS, facets_of, grid_shape, pairs, phase, rates

AXES = {"activation": ["relu", "tanh"], "depth": [2, 4, 8], "lr": [0.1, 1.0], "bias": [True, False]}


@pytest.fixture(scope="module")
def study():
    rng = np.random.default_rng(0)
    names = ["healthy", "dead_layer", "slow"]
    return made(AXES, replicates=6, symptom=lambda at: names[rng.integers(3)])


def test_a_map_holds_the_rate_of_each_cell(study):
    drawn = phase(study, "slow", "lr", "depth", {})
    assert (drawn.xs, drawn.ys) == ([0.1, 1.0], [2, 4, 8])
    assert drawn.facets == ("activation", "bias")
    assert [p.title for p in drawn.panels] == [
        f"{a}, bias {b}" for a in ("relu", "tanh") for b in ("true", "false")
    ]
    frame = study.frame.assign(hit=study.frame["symptom"] == "slow")
    for panel, (a, b) in zip(
        drawn.panels, [(a, b) for a in AXES["activation"] for b in AXES["bias"]], strict=True
    ):
        rows = frame[(frame["activation"] == a) & (frame["bias"] == b)]
        expected = rows.pivot_table(index="depth", columns="lr", values="hit", aggfunc="mean")
        np.testing.assert_array_equal(panel.rate, expected.to_numpy())
        assert (panel.runs == 6).all()
        for (r, c), _ in np.ndenumerate(panel.rate):
            [cell] = panel.cells[r][c]
            assert study.at(cell) == {
                "activation": a,
                "depth": drawn.ys[r],
                "lr": drawn.xs[c],
                "bias": b,
            }


def test_cells_that_were_not_trained_are_empty():
    axes = {"depth": [2, 4], "lr": [0.1, 1.0]}
    study = made(axes, only=lambda at: at["depth"] == 2 or at["lr"] < 1, symptom="slow")
    [panel] = phase(study, "slow", "lr", "depth", {}).panels
    np.testing.assert_array_equal(panel.rate, [[1, 1], [1, np.nan]])
    assert panel.cells == [[[0], [1]], [[2], []]]
    assert panel.title == ""


def test_axes_beyond_the_panels_are_pooled_and_their_cells_kept():
    axes = {"seed": list(range(20)), "depth": [2, 4], "lr": [0.1, 1.0]}
    study = made(axes, replicates=1, symptom=lambda at: "slow" if at["seed"] < 5 else "healthy")
    drawn = phase(study, "slow", "lr", "depth", {})
    assert drawn.pooled == ("seed",)
    [panel] = drawn.panels
    assert (panel.rate == 0.25).all()
    assert (panel.runs == 20).all()
    assert len(panel.cells[0][0]) == 20


def test_rates_of_cells_are_those_of_pandas(study):
    table = rates(study, ["dead_layer", "slow"])
    for symptom, rows in table.groupby("symptom"):
        hit = (study.frame["symptom"] == symptom).groupby(study.frame["cell"])
        assert list(rows["hits"]) == list(hit.sum())
        assert list(rows["runs"]) == list(hit.size())
        np.testing.assert_allclose(rows["rate"], hit.mean())
        low, high = wilson(hit.sum(), hit.size())
        np.testing.assert_array_equal(rows[["low", "high"]], np.column_stack([low, high]))
    first = table.iloc[0]
    assert {axis: first[axis] for axis in AXES} == study.at(0)
    assert rates(study, []).empty
    assert list(rates(study, [])) == list(table)


def test_rates_of_the_one_cell_of_a_study_without_axes():
    table = rates(made({}, symptom="slow"), ["slow"])
    assert table[["hits", "runs", "rate"]].to_numpy().tolist() == [[10, 10, 1]]


def test_values_of_a_cell_are_those_that_were_typed():
    axes = {"bias": [True, False], "batch_size": ["full", 4], "path": [None, "a"], "depth": [2, 4]}
    study = made(axes, replicates=1)
    at = study.at(len(study.cells) - 1)
    assert at == {"bias": False, "batch_size": 4, "path": "a", "depth": 4}
    assert type(at["bias"]) is bool
    from analysis.frames import text

    assert [text(v) for v in study.at(0).values()] == ["true", "full", "null", "2"]


def test_facets_are_those_that_matter_most_as_long_as_panels_are_few():
    axes = {"a": range(4), "b": range(5), "c": range(3), "d": range(20)}
    importance = {"b": 0.4, "c": 0.3, "a": 0.2, "d": 0.9}
    assert facets_of(axes, importance) == ("a",) or MOST_PANELS < 5 * 3
    # d has too many levels, b fits, c (15) and a (20) do not fit beside it.
    assert facets_of(axes, importance) == ("b",)
    assert facets_of(axes, {"c": 1.0, "a": 0.5}) == ("a", "c")
    assert facets_of({}, {}) == ()


def test_the_learning_rate_runs_to_the_right_and_what_matters_comes_first():
    study = made({"lr": [0.1, 1.0], "depth": [2, 4], "seed": [0, 1], "width": [2, 4]}, replicates=1)
    assert pairs(study, {"width": 0.5, "lr": 0.3, "depth": 0.1}) == [
        ("lr", "width"),
        ("width", "depth"),
        ("lr", "depth"),
    ]
    assert pairs(made({"lr": [0.1, 1.0]}), {}) == []


@pytest.mark.parametrize("panels", range(1, 25))
@pytest.mark.parametrize("most", [3, 4])
def test_panels_fit_their_grid_and_no_row_is_empty(panels, most):
    rows, columns = grid_shape(panels, most)
    assert columns <= most
    assert rows * columns >= panels > (rows - 1) * columns


def test_panels_leave_few_places_empty():
    assert [grid_shape(panels) for panels in (1, 3, 4, 5, 6, 8, 9, 10, 12)] == [
        (1, 1), (1, 3), (1, 4), (2, 3), (2, 3), (2, 4), (3, 3), (3, 4), (3, 4),
    ]  # fmt: skip


def test_mixed_numbers_keep_their_order():
    study = made({"lr": [0.1, 1, 10.0], "depth": [2, 4]}, replicates=1, symptom="slow")
    drawn = phase(study, "slow", "lr", "depth", {})
    assert pd.Series(drawn.xs).is_monotonic_increasing
    assert drawn.panels[0].rate.shape == (2, 3)
