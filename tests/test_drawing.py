"""Pictures in files: drawn once, drawn anew when what they show changes, removed when gone."""

import json

import numpy as np
import pandas as pd
import pytest

from analysis.figures.style import blank
from analysis.report.drawing import digest, draw
from analysis.report.section import Picture


def picture(name="map", data=(1, 2), drawer=None, panels=()):
    def one():
        figure, grid = blank(2, 1.5)
        grid[0, 0].plot([0, 1], [0, float(sum(data))])
        grid[0, 0].set_xlabel(name)
        return figure

    return Picture(name, "caption", "alt", data, drawer or one, list(panels))


def never():
    pytest.fail("drawn again")


def stamps(folder):
    return {p.name: p.stat().st_mtime_ns for p in folder.iterdir() if p.name != "drawn.json"}


def test_a_picture_becomes_an_svg_and_a_png(tmp_path):
    [drawn] = draw([picture(panels=[[[[0]]]])], tmp_path)
    assert (tmp_path / "map.png").read_bytes()[:4] == b"\x89PNG"
    assert drawn.svg.startswith("<svg")
    assert drawn.svg in (tmp_path / "map.svg").read_text(encoding="utf-8")
    assert drawn.width == 2
    [(left, top, right, bottom)] = drawn.geometry
    assert 0 < left < right < 1
    assert 0 < top < bottom < 1


def test_what_has_not_changed_is_not_drawn_again(tmp_path):
    [first] = draw([picture()], tmp_path)
    before = stamps(tmp_path)
    [again] = draw([picture(drawer=never)], tmp_path)
    assert stamps(tmp_path) == before
    assert (again.svg, again.width, again.geometry) == (first.svg, first.width, first.geometry)


def test_what_has_changed_is_drawn_again_and_nothing_else(tmp_path):
    draw([picture("a"), picture("b")], tmp_path)
    before = stamps(tmp_path)
    draw([picture("a", drawer=never), picture("b", (1, 3))], tmp_path)
    after = stamps(tmp_path)
    assert {name for name in before if before[name] != after[name]} == {"b.svg", "b.png"}


@pytest.mark.parametrize("lost", ["map.svg", "map.png", "drawn.json"])
def test_what_was_lost_is_drawn_again(tmp_path, lost):
    draw([picture()], tmp_path)
    (tmp_path / lost).unlink()
    draw([picture()], tmp_path)
    assert (tmp_path / lost).is_file()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"map": {}}', "null"])
def test_a_broken_note_of_what_was_drawn_is_no_obstacle(tmp_path, text):
    draw([picture()], tmp_path)
    (tmp_path / "drawn.json").write_text(text)
    draw([picture()], tmp_path)
    assert set(json.loads((tmp_path / "drawn.json").read_text())) == {"map"}


def test_pictures_that_are_gone_are_removed_and_files_of_others_kept(tmp_path):
    (tmp_path / "own.png").write_bytes(b"mine")
    draw([picture("a"), picture("b")], tmp_path)
    draw([picture("b", drawer=never)], tmp_path)
    assert sorted(stamps(tmp_path)) == ["b.png", "b.svg", "own.png"]


def test_a_name_with_a_dot_keeps_it(tmp_path):
    draw([picture("rates-data.noise")], tmp_path)
    assert sorted(stamps(tmp_path)) == ["rates-data.noise.png", "rates-data.noise.svg"]


def test_the_same_data_draw_the_same_bytes(tmp_path):
    draw([picture()], tmp_path / "one")
    draw([picture()], tmp_path / "other")
    for name in ("map.svg", "map.png"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


def test_drawing_leaves_the_readers_own_style_alone(tmp_path):
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    draw([picture()], tmp_path)
    assert dict(mpl.rcParams) == before


FRAME = pd.DataFrame({"a": [1.0, np.nan], "b": ["x", None]})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 2),
        (1, 1.0),
        (1, "1"),
        (None, "None"),
        ((1, 2), (2, 1)),
        (((1,), 2), ((1, 2),)),
        (["ab", "c"], ["a", "bc"]),
        ({"a": 1}, {"b": 1}),
        (np.zeros(2), np.zeros(3)),
        (np.zeros((2, 3)), np.zeros((3, 2))),
        (np.zeros(2), np.zeros(2, np.float32)),
        (np.array([0.0, np.nan]), np.array([np.nan, 0.0])),
        (FRAME, FRAME.rename(columns={"a": "c"})),
        (FRAME, FRAME.assign(a=[1.0, 2.0])),
        (FRAME, FRAME.assign(b=["x", "y"])),
        (FRAME, FRAME.iloc[::-1]),
        (FRAME, FRAME[["b", "a"]]),
    ],
)
def test_different_data_have_different_digests(one, other):
    assert digest(one) != digest(other)


def test_equal_data_have_one_digest():
    assert digest(FRAME) == digest(FRAME.copy())
    assert digest(FRAME) == digest(FRAME.set_axis([7, 8]))  # an index is not drawn
    assert digest({"a": FRAME, "b": [1]}) == digest({"a": FRAME.copy(), "b": [1]})
    nan = np.array([np.nan, 1.0])
    assert digest(nan) == digest(nan.copy())


def test_a_transposed_array_has_the_digest_of_its_values():
    array = np.arange(6.0).reshape(2, 3)
    assert digest(np.asfortranarray(array)) == digest(array)
