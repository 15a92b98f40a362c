"""The forum's programs, diagnosed: in agreement with finite differences and with their cases."""

import runpy
import subprocess
import sys
from functools import cache

import numpy as np
import pytest

from diagnosis import diagnose_file
from diagnosis.words import WORDS
from sweeps.cases import load
from tests.conftest import ROOT

FORUM = ROOT / "examples" / "forum"
POSTS = ("000", "001", "002", "003", "004")
# What the vocabulary calls defects of the catalogue that have names of their own there.
CALLED = {
    "loss_gradient_sign": {"sign_error"},
    "loss_gradient_parentheses": {"loss_gradient_mismatch"},
    "error_propagated_without_slope": {"missing_output_derivative", "missing_hidden_derivative"},
}


@cache
def answer(name):
    return diagnose_file(str(FORUM / f"{name}.py"))


def words(name):
    return {finding.defect for finding in answer(name).findings}


def wrong(name):
    return {array for array, check in answer(name).checks.items() if not check.ok}


def differing(name):
    """Return the arrays whose gradient is not the loss's, by central differences along a line."""
    names = runpy.run_path(str(FORUM / f"{name}.py"))
    X, Y, rng = names["X"], names["Y"], np.random.default_rng(5)
    point = {n: rng.normal(0, 0.4, np.shape(a)) for n, a in names["params"].items()}
    found = set()
    for array, value in point.items():
        along, h = rng.standard_normal(value.shape), 1e-6
        ends = [names["loss"]({**point, array: value + side * h * along}, X, Y) for side in (1, -1)]
        given = np.sum(np.asarray(names["grads"](point, X, Y)[array]) * along)
        slope = (ends[0] - ends[1]) / (2 * h)
        if abs(given - slope) > 1e-4 * (abs(given) + abs(slope)):
            found.add(array)
    return found


def shown(post):
    """Return the words for the defects that a case says its post shows."""
    factors = load(ROOT / "conf", post)["factors"].values()
    names = [
        defect.partition("@")[0]
        for factor in factors
        if not factor["open"]
        for defect in factor["posted"].get("defects", ())
    ]
    return set().union(*(CALLED.get(name, {name}) for name in names))


@pytest.mark.parametrize("post", POSTS)
def test_a_post_is_called_wrong_where_its_gradient_is_and_as_its_case_says(post):
    name = f"post_{post}"
    spoiled = differing(name)
    assert wrong(name) == spoiled
    assert (answer(name).kind == "gradient") == bool(spoiled)
    named = {word for word in words(name) if WORDS[word].kind == "gradient"}
    assert named == (shown(post) if spoiled else set())


@pytest.mark.parametrize(
    ("post", "kind", "found"),
    [
        ("000", "healthy", set()),
        ("001", "healthy", set()),
        (
            "002",
            "gradient",
            {
                "sign_error",
                "loss_gradient_mismatch",
                "derivative_of_other_activation",
                "derivative_at_preactivation",
            },
        ),
        ("003", "training", {"learning_rate_too_large"}),
        ("004", "gradient", {"missing_output_derivative", "missing_hidden_derivative"}),
    ],
)
def test_what_is_said_of_a_post(post, kind, found):
    assert (answer(f"post_{post}").kind, words(f"post_{post}")) == (kind, found)


@pytest.mark.parametrize("name", sorted(path.stem for path in FORUM.glob("mended_*.py")))
def test_mended_programs_are_healthy(name):
    assert differing(name) == set()
    assert (answer(name).kind, words(name), wrong(name)) == ("healthy", set(), set())


def test_a_reader_who_stops_early_gets_no_traceback():
    done = subprocess.run(  # noqa: S602 - a pipe is what is tested
        f"{sys.executable} {ROOT / 'diagnose.py'} --json | head -1",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert "Traceback" not in done.stderr
