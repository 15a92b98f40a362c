"""Intervals of rates and medians, against scipy, closed forms and their own coverage."""

import math

import numpy as np
import pytest
from scipy import stats

from analysis.intervals import CONFIDENCE, Z, effective_size, median_interval, median_rank, wilson
from sweeps import summary

COUNTS = [(hits, n) for n in (1, 2, 5, 19, 60, 1000) for hits in {0, 1, n // 3, n // 2, n - 1, n}]


@pytest.mark.parametrize(("hits", "n"), COUNTS)
def test_an_interval_of_a_rate_is_that_of_scipy(hits, n):
    expected = stats.binomtest(hits, n).proportion_ci(CONFIDENCE, method="wilson")
    np.testing.assert_allclose(wilson(hits, n), (expected.low, expected.high), rtol=1e-12)


def test_intervals_of_many_rates_are_those_of_each():
    hits, n = map(np.array, zip(*COUNTS, strict=True))
    low, high = wilson(hits, n)
    alone = [wilson(*pair) for pair in COUNTS]
    np.testing.assert_array_equal(np.column_stack([low, high]), alone)


def test_none_and_all_of_a_few_reach_the_ends_and_nothing_is_known_of_no_runs():
    # Wilson's interval at 0 of n is [0, z^2 / (n + z^2)]: 0 of 20 and 20 of 20 of the README.
    edge = Z**2 / (20 + Z**2)
    assert wilson(0, 20) == (0, pytest.approx(edge, rel=1e-12))
    assert wilson(20, 20) == (pytest.approx(1 - edge, rel=1e-12), 1)
    assert wilson(0, 0) == (0, 1)
    assert pytest.approx(stats.norm.ppf(0.975), rel=1e-15) == Z


@pytest.mark.parametrize("n", [*range(1, 40), 100, 1001])
def test_the_ranks_around_the_median_are_the_innermost_that_reach_the_confidence(n):
    k = median_rank(n)
    covered = [1 - 2 * stats.binom.cdf(j - 1, n, 0.5) for j in (k, k + 1)]
    if k:
        assert covered[0] >= CONFIDENCE
    assert covered[1] < CONFIDENCE
    assert (k == 0) == (n < 6)


@pytest.mark.parametrize("n", [6, 7, 20, 33, 150])
def test_an_interval_of_a_median_is_that_of_scipy(n):
    values = np.random.default_rng(n).standard_cauchy(n)
    middle, low, high = median_interval(values)
    expected = stats.quantile_test(values, q=0, p=0.5).confidence_interval(CONFIDENCE)
    assert (low, high) == (expected.low, expected.high)
    assert middle == np.median(values)


@pytest.mark.parametrize("n", [*range(1, 60), 200])
def test_the_table_of_a_sweep_and_its_report_give_the_same_interval(n):
    values = np.random.default_rng(n).exponential(size=n)
    _, low, high = median_interval(values)
    printed = summary.median_interval(values)
    assert printed == (None if n < 6 else (low, high))


@pytest.mark.parametrize("n", [6, 11, 20])
def test_the_interval_covers_the_median_as_often_as_order_statistics_do(n):
    draws = 20_000
    values = np.random.default_rng(3).exponential(size=(n, draws))
    _, low, high = median_interval(values)
    hits = np.count_nonzero((low <= math.log(2)) & (math.log(2) <= high))
    exact = 1 - 2 * stats.binom.cdf(median_rank(n) - 1, n, 0.5)
    # Five deviations of a count that is binomial.
    assert abs(hits - exact * draws) <= 5 * math.sqrt(draws * exact * (1 - exact))
    assert exact >= CONFIDENCE


def test_infinite_values_count_and_missing_ones_do_not():
    inf, nan = np.inf, np.nan
    columns = {
        "six diverged of ten": ([1, 2, 3, 4, *[inf] * 6], (inf, 2, inf)),
        "five of ten": ([1, 2, 3, 4, 5, *[inf] * 5], (inf, 2, inf)),
        "one of ten": ([1, 2, 3, 4, 5, 6, 7, 8, 9, inf], (5.5, 2, 9)),
        "four are missing": ([6, 5, 4, 3, 2, 1, *[nan] * 4], (3.5, 1, 6)),
        "five are missing": ([5, 4, 3, 2, 1, *[nan] * 5], (3, nan, nan)),
        "all are missing": ([nan] * 10, (nan, nan, nan)),
        "large": ([1.5e308] * 10, (1.5e308, 1.5e308, 1.5e308)),
    }
    values = np.array([column for column, _ in columns.values()]).T
    expected = np.array([three for _, three in columns.values()]).T
    np.testing.assert_array_equal(median_interval(values), expected)
    for column, three in columns.values():
        np.testing.assert_array_equal(median_interval(column), three)


def test_runs_in_step_are_worth_one_less_than_their_replicates():
    # Of U replicates, all of whose m runs fail or none, the rate of hits is a mean of U zeros and
    # ones, whose variance is estimated as p (1 - p) / (U - 1).
    assert effective_size([5, 0, 5, 0], [5] * 4) == pytest.approx(3)
    assert effective_size([8] * 6 + [0] * 14, [8] * 20) == pytest.approx(19)


def test_runs_that_fail_in_turn_are_worth_all_but_what_few_replicates_cannot_tell():
    # Each replicate fails in one of its two runs, so replicates do not differ at all. Student's t
    # at 97.5 % is 2.093 with 19 and 2.262 with 9 degrees of freedom, in every printed table.
    assert effective_size([1] * 10, [2] * 10) == pytest.approx(20 * (2.093 / 2.262) ** 2, rel=1e-3)


def test_a_mixed_case_by_hand():
    # p = 12/24. Residuals (h - 3)/24 = 1/24, -1/24, 2/24, -2/24: squares sum to 10/576; variance
    # 4/3 * 10/576 = 5/216; p (1 - p) / variance = 10.8. t(23) = 2.069, t(3) = 3.182.
    size = effective_size([4, 2, 5, 1], [6, 6, 6, 6])
    assert size == pytest.approx(10.8 * (2.069 / 3.182) ** 2, rel=1e-3)


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_independent_runs_are_worth_about_their_number(share):
    units, each = 400, 5
    hits = np.random.default_rng(1).binomial(each, share, units)
    size = effective_size(hits, np.full(units, each))
    # A variance from U values has a relative deviation of sqrt(2 / (U - 1)), wider by the kurtosis
    # of rates of five; five of them, and Student's factor is within 1 % of 1.
    kurtosis = (1 - 6 * share * (1 - share)) / (each * share * (1 - share))
    assert size == pytest.approx(units * each, rel=5 * math.sqrt((2 + kurtosis) / units) + 0.01)


def test_nothing_tells_how_runs_of_a_replicate_hang_together_where_all_or_none_fail():
    assert effective_size([0] * 7, [9] * 7) == 7
    assert effective_size([9] * 7, [9] * 7) == 7
    assert effective_size([3], [9]) == 1


@pytest.mark.parametrize("instep", [0.0, 0.5, 1.0])
def test_intervals_of_clustered_runs_cover_their_rate(instep):
    # A replicate's runs share one draw with probability `instep`, else each has its own.
    rng, units, each, share, draws = np.random.default_rng(5), 12, 8, 0.3, 2000
    covered = 0
    for _ in range(draws):
        own = rng.random((units, each)) < share
        together = np.where(rng.random((units, 1)) < instep, rng.random((units, 1)) < share, own)
        hits, runs = together.sum(axis=1), np.full(units, each)
        size = effective_size(hits, runs)
        low, high = wilson(hits.sum() / runs.sum() * size, size)
        covered += bool(low <= share <= high)
    # Wilson's interval itself covers 12 runs at 0.3 with 0.9 at the least (Brown, Cai & DasGupta
    # 2001, figure 5 shows its dips); five deviations of the count below that.
    assert covered / draws >= 0.93 - 5 * math.sqrt(0.93 * 0.07 / draws)
