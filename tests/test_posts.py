"""Pages of forum posts: sentences from verdicts, figures from effects."""

import pandas as pd
import pytest

from analysis.figures.cases import VERDICT_COLORS, draw_endings, draw_suspects
from analysis.figures.style import house_style
from analysis.forum import Measured
from analysis.report import posts
from analysis.shares import Estimate
from analysis.verdicts import Judgment

CASE = {"complaint": {"final_loss": [0.69, 0.70]}}


def effects(**verdicts):
    rows = [
        {"factor": factor, "verdict": verdict, "alone": 0.5, "alone_low": 0.3, "alone_high": 0.7}
        | {"in_mended": -0.1, "in_mended_low": -0.2, "in_mended_high": 0.0}
        for factor, verdict in verdicts.items()
    ]
    return pd.DataFrame(rows)


def measured(name, data, complaint, decided=True, **verdicts):
    judgment = Judgment(
        decided,
        Estimate(0.0, 0.0, 0.1),
        Estimate(1.0, 0.9, 1.0),
        effects(**verdicts),
        pd.DataFrame(),
        [],
        [],
        pd.DataFrame(),
    )
    return Measured(name, data, tuple(verdicts), pd.DataFrame(), judgment, complaint)


SEEN, UNSEEN = Estimate(1.0, 0.9, 1.0), Estimate(0.0, 0.0, 0.1)


def test_the_answer_counts_only_scenarios_that_show_the_complaint():
    scenarios = [
        measured("typed", "moons", UNSEEN, sign="guilty"),
        measured("small", "moons", SEEN, sign="innocent", init="guilty"),
        measured("small", "circles", SEEN, sign="latent", init="guilty"),
    ]
    assert posts.answer(CASE, scenarios) == [
        "The complaint appears in 2 of 3 scenarios and data sets: small (moons, circles).",
        "Guilty there: init (2 of 2).",
        "Latent there: sign (1 of 2).",
        "Innocent there: sign (1 of 2).",
    ]


def test_the_answer_takes_all_scenarios_where_none_shows_the_complaint():
    scenarios = [measured("typed", "moons", UNSEEN, sign="guilty")]
    assert posts.answer(CASE, scenarios) == [
        "The complaint appears in 0 of 1 scenarios and data sets.",
        "Guilty over all of them: sign (1 of 1).",
    ]


def test_the_answer_says_where_nothing_can_be_decided():
    scenarios = [measured("typed", "moons", SEEN, decided=False, sign="undecided")]
    assert posts.answer(CASE, scenarios)[-1] == (
        "In 1 of these the mended program does not clearly train either, so nothing is decided."
    )


def test_the_definitions_are_those_the_judgment_states():
    words = dict(posts.definitions())
    assert list(words) == ["Trains", "Minimal set", "Guilty", "Latent", "Innocent", "Undecided"]
    assert "0.2" in words["Guilty"]
    assert all(text.endswith(".") and not text.startswith("*") for text in words.values())


def test_the_index_links_every_post_and_shows_names_as_text(tmp_path):
    factor = {"factor": "<b>sign</b>", "verdict": "guilty"}
    scenario = {"complaint": True, "factors": [factor]}
    found = {"007": {"scenarios": [scenario], "claims": [{"verdict": "refuted"}]}}
    page = posts.write_index({"007": {"title": "Why & how"}}, found, tmp_path, 30)
    html = page.read_text()
    assert "can be found innocent" not in html
    assert 'href="007/index.html"' in html
    assert "Why &amp; how" in html
    assert "&lt;b&gt;sign&lt;/b&gt;" in html
    assert "<b>sign" not in html
    assert "1 of 1 scenarios" in html
    assert "0 supported, 1 refuted, 0 undecided" in html


def test_the_index_says_where_so_few_replicates_find_no_innocence(tmp_path):
    page = posts.write_index({}, {}, tmp_path, 6)
    assert (
        "With 6 replicates a cell no factor can be found innocent, which takes 26, nor latent or "
        "guilty only with others, which takes 16 or more." in page.read_text()
    )


@pytest.fixture
def style():
    with house_style():
        yield


def test_suspects_are_drawn_at_their_effects_in_the_color_of_the_verdict(style):
    table = effects(sign="guilty", init="innocent")
    figure = draw_suspects({"moons": table, "circles": table}, "What each does")
    left, right = figure.axes
    assert [axes.get_title() for axes in (left, right)] == ["moons", "circles"]
    assert [label.get_text() for label in left.get_yticklabels()] == ["sign", "init"]
    alone, in_mended = left.collections[1], left.collections[3]
    assert alone.get_offsets()[:, 0].tolist() == [0.5, 0.5]
    assert in_mended.get_offsets()[:, 0].tolist() == [-0.1, -0.1]
    from matplotlib.colors import to_rgba

    expected = [to_rgba(VERDICT_COLORS[v]) for v in ("guilty", "innocent")]
    assert [tuple(color) for color in alone.get_facecolors()] == expected
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["guilty", "innocent", "in the posted program", "in the mended one"]


def test_endings_are_drawn_with_the_loss_of_guessing(style):
    rows = [
        {"level": level, "epoch": epoch, "median": loss, "low": loss, "high": loss}
        for level, losses in {"as posted": (0.7, 0.69), "all mended": (0.7, 0.02)}.items()
        for epoch, loss in zip((0, 10), losses, strict=True)
    ]
    figure = draw_endings({"typed, moons": pd.DataFrame(rows)}, 0.693, "As posted, and mended")
    [axes] = figure.axes
    drawn = {tuple(line.get_ydata()) for line in axes.get_lines()}
    assert {(0.7, 0.69), (0.7, 0.02)} <= drawn
    assert "guessing 0.693" in [text.get_text() for text in axes.texts]
    assert axes.get_title() == "typed, moons"
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["as posted", "all mended"]
