"""Comparisons run by run: what is paired with what, counted by hand, and tested as scipy does."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from test_frames import made

from analysis.paired import (
    MOST_LEVELS,
    RESAMPLES,
    Pairs,
    bootstrap_median,
    comparisons,
    holm,
    sign_flip,
)

INF = np.inf
TWO = {"activation": ["relu", "tanh"], "lr": [0.1, 1.0]}
# Losses of relu and of tanh, by lr and replicate.
BY_HAND = {
    0.1: ([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], [0.3, 0.3, 0.3, 0.3, 0.3, 0.3]),
    1.0: ([0.1, 0.2, INF, INF, 0.5, 0.7], [0.2, INF, 0.5, INF, 0.5, 0.1]),
}


def by_hand(at):
    return BY_HAND[at["lr"]][["relu", "tanh"].index(at["activation"])][at["replicate"]]


@pytest.fixture(scope="module")
def row():
    [row] = comparisons(made(TWO, replicates=6, loss=by_hand)).to_dict("records")
    return row


def test_runs_are_paired_by_cell_and_replicate_and_counted(row):
    assert (row["axis"], row["a"], row["b"]) == ("activation", "relu", "tanh")
    assert (row["pairs"], row["replicates"]) == (12, 6)
    # lr 0.1: relu is lower twice, equal once, higher three times. lr 1: lower twice (tanh diverges
    # once), equal twice (both diverge once), higher twice (relu diverges once).
    assert (row["a_wins"], row["b_wins"]) == (4, 5)
    assert row["effect"] == pytest.approx((5 - 4) / 12)


def test_the_difference_is_the_median_over_pairs_and_infinite_ones_count(row):
    differences = [-0.2, -0.1, 0, 0.1, 0.2, 0.3, -0.1, -INF, INF, 0, 0, 0.6]
    ordered = sorted(differences)
    assert row["difference"] == pytest.approx((ordered[5] + ordered[6]) / 2)


def test_p_is_from_signs_of_replicates(row):
    # Mean sign of each replicate over its two pairs; 0.6 against 0.3 and 0.7 against 0.1 are worst.
    means = [-1, -1, 0.5, 0.5, 0.5, 1]
    count = 0
    for signs in np.ndindex(*[2] * 6):
        count += abs(np.dot(1 - 2 * np.array(signs), means)) >= abs(sum(means)) - 1e-12
    assert row["p"] == pytest.approx(count / 64)
    assert row["verdict"] == "undecided"


def test_order_of_rows_does_not_matter(row):
    study = made(TWO, replicates=6, loss=by_hand)
    shuffled = study.frame.sample(frac=1, random_state=1).reset_index(drop=True)
    [again] = comparisons(replace(study, frame=shuffled)).to_dict("records")
    assert again == row


def test_a_diverged_run_loses_to_any_that_is_not():
    pairs = Pairs(np.array([INF, 1.0, INF]), np.array([1.0, INF, INF]), np.arange(3))
    assert pairs.sign.tolist() == [1, -1, 0]
    assert pairs.difference.tolist() == [INF, -INF, 0]


def test_a_level_whose_runs_all_diverge_is_worse():
    study = made(TWO, replicates=10, loss=lambda at: INF if at["activation"] == "relu" else 0.5)
    [row] = comparisons(study).to_dict("records")
    assert (row["a_wins"], row["b_wins"], row["effect"], row["verdict"]) == (0, 20, 1, "b")
    assert (row["difference"], row["low"], row["high"]) == (INF, INF, INF)


def test_each_level_losing_half_of_its_pairs_to_divergence_is_no_difference():
    def loss(at):
        return INF if (at["activation"] == "relu") == (at["replicate"] % 2 == 0) else 0.5

    [row] = comparisons(made(TWO, replicates=8, loss=loss)).to_dict("records")
    assert (row["difference"], row["low"], row["high"]) == (0, -INF, INF)
    assert (row["a_wins"], row["b_wins"], row["verdict"]) == (8, 8, "undecided")


def test_losses_within_one_percent_are_a_tie():
    a, b = np.array([1.0, 1.0, 1.0, 0.0]), np.array([1.0099, 1.011, 0.98, 0.0])
    assert Pairs(a, b, np.arange(4)).sign.tolist() == [0, -1, 1, 0]


def test_what_only_one_level_has_is_left_out():
    # tanh was not trained at lr 1, and at lr 0.1 replicates 8 and 9 of relu have no match.
    study = made(TWO, only=lambda at: at["activation"] == "relu" or at["lr"] == 0.1, loss=0.2)
    lost = (study.frame["activation"] == "tanh") & (study.frame["replicate"] > 7)
    study = replace(study, frame=study.frame[~lost].reset_index(drop=True))
    [row] = comparisons(study).to_dict("records")
    assert (row["pairs"], row["replicates"]) == (8, 8)


def test_null_lists_and_truth_values_are_levels_too():
    axes = {"bias": [True, False], "lr_factor": [None, (1, 0.5)], "batch_size": ["full", 2]}
    table = comparisons(made(axes, replicates=3))
    assert [tuple(row) for row in table[["axis", "a", "b", "pairs"]].to_numpy()] == [
        ("bias", True, False, 12),
        ("lr_factor", None, (1, 0.5), 12),
        ("batch_size", "full", 2, 12),
    ]
    assert (table["verdict"] == "undecided").all()


def test_seeds_are_compared_by_replicate():
    study = made({"seed": [0, 1]}, replicates=9, loss=lambda at: 0.1 + at["seed"] * at["replicate"])
    [row] = comparisons(study).to_dict("records")
    assert (row["pairs"], row["a_wins"], row["b_wins"]) == (9, 8, 0)


def test_numeric_axes_are_not_compared_and_a_study_without_names_gives_an_empty_table():
    table = comparisons(made({"lr": [0.1, 1.0]}))
    assert table.empty
    assert {"axis", "p", "verdict"} <= {*table}
    assert comparisons(made({"activation": ["relu"]})).empty


def test_every_two_of_up_to_eight_levels_are_compared():
    axes = {"data.seed": list(range(MOST_LEVELS))}
    assert len(comparisons(made(axes, replicates=2))) == MOST_LEVELS * (MOST_LEVELS - 1) / 2


def by_scipy(values, resamples):
    return stats.permutation_test(
        (values, np.zeros(len(values))),
        lambda a, b, axis: np.sum(a - b, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=resamples,
        rng=np.random.default_rng(0),
    ).pvalue


@pytest.mark.parametrize("n", [2, 7, 12, 16])
def test_flipped_signs_are_those_of_scipy(n):
    values = np.round(np.random.default_rng(n).normal(0.5, 1, n), 1)
    values[values == 0] = 0.1
    # scipy's two-sided p is twice the smaller tail, ours counts both: flips are symmetric.
    assert sign_flip(values) == pytest.approx(by_scipy(values, np.inf), rel=1e-9)
    assert sign_flip(-values) == sign_flip(values)


def test_one_replicate_tells_nothing():
    assert sign_flip(np.array([0.3])) == 1


def test_flipped_signs_of_many_replicates_are_drawn():
    values = np.random.default_rng(1).normal(0.35, 1, 30)
    p = sign_flip(values)
    # Five deviations of the difference of two shares of 20,000 draws, scipy's of twice a tail.
    deviation = np.sqrt(p * (1 - p) / 20_000 + 4 * p / 2 * (1 - p / 2) / 20_000)
    assert abs(p - by_scipy(values, 20_000)) <= 5 * deviation
    assert p == sign_flip(values)
    assert sign_flip(np.ones(40)) == 1 / 20_001  # never 0, whatever was drawn


def test_ties_say_nothing():
    assert sign_flip(np.zeros(5)) == 1
    assert sign_flip(np.array([])) == 1
    assert sign_flip(np.array([1.0, 0, 0, 1, 1])) == sign_flip(np.ones(3)) == 0.25


def test_p_values_are_stepped_down_by_hand():
    # Sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1, none below the one before it: the example of
    # Wright, Biometrics 48, 1992, with p values 0.01, 0.04, 0.03, 0.005.
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.5, 0.9])).tolist() == [1, 1]
    assert holm(np.array([])).size == 0


def test_correction_is_the_closed_test_of_bonferroni():
    # Holm 1979: p of a hypothesis is the largest, over sets with it, of size times the least p.
    p = np.random.default_rng(2).random(6) ** 3
    sets = [np.flatnonzero([mask >> k & 1 for k in range(6)]) for mask in range(1, 64)]
    closed = [max(min(1, len(s) * p[s].min()) for s in sets if k in s) for k in range(6)]
    assert holm(p) == pytest.approx(closed)


def test_the_bootstrap_draws_whole_replicates():
    rng = np.random.default_rng(4)
    unit = np.repeat(np.arange(9), 4)
    values = rng.normal(size=36) + np.repeat(rng.normal(size=9), 4)
    frame = pd.DataFrame({"unit": unit, "value": values})
    groups = [group["value"].to_numpy() for _, group in frame.groupby("unit")]
    medians = [
        np.median(np.concatenate([groups[k] for k in rng.integers(0, 9, 9)])) for _ in range(4000)
    ]
    low, high = bootstrap_median(values, unit)
    # Where the plain bootstrap has the share of its medians below each end, within five
    # deviations of shares from so many draws.
    for end, share in ((low, 0.025), (high, 0.975)):
        deviation = np.sqrt(0.025 * 0.975 * (1 / RESAMPLES + 1 / 4000))
        assert np.mean(np.array(medians) < end) <= share + 5 * deviation
        assert np.mean(np.array(medians) <= end) >= share - 5 * deviation


def test_replicates_in_step_make_no_interval_narrower():
    values, unit = np.random.default_rng(0).normal(size=12), np.arange(12)
    assert bootstrap_median(values, unit) == bootstrap_median(
        np.repeat(values, 5), np.repeat(unit, 5)
    )


def test_below_six_replicates_there_is_no_interval():
    assert np.isnan(bootstrap_median(np.arange(50.0), np.arange(50) % 5)).all()


def test_the_same_frame_gives_the_same_interval():
    values, unit = np.random.default_rng(0).normal(size=40), np.arange(40) % 10
    assert bootstrap_median(values, unit) == bootstrap_median(values, unit)


def test_a_swept_loss_is_matched_and_not_compared():
    axes = {"loss": ["binary_cross_entropy", "squared_error"], "activation": ["relu", "tanh"]}
    table = comparisons(made(axes, replicates=6, loss=lambda at: 0.1 + 0.01 * at["replicate"]))
    assert list(table["axis"]) == ["activation"]  # their losses have different scales
    assert list(table["pairs"]) == [12]


def test_outputs_whose_losses_differ_in_scale_are_no_pairs():
    axes = {"output": ["sigmoid", "identity", "tanh"]}
    by_output = {"sigmoid": "binary_cross_entropy"}
    study = made(axes, replicates=6)
    loss = [by_output.get(output, "squared_error") for output in study.frame["output"]]
    table = comparisons(replace(study, frame=study.frame.assign(loss=loss)))
    assert table[["a", "b"]].to_numpy().tolist() == [["identity", "tanh"]]


def test_levels_that_agree_in_six_digits_are_two_levels():
    axes = {"lr": [0.1, 0.10000001], "activation": ["relu", "tanh"]}
    [row] = comparisons(made(axes, replicates=6)).to_dict("records")
    assert row["pairs"] == 12
