"""The page of an answer: one file, the same each time, nothing in it runs, errors in proportion."""

import html
import re
from base64 import b64decode

import numpy as np
import pytest

from diagnosis import Answer
from diagnosis.answer import Alternative, Curves, Finding
from diagnosis.gradient import ArrayCheck
from diagnosis.page import page


def answer(errors, **more):
    checks = {n: ArrayCheck(e, e < 1e-6, 4, 4) for n, e in errors.items()}
    return Answer("net.py", "gradient", checks=checks, **more)


def pictures(text):
    found = re.findall(r'src="data:image/svg\+xml;base64,([^"]*)"', text)
    return [b64decode(svg).decode() for svg in found]


def x_axis(svg):
    """Return what is drawn of the horizontal axis, marks and numbers, without generated names."""
    axis = svg[svg.index('<g id="matplotlib.axis_1">') : svg.index('<g id="matplotlib.axis_2">')]
    return re.sub(r'(id|href)="[^"]*"', "", axis)


def marks(svg):
    """Return the horizontal places of the marks, in points."""
    groups = re.findall(r'<g id="(?:right|wrong)">(.*?)\n   </g>', svg, re.DOTALL)
    return [float(x) for group in groups for x in re.findall(r'<use [^>]*x="([\d.]+)"', group)]


def test_all_pages_have_one_scale_of_errors_so_that_rounding_looks_small():
    right = pictures(page(answer({"W1": 3e-16, "b1": 1e-16})))[0]
    wrong = pictures(page(answer({"W1": 0.5, "b1": 1e-16})))[0]
    assert x_axis(right) == x_axis(wrong)
    assert max(marks(right)) < 0.3 * max(marks(wrong))


@pytest.mark.parametrize("error", [0.0, 1e-300, float("inf"), 1e300])
def test_an_error_beyond_the_scale_is_drawn_at_its_end(error):
    [place] = marks(pictures(page(answer({"W1": error})))[0])
    ends = [marks(pictures(page(answer({"W1": e})))[0])[0] for e in (2e-17, 5.0)]
    assert ends[0] - 1e-6 <= place <= ends[1] + 1e-6


def test_names_and_sentences_of_a_program_are_text_and_nothing_else():
    name = '<script>alert("1")</script> $x'
    finding = Finding(
        "sign_error", (name,), name, 0.5, name, (Alternative((name,), name, name),), name
    )
    shown = answer(
        {name: 0.5}, findings=[finding], agreement=name, side_effects=[name], notes=[name]
    )
    shown.subject = name
    text = page(shown)
    assert "<script" not in text
    assert text.count(html.escape(name).replace("&quot;", "&#34;")) >= 10
    assert "<script" not in "".join(pictures(text))


def test_the_same_answer_is_the_same_page():
    shown = answer({"W1": 0.5}, curves=Curves(np.array([1.0, 0.5]), np.array([1.0, 0.1]), 2, 0.1))
    assert page(shown) == page(shown)
    assert len(pictures(page(shown))) == 2


def test_a_page_needs_nothing_else():
    text = page(answer({"W1": 0.5}))
    assert re.findall(r'(?:src|href)="(?!data:)', text) == []


def test_losses_that_are_no_numbers_or_below_zero_are_drawn():
    curves = Curves(np.array([1.0, np.nan, np.inf]), np.array([1.0, -1.0, 0.0]), 3, 0.1)
    assert len(pictures(page(answer({"W1": 0.5}, curves=curves)))) == 2


def test_a_program_that_could_not_be_run_has_a_page():
    text = page(Answer("net.py", error="It ended."))
    assert "<p>It ended.</p>" in text
    assert pictures(text) == []
