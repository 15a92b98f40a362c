"""What a heatmap shows: its numbers, its labels, its color scale, and what it refuses."""

import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from analysis.heatmap import ABOVE_PRIOR, draw, limits, main, ticks
from analysis.maps import medians

ROOT = Path(__file__).resolve().parents[1]
LN2 = 0.6931471805599453


def frame_of(losses, prior=LN2):
    """A row a run from {(activation, lr, scale): losses of its replicates}."""
    rows = []
    for cell, ((activation, lr, scale), values) in enumerate(losses.items()):
        rows += [
            {"cell": cell, "activation": activation, "lr": lr, "init_scale": scale}
            | {"final_loss": value, "prior_loss": prior, "steps": 10 * k}
            | {"outcome": "finished" if np.isfinite(value) else "diverged"}
            for k, value in enumerate(values)
        ]
    return pd.DataFrame(rows)


AXES = ["activation", "lr", "init_scale"]
LOSSES = {
    (activation, lr, scale): [base + lr + scale] * 3
    for base, activation in ((0.0, "relu"), (0.1, "tanh"))
    for lr in (0.1, 0.2)
    for scale in (0.01, 0.02, 0.03)
}


@pytest.fixture(autouse=True)
def _off_screen():
    plt.switch_backend("agg")
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("heatmap") / "store"
    command = [sys.executable, "train.py", "-m", "activation=relu,tanh", "lr=0.1,1"]
    command += ["init_scale=0.1,1", "data=xor", "epochs=2", "replicates=2", "name=small"]
    subprocess.run([*command, f"store={folder}"], cwd=ROOT, check=True, capture_output=True)
    command = [sys.executable, "train.py", "data=xor", "epochs=1", "replicates=1", "name=single"]
    subprocess.run([*command, f"store={folder}"], cwd=ROOT, check=True, capture_output=True)
    return folder


def drawn(losses=LOSSES, axes=AXES, x=None, y=None, value="final_loss", **options):
    return medians(frame_of(losses, **options), axes, x, y, value)


def test_a_panel_holds_the_median_of_each_cell():
    losses = dict(LOSSES)
    losses["relu", 0.2, 0.03] = [1.0, 5.0, 2.0]
    panels = drawn(losses).panels
    assert list(panels) == ["activation = relu", "activation = tanh"]
    assert panels["activation = relu"].loc[0.03, 0.2] == 2.0
    assert panels["activation = tanh"].loc[0.01, 0.1] == pytest.approx(0.21)
    assert list(panels["activation = relu"].columns) == [0.1, 0.2]
    assert list(panels["activation = relu"].index) == [0.01, 0.02, 0.03]


@pytest.mark.parametrize("diverged", [np.nan, np.inf, -np.inf])
def test_a_diverged_run_counts_as_an_infinite_loss(diverged):
    losses = LOSSES | {("relu", 0.1, 0.01): [0.1, diverged, 0.3]}
    losses |= {("tanh", 0.1, 0.01): [0.1, diverged, diverged]}
    panels = drawn(losses).panels
    assert panels["activation = relu"].loc[0.01, 0.1] == 0.3
    assert panels["activation = tanh"].loc[0.01, 0.1] == np.inf


def test_axes_can_be_exchanged():
    asked = drawn(x="init_scale")
    assert (asked.x, asked.y) == ("init_scale", "lr")
    usual = drawn()
    for title, table in asked.panels.items():
        assert table.T.equals(usual.panels[title])


def test_a_sweep_of_two_axes_has_one_panel_without_a_title():
    losses = {cell: values for cell, values in LOSSES.items() if cell[0] == "relu"}
    assert list(drawn(losses, axes=["lr", "init_scale"]).panels) == [""]


def test_panels_may_stand_for_lists_and_for_null():
    frame = frame_of(LOSSES)
    frame["width"] = [(8, 4), (16,)] * (len(frame) // 2)
    frame["data.noise"] = [None, None, 0.5] * (len(frame) // 3)
    asked = medians(frame, ["width", "data.noise", "lr", "init_scale"], "lr", None, "final_loss")
    assert (asked.x, asked.y) == ("lr", "init_scale")  # with more levels than the noise
    asked = medians(frame, ["width", "data.noise", *AXES[1:]], "lr", "init_scale", "final_loss")
    assert list(asked.panels) == [
        "width = [8, 4], data.noise = null",
        "width = [8, 4], data.noise = 0.5",
        "width = [16], data.noise = null",
        "width = [16], data.noise = 0.5",
    ]
    assert all(table.notna().to_numpy().any() for table in asked.panels.values())


def test_cells_left_out_of_a_sweep_are_empty():
    losses = {cell: values for cell, values in LOSSES.items() if cell != ("relu", 0.1, 0.01)}
    table = drawn(losses).panels["activation = relu"]
    assert np.isnan(table.loc[0.01, 0.1])
    assert table.size == 6


def test_the_prior_is_none_where_there_are_several_or_the_value_is_no_loss():
    frame = frame_of(LOSSES)
    assert medians(frame, AXES, None, None, "final_loss").prior == LN2
    assert medians(frame, AXES, None, None, "steps").prior is None
    frame.loc[0, "prior_loss"] = 1.0
    assert medians(frame, AXES, None, None, "final_loss").prior is None


def test_the_color_scale_is_one_and_ends_above_the_prior():
    figure = draw(drawn(LOSSES | {("tanh", 0.1, 0.01): [90.0] * 3}))
    meshes = [axes.collections[0] for axes in figure.axes[:2]]
    assert [mesh.get_clim() for mesh in meshes] == [(0.0, ABOVE_PRIOR * LN2)] * 2
    assert figure.axes[2]._colorbar.extend == "max"


def test_the_color_scale_of_another_value_spans_its_medians():
    asked = drawn(value="steps")
    assert limits(asked) == (10.0, 10.0)
    assert draw(asked).axes[2]._colorbar.extend == "neither"


def test_a_panel_draws_its_table_with_large_values_up_and_right():
    asked = drawn()
    panel = draw(asked).axes[0]
    mesh = panel.collections[0]
    assert np.array_equal(mesh.get_array().reshape(3, 2), asked.panels["activation = relu"])
    assert panel.get_ylim()[0] < panel.get_ylim()[1]
    assert panel.get_xlim()[0] < panel.get_xlim()[1]


def test_words_on_the_picture():
    figure = draw(drawn())
    left, right, bar = figure.axes
    assert [panel.get_title() for panel in (left, right)] == [
        "activation = relu",
        "activation = tanh",
    ]
    assert figure.get_suptitle() == "Final loss, median of 3 runs"
    assert left.get_xlabel() == right.get_xlabel() == "learning rate"
    assert left.get_ylabel() == "scale of the initial weights"
    assert right.get_ylabel() == ""
    assert [t.get_text() for t in left.get_xticklabels()] == ["0.1", "0.2"]
    assert [t.get_text() for t in left.get_yticklabels()] == ["0.01", "0.02", "0.03"]
    assert "0.693 prior" in [t.get_text() for t in bar.get_yticklabels()]
    assert figure.legends == []


def test_the_prior_is_marked_where_it_lies():
    bar = draw(drawn()).axes[2]
    labels = {t.get_text(): t.get_position()[1] for t in bar.get_yticklabels()}
    assert labels["0.693 prior"] == LN2
    assert LN2 in [line.get_ydata()[0] for line in bar.lines if len(line.get_ydata())]


def test_cells_without_a_color_are_explained():
    losses = LOSSES | {("relu", 0.1, 0.01): [np.inf] * 3}
    del losses["tanh", 0.2, 0.02]
    [legend] = draw(drawn(losses)).legends
    [text] = legend.get_texts()
    assert text.get_text() == "half of the runs or more diverged or nothing to show"


def test_ten_panels_stand_in_rows_of_four():
    frame = frame_of(LOSSES)
    frame = pd.concat([frame.assign(depth=depth) for depth in range(1, 6)])
    figure = draw(medians(frame, [*AXES, "depth"], "lr", "init_scale", "final_loss"))
    titled = [axes for axes in figure.axes if axes.get_title()]
    assert len(titled) == 10
    assert titled[0].get_title() == "activation = relu, depth = 1"
    assert [bool(axes.get_xlabel()) for axes in titled] == [False] * 6 + [True] * 4


def test_powers_of_ten_label_an_axis_of_many_equal_factors():
    positions, labels = ticks(np.geomspace(0.01, 10, 13).tolist())
    assert labels == ["0.01", "0.1", "1", "10"]
    assert positions == pytest.approx([0.5, 4.5, 8.5, 12.5])


def test_powers_of_ten_may_lie_between_cells():
    positions, labels = ticks([2 * 1.8**k for k in range(10)])
    assert labels == ["10", "100"]
    # 2 * 1.8^k = 10 at k = log 5 / log 1.8, and the middle of cell k lies at k + 1/2.
    expected = [0.5 + np.log(value / 2) / np.log(1.8) for value in (10, 100)]
    assert positions == pytest.approx(expected)


def test_many_evenly_spaced_values_are_labeled_in_steps():
    assert ticks([float(v) for v in range(1, 21)]) == (
        [0.5, 3.5, 6.5, 9.5, 12.5, 15.5, 18.5],
        ["1", "4", "7", "10", "13", "16", "19"],
    )


NEEDS_TWO = (
    "A map must have two numeric axes; this sweep has {}. Train one with two, "
    "as lr=log:1e-2:10:7 init_scale=0.01,0.1,1."
)
REFUSED = {
    "small picture.png --x epochs": (
        "`--x` must be a numeric axis of the sweep (lr, init_scale); got epochs."
    ),
    "small picture.png --y activation": (
        "`--y` must be a numeric axis of the sweep (lr, init_scale); got activation."
    ),
    "small picture.png --x lr --y lr": "`--y` must be another axis than --x; got lr for both.",
    "small picture.jpeg": "`OUT` must end in .png, .pdf, .svg; got picture.jpeg.",
    "single picture.png": NEEDS_TWO.format("none"),
    "small no/such/folder/picture.png": (
        "`OUT` must be a file that can be written; got no/such/folder/picture.png: "
        "No such file or directory."
    ),
}


@pytest.mark.parametrize("line", REFUSED)
def test_bad_input_is_a_sentence_and_status_2(line, store, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([*line.split(), "--store", str(store)]) == 2
    assert capsys.readouterr().err == REFUSED[line] + "\n"
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_value_is_answered_with_those_there_are(store, tmp_path, capsys):
    assert main(["small", str(tmp_path / "a.png"), "--store", str(store), "--value", "los"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("`--value` must be one of final_loss, final_accuracy, ")
    assert error.endswith("; got los.\n")


def test_an_unknown_sweep_is_answered_with_those_there_are(store, tmp_path, capsys):
    assert main(["smal", str(tmp_path / "a.png"), "--store", str(store)]) == 2
    assert capsys.readouterr().err == (
        f"`sweep` must be one of those in {store}: single, small; got smal. Did you mean small?\n"
    )


def test_too_many_panels_are_refused():
    frame = pd.concat([frame_of(LOSSES).assign(depth=depth) for depth in range(13)])
    with pytest.raises(ValueError, match="at most 24 panels; got 26, one for each") as caught:
        medians(frame, [*AXES, "depth"], "lr", "init_scale", "final_loss")
    assert "value of activation, depth." in str(caught.value)


def test_a_stored_sweep_is_drawn(store, tmp_path, capsys):
    out = tmp_path / "small.png"
    assert main(["small", str(out), "--store", str(store), "--x", "init_scale"]) == 0
    assert out.read_bytes().startswith(b"\x89PNG")
    assert capsys.readouterr().out == f"Drawn: {out}\n"
