"""Findings: planted ones are found and say where; sweeps in which nothing matters have none."""

import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from scipy import stats
from test_frames import made

from analysis import paired
from analysis.contrasts import LEVEL, MOST_FINDINGS, counted, enough_replicates, findings
from analysis.intervals import wilson
from analysis.paired import comparisons

GRID = {"activation": ["relu", "tanh"], "depth": [2, 6, 12], "lr": [0.01, 0.1, 1.0]}


def planted(condition, symptom="dead_layer"):
    return lambda at: symptom if condition(at) else "healthy"


def found(study):
    return [
        (f.symptom, f.axis, dict(f.fixed), f.bad, f.good, (f.at_bad.hits, f.at_bad.runs))
        for f in findings(study)
    ]


def test_a_failure_of_one_level_is_found_there():
    study = made(GRID, symptom=planted(lambda at: at["activation"] == "relu"))
    [only] = findings(study)
    assert (only.symptom, only.axis, dict(only.fixed)) == ("dead_layer", "activation", {})
    assert (only.bad, only.good) == (("relu",), ("tanh",))
    assert (only.at_bad.hits, only.at_bad.runs, only.at_bad.units) == (90, 90, 10)
    assert (only.at_good.hits, only.at_good.runs) == (0, 90)
    assert set(study.frame["activation"].iloc[only.rows]) == {"relu"}
    assert len(only.rows) == 90


def test_its_interval_is_for_as_many_runs_as_there_are_replicates():
    # All runs of a replicate fail alike: the 90 are worth 10.
    study = made(GRID, symptom=planted(lambda at: at["activation"] == "relu"))
    [only] = findings(study)
    assert only.at_bad.interval == tuple(float(end) for end in wilson(10, 10))
    assert only.at_good.interval == tuple(float(end) for end in wilson(0, 10))


def test_p_is_of_the_rank_sum_test_times_the_tests_that_count():
    # Two levels, nothing else: one test, of which the part for no axis held fixed has half.
    share = {"a": 8, "b": 1}
    study = made(
        {"init": ["a", "b"]}, symptom=planted(lambda at: at["replicate"] < share[at["init"]])
    )
    [only] = findings(study)
    fisher = stats.fisher_exact([[8, 2], [1, 9]], alternative="greater").pvalue
    assert only.p == pytest.approx(2 * fisher / 0.5)
    assert (only.at_bad.hits, only.at_good.hits) == (8, 1)


def test_a_failure_in_a_corner_is_found_with_the_axes_that_bound_it():
    study = made(GRID, symptom=planted(lambda at: at["depth"] == 12 and at["lr"] == 1))
    first = findings(study)[0]
    at = dict(first.fixed) | {first.axis: first.bad[0]}
    assert at == {"depth": 12, "lr": 1.0}
    assert (first.at_bad.hits, first.at_bad.runs, first.at_good.hits) == (20, 20, 0)


def test_a_cliff_along_many_levels_is_cut_where_it_is():
    lrs = [0.001, 0.01, 0.1, 1.0, 10.0, 100.0]
    study = made({"lr": lrs}, symptom=planted(lambda at: at["lr"] >= 1, "diverged"))
    first = findings(study)[0]
    assert (first.axis, first.bad, first.good) == ("lr", (1.0, 10.0, 100.0), (0.001, 0.01, 0.1))
    assert (first.at_bad.hits, first.at_bad.runs) == (30, 30)


def test_two_failures_in_two_places_are_two_findings():
    def symptom(at):
        if at["lr"] == 1:
            return "diverged"
        return "stuck_at_prior" if at["activation"] == "tanh" else "healthy"

    firsts = found(made(GRID, symptom=symptom))
    assert {(f[0], f[1]) for f in firsts} >= {("diverged", "lr"), ("stuck_at_prior", "activation")}


def test_findings_that_say_the_same_are_told_once():
    study = made(GRID, symptom=planted(lambda at: at["activation"] == "relu" and at["depth"] > 2))
    sets = [(f.symptom, set(f.rows[study.failing[f.rows]])) for f in findings(study)]
    for (one, before), (other, after) in combinations(sets, 2):
        assert one != other or len(before & after) <= 0.5 * len(after)


def test_there_are_at_most_eight():
    names = ["diverged", "dead_layer", "collapsed_weights", "stuck_at_prior", "saturated"]
    ends = [*names, *names, "healthy", "healthy"]
    axes = {"activation": list("abcdefghijkl")}
    study = made(axes, symptom=lambda at: ends["abcdefghijkl".index(at["activation"])])
    assert 1 <= len(findings(study)) <= MOST_FINDINGS


def test_findings_do_not_depend_on_the_order_of_runs():
    study = made(GRID, symptom=planted(lambda at: at["activation"] == "relu" and at["depth"] > 2))
    before = found(study)
    shuffled = study.frame.sample(frac=1, random_state=3).reset_index(drop=True)
    assert found(replace(study, frame=shuffled)) == before


@pytest.mark.parametrize(
    "levels", [[None, 32], [True, False], [(1, 1), (1, 0.1)], ["full", 4], [2, (3, 4)]]
)
def test_levels_of_every_kind_are_compared(levels):
    study = made({"axis": levels}, symptom=planted(lambda at: at["axis"] == levels[0]))
    [only] = findings(study)
    assert (only.bad, only.good) == ((levels[0],), (levels[1],))
    assert (only.at_bad.hits, only.at_good.hits) == (10, 0)


def test_seeds_that_fail_are_no_accident_of_their_number():
    # Levels of the seed share no random numbers, so there is nothing to pair.
    study = made({"seed": [0, 1]}, symptom=planted(lambda at: at["seed"] == 1))
    [only] = findings(study)
    assert (only.axis, only.at_bad.units, only.at_good.units) == ("seed", 10, 10)


def test_settings_that_only_one_side_has_do_not_speak_for_the_axis():
    # Everything fails at lr 1, which adam was never trained at: sgd is no worse.
    axes = {"optimizer": ["sgd", "adam"], "lr": [0.01, 0.1, 1.0]}
    study = made(
        axes,
        only=lambda at: at["optimizer"] == "sgd" or at["lr"] < 1,
        symptom=planted(lambda at: at["lr"] == 1, "diverged"),
    )
    assert {f.axis for f in findings(study)} == {"lr"}


def test_axes_that_only_vary_together_are_not_told_apart():
    axes = {"depth": [1, 8], "width": [4, 32]}
    study = made(
        axes,
        only=lambda at: (at["depth"] == 1) == (at["width"] == 4),
        symptom=planted(lambda at: at["depth"] == 8),
    )
    assert findings(study) == []


def test_an_interrupted_sweep_does_not_blame_an_axis_for_runs_that_are_missing():
    # Each of three axes makes 14 more of 50 replicates fail, too few to be a finding. Of tanh, the
    # runs with any of the three raised are missing for all replicates but one; so relu
    # has more failures, and every cell has a run.
    axes = {"activation": ["relu", "tanh"], "depth": [2, 4], "width": [4, 8], "lr": [0.1, 1.0]}

    def raised(at):
        return (at["depth"] > 2) + (at["width"] > 4) + (at["lr"] > 0.1)

    study = made(axes, symptom=planted(lambda at: at["replicate"] < 14 * raised(at)), replicates=50)
    assert findings(study) == []
    frame = study.frame
    missing = (frame["activation"] == "tanh") & (raised(frame) > 0) & (frame["replicate"] < 49)
    study = replace(study, frame=frame[~missing].reset_index(drop=True))
    failed = study.frame["symptom"] == "dead_layer"
    share = failed.groupby(study.frame["activation"]).mean()
    assert share["relu"] - share["tanh"] > 0.3
    assert findings(study) == []


def test_one_replicate_or_one_cell_cannot_show_anything():
    assert findings(made(GRID, replicates=1, symptom=planted(lambda at: at["lr"] == 1))) == []
    assert findings(made({"lr": [0.1]}, symptom="diverged")) == []
    assert findings(made(GRID, symptom="diverged")) == []
    assert findings(made(GRID)) == []


def test_the_number_of_tests_that_count_is_the_least_that_holds_its_own():
    rng = np.random.default_rng(0)
    for size in (1, 5, 50):
        least = 10.0 ** rng.uniform(-6, 0, size)
        holding = [k for k in range(1, size + 2) if np.sum(least <= 0.01 / k) <= k]
        assert counted(least, 0.01) == holding[0]
    assert counted(np.array([]), 0.01) == 1


def nothing_matters(seed, second, instep):
    """A sweep in which a dummy axis does nothing, whatever else there is.

    The loss and the symptom of a run depend on its replicate's luck and, where runs do not fail in
    step, on its own; a second axis may make them fail, too, but is not looked at.
    """
    rng = np.random.default_rng([seed, second, instep])
    replicates, levels = int(rng.integers(5, 21)), int(rng.integers(2, 5))
    share = rng.uniform(0.05, 0.95)
    axes = {"dummy": list("abcd")[:levels]} | ({"lr": [0.1, 1.0, 10.0]} if second else {})
    luck = rng.random(replicates)

    def run(at):
        own = luck[at["replicate"]] if instep else rng.random()
        return own + (0.3 * (at.get("lr", 0.1) > 1) if second else 0)

    study = made(axes, replicates=replicates, loss=run)
    study.frame["symptom"] = np.where(study.frame["final_loss"] > share, "dead_layer", "healthy")
    return study


KINDS = [(second, instep) for second in (False, True) for instep in (False, True)]


def reports_it(study):
    """Whether anything is said of the axis that does nothing."""
    blamed = any(f.axis == "dummy" or "dummy" in f.fixed for f in findings(study))
    return blamed or bool((comparisons(study)["verdict"] != "undecided").any())


def test_of_a_hundred_sweeps_in_which_an_axis_does_nothing_at_most_five_report_it(monkeypatch):
    monkeypatch.setattr(paired, "RESAMPLES", 2)  # intervals are not asked for
    assert sum(reports_it(nothing_matters(seed, *KINDS[seed % 4])) for seed in range(100)) <= 5


@pytest.mark.campaign
@pytest.mark.parametrize(("second", "instep"), KINDS)
def test_the_levels_are_kept_over_a_thousand_sweeps_in_which_an_axis_does_nothing(second, instep):
    studies = [nothing_matters(seed, second, instep) for seed in range(1000)]
    for level, isreported in (
        (LEVEL, lambda study: any("dummy" in (f.axis, *f.fixed) for f in findings(study))),
        (paired.LEVEL, lambda study: (comparisons(study)["verdict"] != "undecided").any()),
    ):
        hits = sum(map(isreported, studies))
        assert hits <= 1000 * level + 5 * math.sqrt(1000 * level * (1 - level))


def test_a_way_out_that_fails_otherwise_comes_after_one_that_does_not():
    # Small starts get stuck, large ones saturate, and only those between train.
    axes = {"init_scale": [0.001, 1.0, 1000.0]}
    study = made(axes, symptom=lambda at: ENDS[at["init_scale"]])
    kept = [(f.symptom, f.good, round(f.otherwise, 2)) for f in findings(study)]
    assert {row[:2] for row in kept[:2]} == {("stuck_at_prior", (1.0,)), ("saturated", (1.0,))}
    assert [share for *_, share in kept[:2]] == [0, 0]
    assert len(kept) == 2  # at 0.001 no run saturates, for all of them are stuck


ENDS = {0.001: "stuck_at_prior", 1.0: "healthy", 1000.0: "saturated"}


def test_enough_replicates_suffice_for_a_plain_failure_and_not_many_fewer_do():
    axes = {"activation": ["relu", "tanh"], "lr": [0.1, 1.0]}
    relu = planted(lambda at: at["activation"] == "relu")
    enough = enough_replicates(made(axes, symptom=relu, replicates=1))
    assert [f.axis for f in findings(made(axes, symptom=relu, replicates=enough))] == ["activation"]
    assert findings(made(axes, symptom=relu, replicates=enough - 2)) == []
