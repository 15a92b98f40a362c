"""What figures draw: their data, labels, legends and limits; not their pixels."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection, PolyCollection, QuadMesh
from test_frames import made

from analysis.curves import by_axis, inside
from analysis.figures.bars import draw_effects, draw_shares, label
from analysis.figures.curves import draw_inside, draw_losses, palette
from analysis.figures.phase import Mark, draw_dots, draw_line, draw_map
from analysis.figures.style import COLORS, house_style, is_spaced_by_factors, named, ticks
from analysis.phase import phase

ODD = ["$x^$", "_y", "<b>", "a b", r"\frac", "100 %"]


@pytest.fixture(autouse=True)
def _style():
    with house_style():
        yield


def drawn(figure):
    """Draw a figure, which lays it out and reads every text, and return its axes."""
    figure.canvas.draw()
    return [axes for axes in figure.axes if axes.axison]


def shown(text):
    """What a reader sees of a text: a dollar sign that was kept from meaning mathematics."""
    assert not text.get_parse_math() or text.get_text().replace(r"\$", "").count("$") < 2
    return text.get_text().replace(r"\$", "$")


def legend(holder):
    [found] = holder.legends if hasattr(holder, "legends") else [holder.get_legend()]
    return [shown(text) for text in found.get_texts()]


def map_of(xs, ys, facets=("relu",), **options):
    axes = {"activation": list(facets), "depth": ys, "lr": xs}
    study = made(axes, replicates=2, **options)
    return phase(study, "slow", "lr", "depth", {})


SHARES = {"symptom": lambda at: "slow" if (at["depth"] + at["replicate"]) % 3 else "healthy"}


@pytest.mark.parametrize(("n_x", "n_y"), [(1, 1), (5, 2), (25, 20)], ids=["1", "10", "500"])
def test_a_map_draws_the_rate_of_every_cell(n_x, n_y):
    xs, ys = list(np.logspace(-3, 1, n_x).round(6)), list(range(1, n_y + 1))
    it = map_of(xs, ys, **SHARES)
    figure = draw_map(it, "Slow: share of runs")
    axes, bar = drawn(figure)
    [mesh] = [c for c in axes.collections if isinstance(c, QuadMesh)]
    np.testing.assert_array_equal(mesh.get_array().reshape(n_y, n_x), it.panels[0].rate)
    assert mesh.get_clim() == (0, 1)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("learning rate", "hidden layers")
    assert bar.get_ylabel() == "share of runs"
    assert [shown(t) for t in bar.get_yticklabels()] == ["none", "25 %", "50 %", "75 %", "all"]
    written = {t.get_position(): t.get_text() for t in axes.texts}
    if max(n_x, n_y) > 8:
        assert written == {}
    else:
        assert written == {
            (c + 0.5, r + 0.5): f"{100 * rate:.0f}"
            for (r, c), rate in np.ndenumerate(it.panels[0].rate)
        }


def test_a_map_has_a_panel_a_facet_and_its_outer_ones_are_labeled():
    it = map_of([0.1, 1.0], [1, 2], ODD, **SHARES)
    *panels, _ = drawn(draw_map(it, "Slow"))
    assert len(panels) == 6
    for name, axes in zip(ODD, panels, strict=True):
        assert name in shown(axes.title)
    assert [bool(axes.get_ylabel()) for axes in panels] == [k % 3 == 0 for k in range(6)]
    assert [bool(axes.get_xlabel()) for axes in panels] == [k + 3 >= 6 for k in range(6)]


def test_cells_that_were_not_trained_are_told_from_none():
    it = map_of(
        [0.1, 1.0], [1, 2], only=lambda at: at["lr"] < 1 or at["depth"] == 1, symptom="slow"
    )
    figure = draw_map(it, "Slow")
    axes = drawn(figure)[0]
    [mesh] = [c for c in axes.collections if isinstance(c, QuadMesh)]
    assert np.ma.getmaskarray(mesh.get_array()).ravel().tolist() == [False, False, False, True]
    assert legend(figure) == ["not trained"]


def test_a_finding_is_framed_and_numbered_where_it_is():
    it = map_of([0.1, 1.0, 10.0], [1, 2], **SHARES)
    axes = drawn(draw_map(it, "Slow", [Mark(3, 0, (1,), (1, 2))]))[0]
    [frame] = [p for p in axes.patches if not p.get_fill()]
    assert (frame.get_xy(), frame.get_width(), frame.get_height()) == ((1, 1), 2, 1)
    assert [t.get_text() for t in axes.texts if t.get_position() == (0, 0)] == ["3"]


def rates(labels, key, **columns):
    rows = [
        {key: at, "symptom": symptom, "hits": 1, "rate": rate}
        | {"low": rate / 2, "high": (1 + rate) / 2}
        for at in labels
        for symptom, rate in (("slow", 0.25), ("dead layer", 0.5))
    ]
    return pd.DataFrame(rows).assign(**columns)


TWO = {"slow": COLORS[1], "dead layer": COLORS[3]}


@pytest.mark.parametrize("n", [1, 10, 40])
def test_rates_along_an_axis_are_lines_with_their_intervals(n):
    lrs = np.logspace(-3, 1, n)
    figure = draw_line(rates(lrs, "lr", panel=""), "lr", TWO, "Failures")
    [axes] = drawn(figure)
    lines = [line for line in axes.get_lines() if line.get_linestyle() == "-"]
    assert [list(line.get_ydata()) for line in lines] == [[0.25] * n, [0.5] * n]
    assert [list(line.get_xdata()) for line in lines] == [list(lrs)] * 2
    ends = [
        [tuple(path.vertices[:, 1]) for path in c.get_paths()]
        for c in axes.collections
        if isinstance(c, LineCollection)
    ]
    assert ends == [[(0.125, 0.625)] * n, [(0.25, 0.75)] * n]
    assert axes.get_xscale() == ("log" if n > 1 else "linear")
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("learning rate", "share of runs")
    assert legend(figure) == ["slow", "dead layer"]
    low, high = axes.get_ylim()
    assert low < 0 < 1 < high


def test_rates_in_cells_are_dots_at_their_labels():
    figure = draw_dots(rates(ODD, "label"), TWO, "Failures")
    [axes] = drawn(figure)
    assert [shown(t) for t in axes.get_yticklabels()] == ODD
    for line, rate in zip(axes.get_lines(), (0.25, 0.5), strict=True):
        assert list(line.get_xdata()) == [rate] * 6
        np.testing.assert_allclose(np.round(line.get_ydata()), range(6))
    assert legend(figure) == ["slow", "dead layer"]
    assert axes.get_xlabel() == "share of runs"


def losses(levels, **options):
    return {"data.target": by_axis(made({"data.target": levels}, **options), "data.target")}


def test_curves_are_the_medians_with_their_intervals():
    tables = losses(["a", "b"], loss=lambda at: 0.1 + 0.01 * at["replicate"])
    [axes] = drawn(draw_losses(tables, 0.5, "Loss", isnumeric=[]))
    table = tables["data.target"]
    curves = [list(line.get_ydata()) for line in axes.get_lines()]
    for level in ("a", "b"):
        assert list(table.loc[table["level"] == level, "median"]) in curves
    assert any(list(line.get_ydata()) == [0.5, 0.5] for line in axes.get_lines())
    assert [shown(t) for t in axes.texts] == ["guessing 0.5"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epoch", "loss")
    bands = [c for c in axes.collections if isinstance(c, PolyCollection)]
    assert len(bands) == 2
    assert legend(axes) == ["a", "b"]


def test_levels_with_signs_of_mathematics_or_an_underscore_are_in_the_legend_as_they_are():
    [axes] = drawn(draw_losses(losses(ODD), None, "Loss", isnumeric=[]))
    assert legend(axes) == ODD


def test_one_cell_has_one_curve_and_no_legend():
    table = {"": by_axis(made({}), None)}
    [axes] = drawn(draw_losses(table, np.log(2), "Loss", isnumeric=[]))
    assert axes.get_legend() is None
    assert axes.get_ylabel() == "loss"


def test_losses_that_became_infinite_leave_at_the_top():
    tables = losses(["a", "b"], loss=lambda at: np.inf if at["data.target"] == "b" else 0.1)
    [axes] = drawn(draw_losses(tables, 0.7, "Loss", isnumeric=[]))
    assert np.isfinite(axes.get_ylim()).all()
    everything = losses(["a", "b"], loss=np.inf)
    [axes] = drawn(draw_losses(everything, 0.7, "Loss", isnumeric=[]))
    assert np.isfinite(axes.get_ylim()).all()


@pytest.mark.parametrize(("end", "scale"), [(0.01, "log"), (0.5, "linear"), (0.0, "linear")])
def test_losses_over_more_than_a_factor_of_ten_are_on_a_logarithmic_scale(end, scale):
    [axes] = drawn(draw_losses(losses(["a"], loss=end), None, "Loss", isnumeric=[]))
    assert axes.get_yscale() == scale


def test_every_panel_of_curves_has_its_label():
    axes = {"depth": [1, 2], "init": ["a", "b"], "lr": [0.1, 1.0], "seed": [0, 1]}
    study = made(axes, replicates=1)
    tables = {axis: by_axis(study, axis) for axis in axes}
    panels = drawn(draw_losses(tables, None, "Loss", isnumeric=study.numeric))
    assert [axes.get_ylabel() for axes in panels] == ["loss", "", "loss", ""]
    assert [axes.get_xlabel() for axes in panels] == ["", "", "epoch", "epoch"]
    titles = [shown(axes.get_legend().get_title()) for axes in panels]
    assert titles == ["hidden layers", "initializer", "learning rate", "seed"]


def layers(depth, value=1.0):
    rows = [
        {"layer": layer, "epoch": epoch, "median": value * layer + epoch}
        for epoch in (0, 1, 10)
        for layer in range(1, depth + 1)
    ]
    return pd.DataFrame(rows)


def test_inside_draws_a_line_a_layer_and_a_column_a_cell():
    cells = {
        "worst: loss 1\nlr $x^$": {"grad_norm": layers(3), "dead_fraction": layers(3, 0.1)},
        "best: loss 0.1": {"grad_norm": layers(2), "dead_fraction": layers(2, 0.1)},
    }
    figure = draw_inside(cells, "Inside the network")
    panels = drawn(figure)
    assert [len(axes.get_lines()) for axes in panels] == [3, 2, 3, 2]
    for axes in panels[:2]:
        for layer, line in enumerate(axes.get_lines(), start=1):
            assert list(line.get_ydata()) == [layer, layer + 1, layer + 10]
            assert list(line.get_xdata()) == [0, 1, 10]
    assert shown(panels[0].title) == "worst: loss 1\nlr $x^$"
    assert panels[0].get_ylabel() == "norm of dL/dW"
    assert panels[2].get_ylabel() == "share of dead units"
    assert [axes.get_xlabel() for axes in panels] == ["", "", "epoch", "epoch"]
    assert legend(figure) == ["1", "2", "3", "output"]


def test_a_cell_without_records_beside_one_with_them():
    empty = inside(made({}), 0, "grad_norm")
    cells = {
        "worst": {"grad_norm": empty, "dead_fraction": empty},
        "best": {"grad_norm": layers(2), "dead_fraction": empty},
    }
    panels = drawn(draw_inside(cells, "Inside"))
    assert [len(axes.get_lines()) for axes in panels] == [0, 2]


def test_effects_are_shares_of_pairs_to_both_sides():
    table = pd.DataFrame(
        {
            "label_a": ODD,
            "label_b": ODD[::-1],
            "a_share": [0.1 * k for k in range(6)],
            "b_share": [0.5] * 6,
            "verdict": ["a", "undecided", "b", "b", "a", "undecided"],
        }
    )
    figure = draw_effects(table, "Which level ends lower")
    [axes] = drawn(figure)
    widths = [bar.get_width() for bar in axes.patches]
    np.testing.assert_allclose(widths[:6], -table["a_share"])
    np.testing.assert_allclose(widths[6:], table["b_share"])
    assert [bar.get_alpha() for bar in axes.patches[:6]] == [1, 0.35, 1, 1, 1, 0.35]
    assert [shown(t) for t in axes.get_yticklabels()] == ODD
    [right] = axes.child_axes
    assert [shown(t) for t in right.get_yticklabels()] == ODD[::-1]
    assert "lower loss" in axes.get_xlabel()


@pytest.mark.parametrize("n", [1, 10])
def test_shares_are_bars_with_intervals(n):
    table = pd.DataFrame(
        {
            "label": [f"axis {k} $x^$" for k in range(n)],
            "share": [1 / (k + 2) for k in range(n)],
            "low": [np.nan if k == 1 else 0.0 for k in range(n)],
            "high": [np.nan if k == 1 else 0.8 for k in range(n)],
            "kind": ["axis" if k % 2 else "other" for k in range(n)],
        }
    )
    [axes] = drawn(draw_shares(table, "What the final loss depends on"))
    bars = sorted((round(p.get_y() + p.get_height() / 2), p.get_width()) for p in axes.patches)
    assert [width for _, width in bars if width] == pytest.approx(list(table["share"]))
    assert [shown(t) for t in axes.get_yticklabels()] == list(table["label"])
    assert axes.get_xlim() == (0, pytest.approx(1.08 * 0.8))
    assert "variance" in axes.get_xlabel()


def test_terms_are_named_in_words():
    assert label(("lr",)) == "learning rate"
    assert label(("lr", "init_scale")) == "learning rate × scale of the initial weights"
    assert label(("replicates",)) == "other random numbers"
    assert named("weight_decay") == "weight decay"


def test_colors_of_quantities_have_an_order_and_those_of_names_differ():
    assert len(set(palette(8, hasorder=False))) == 8
    gray = [np.dot(color, (0.299, 0.587, 0.114)) for color in palette(6, hasorder=True)]
    assert gray == sorted(gray, reverse=True)


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([0.1], ["0.1"]),
        ([2, 4, 8], ["2", "4", "8"]),
        (list(np.logspace(-2, 1, 13)), ["0.01", "0.1", "1", "10"]),
        (list(range(10)), ["0", "2", "4", "6", "8"]),
    ],
)
def test_ticks_stand_in_the_middle_of_cells(values, labels):
    at, written = ticks(values)
    assert written == labels
    for place, text in zip(at, written, strict=True):
        assert values[int(place)] == pytest.approx(float(text), rel=1e-6)


def test_a_scale_by_factors_needs_positive_values_that_span_some():
    assert is_spaced_by_factors([0.1, 10])
    assert not is_spaced_by_factors([1, 2])
    assert not is_spaced_by_factors([0, 100])
    assert not is_spaced_by_factors([-1, 100])
