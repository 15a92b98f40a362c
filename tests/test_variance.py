"""Shares of variance, against an analysis of variance by least squares."""

import numpy as np
import pandas as pd
import pytest
from test_frames import made

from analysis.variance import rounded, shares

AXES = {"activation": ["relu", "tanh", "sigmoid"], "lr": [0.1, 1.0], "depth": [2, 4]}


def noisy(seed=0, lr=0.0, activation=0.0, both=0.0):
    rng = np.random.default_rng(seed)

    def loss(at):
        kind = ["relu", "tanh", "sigmoid"].index(at["activation"])
        raised = at["lr"] > 0.5
        return np.exp(activation * kind + lr * raised + both * kind * raised + rng.normal())

    return loss


def squares(frame, y, terms):
    """The sum of squares that dummy variables of some axes, and of all their products, explain."""
    columns = [np.ones(len(frame))]
    for term in terms:
        key = frame[list(term)].astype(str).agg("-".join, axis=1)
        columns += list(pd.get_dummies(key).to_numpy(float).T)
    X = np.stack(columns, axis=1)
    fit = X @ np.linalg.lstsq(X, y, rcond=None)[0]
    return float(((fit - y.mean()) ** 2).sum())


def test_shares_are_omega_squared_of_an_analysis_of_variance():
    study = made(AXES, loss=noisy(lr=1.5, activation=0.5, both=0.7))
    table = shares(study).set_index("axes")["share"]
    frame = study.frame
    y = pd.Series(np.round(np.log(frame["final_loss"]), 2)).rank().to_numpy()
    total = ((y - y.mean()) ** 2).sum()
    cells = squares(frame, y, [tuple(AXES)])
    noise = (total - cells) / (len(y) - 12)
    scale = total + noise
    alone = {axis: squares(frame, y, [(axis,)]) for axis in AXES}
    for axis, levels in AXES.items():
        expected = max(0, (alone[axis] - (len(levels) - 1) * noise) / scale)
        assert table[(axis,)] == pytest.approx(expected, rel=1e-9, abs=1e-12)
    for a, b in (("activation", "lr"), ("activation", "depth"), ("lr", "depth")):
        beyond = squares(frame, y, [(a, b)]) - alone[a] - alone[b]
        df = (len(AXES[a]) - 1) * (len(AXES[b]) - 1)
        expected = max(0, (beyond - df * noise) / scale)
        assert table[(a, b)] == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert table[("replicates",)] == pytest.approx((total - cells) / total)


def test_a_two_way_table_by_hand():
    # Ranks of a, b at x, y: 1 2 | 3 4 and 5 6 | 7 8. Means 4.5; of a 2.5, of b 6.5, of x 3.5, of y
    # 5.5; of cells 1.5, 3.5, 5.5, 7.5. SS: total 42, init 8 * 4 = 32, output 8 * 1 = 8, both 0,
    # within 4 * 0.5 = 2 with 4 degrees of freedom: noise 0.5. Omega: 31.5, 7.5 and 0 of 42.5.
    losses = {("a", "x"): (1, 2), ("a", "y"): (3, 4), ("b", "x"): (5, 6), ("b", "y"): (7, 8)}
    study = made(
        {"init": ["a", "b"], "output": ["x", "y"]},
        replicates=2,
        loss=lambda at: losses[at["init"], at["output"]][at["replicate"]],
    )
    table = shares(study).set_index("axes")["share"]
    assert table[("init",)] == pytest.approx(31.5 / 42.5)
    assert table[("output",)] == pytest.approx(7.5 / 42.5)
    assert table[("init", "output")] == 0
    assert table[("replicates",)] == pytest.approx(2 / 42)
    assert shares(study)["low"].isna().all()  # two replicates give no interval


def test_an_axis_that_does_nothing_has_a_share_of_about_nothing():
    values = [
        shares(made(AXES, loss=noisy(seed, lr=2.0))).set_index("axes")["share"]
        for seed in range(10)
    ]
    # Omega squared expects 0; cut at 0 it is the positive half of a deviation of about
    # sqrt(2 df) / N = sqrt(2) / 120 and 2 / 120.
    assert np.mean([v[("depth",)] for v in values]) < 2 * np.sqrt(2) / 120
    assert np.mean([v[("activation",)] for v in values]) < 2 * 2 / 120
    assert min(v[("lr",)] for v in values) > 0.2


def test_diverged_runs_rank_last_and_alike_and_plateaus_are_one_loss():
    def loss(at):
        return np.inf if at["lr"] > 0.5 else 0.69314 + 1e-4 * at["replicate"]

    table = shares(made(AXES, loss=loss)).set_index("axes")
    assert table["share"][("lr",)] == pytest.approx(1)
    assert (table["share"].drop([("lr",)]) < 1e-9).all()
    assert rounded(np.array([0.693, 0.694]))[0] == rounded(np.array([0.693, 0.694]))[1]
    assert rounded(np.array([0.0])) < rounded(np.array([1e-200]))


def test_runs_without_any_difference_share_nothing():
    table = shares(made(AXES, loss=0.5))
    assert (table["share"] == 0).all()
    assert (shares(made(AXES, loss=np.inf))["share"] == 0).all()


def test_axes_come_by_share_and_what_no_axis_explains_comes_last():
    table = shares(made(AXES, loss=noisy(lr=1.5, activation=0.5)))
    assert list(table["axes"][-2:]) == [("replicates",), ("rest",)]
    assert list(table["share"][:-2]) == sorted(table["share"][:-2], reverse=True)
    assert table["axes"][0] == ("lr",)
    assert table["share"].between(0, 1).all()
    assert (table["low"] <= table["high"]).all()
    first = table.iloc[0]
    assert first["low"] <= first["share"] <= first["high"]


@pytest.mark.parametrize(
    "axes",
    [
        {"bias": [True, False], "lr_factor": [None, (1, 0.5)], "batch_size": ["full", 2]},
        {"data.path": [None, "a b", "<c>"]},
        {"width": [2, (3, 4)]},
        {"lr": [0.1]},
        {},
    ],
)
def test_levels_of_every_kind_and_studies_of_one_cell(axes):
    table = shares(made(axes, loss=noisy() if "activation" in axes else 0.2))
    others = 2 if len(axes) > 2 else 1  # fewer than three axes do nothing together
    assert len(table) == len(axes) * (len(axes) + 1) / 2 + others


def test_replicates_that_a_filter_left_are_drawn_anew():
    study = made(AXES, replicates=20, loss=noisy(lr=1.5))
    kept = study.where("...", lambda at: at["replicate"] > 12, ["replicate"])
    assert shares(kept)["low"].notna().all()
    few = study.where("...", lambda at: at["replicate"] > 16, ["replicate"])
    assert shares(few)["low"].isna().all()
