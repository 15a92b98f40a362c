"""The page in a browser: headless Chromium opens it from disk, clicks, and says what it shows."""

import contextlib
import html
import json
import re
import shutil
import subprocess

import pandas as pd
import pytest
from test_frames import trained

CHROMIUM = shutil.which("chromium")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--enable-logging=stderr", "--v=0", "--virtual-time-budget=5000"),
)
SCRIPT = "<script>document.title=1</script>"
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A report with maps, on data whose target is named like a script."""
    import report

    folder = tmp_path_factory.mktemp("browser")
    table = pd.DataFrame({"a": range(40), "b": [k % 7 for k in range(40)]})
    table.assign(**{SCRIPT: [k % 2 for k in range(40)], "y": 1}).assign(
        y=[int(k > 20) for k in range(40)]
    ).to_csv(folder / "odd.csv", index=False)
    with contextlib.chdir(folder), contextlib.redirect_stdout(None):
        trained(
            "store",
            "-m data=table data.path=odd.csv data.task=classification lr=0.1,100 depth=1,8 "
            f"""replicates=6 epochs=20 'data.target="{SCRIPT}",y' name=odd""",
        )
        assert report.main(["odd"]) == 0
    return folder / "reports/odd/index.html"


def browse(page, folder, script="", size="1280,900"):
    """Open a copy of a page with a script at its end; return its DOM, what it says, and errors."""
    copy = page.with_name(f"copy-{folder.name}.html")
    source = page.read_text(encoding="utf-8")
    said = "<script>document.body.dataset.said = JSON.stringify((() => {%s})() ?? null);</script>"
    copy.write_text(source.replace("</body>", said % script + "</body>"), encoding="utf-8")
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={folder / 'profile'}", f"--window-size={size}"]
    done = subprocess.run(
        [*command, "--dump-dom", copy.as_uri()],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    dom = done.stdout
    told = re.search(r'data-said="([^"]*)"', dom)
    errors = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return dom, json.loads(html.unescape(told[1])) if told else None, errors


LOOK = """
const picture = document.querySelector("[data-panels]");
picture.scrollIntoView();
const geometry = JSON.parse(picture.dataset.geometry), panels = JSON.parse(picture.dataset.panels);
const [l, t, r, b] = geometry[0];
const box = picture.getBoundingClientRect();
const at = (x, y) => picture.dispatchEvent(new MouseEvent("click", {bubbles: true,
  clientX: box.left + x * box.width, clientY: box.top + y * box.height}));
const aside = document.getElementById("cell");
const cells = JSON.parse(document.getElementById("cells").textContent).cells;
const state = () => ({hidden: aside.hidden, name: aside.querySelector("h3").textContent,
  command: aside.querySelector("code").textContent,
  lines: aside.querySelectorAll("polyline").length,
  counts: aside.querySelector(".counts").textContent,
  scripts: aside.querySelectorAll("script").length});
"""


def test_a_click_shows_the_cell_under_it_and_escape_puts_it_away(page, tmp_path):
    script = (
        LOOK
        + """
    const out = {before: state(), title: document.title};
    const width = (r - l) / panels[0][0].length, height = (b - t) / panels[0].length;
    at(l + 0.5 * width, b - 0.5 * height); out.low = state();
    at(l + 1.5 * width, t + 0.5 * height); out.high = state();
    out.expected = [cells[panels[0][0][0][0]], cells[panels[0][1][1][0]]];
    at(0.001, 0.001); out.beside = state();
    document.dispatchEvent(new KeyboardEvent("keydown", {key: "Escape"})); out.after = state();
    out.width = [document.documentElement.scrollWidth, innerWidth];
    return out;"""
    )
    _, said, errors = browse(page, tmp_path, script)
    assert errors == []
    assert said["before"]["hidden"]
    for shown, cell in zip((said["low"], said["high"]), said["expected"], strict=True):
        assert not shown["hidden"]
        assert (shown["name"], shown["command"]) == (cell["name"], cell["command"])
        assert shown["counts"].startswith("6 runs")
        assert 0 < shown["lines"] <= 6
    assert "lr 0.1" in said["low"]["name"]
    assert "depth 1," in said["low"]["name"] + ","
    assert "lr 100" in said["high"]["name"]
    assert "depth 8" in said["high"]["name"]
    assert said["beside"]["name"] == said["high"]["name"]  # outside the panels nothing happens
    assert said["after"]["hidden"]
    assert said["title"] == "odd"  # the name of the target did not run
    assert any(SCRIPT in shown["name"] + shown["command"] for shown in (said["low"], said["high"]))
    assert said["high"]["scripts"] == 0
    assert said["width"][0] <= said["width"][1]


def test_keys_move_over_the_squares(page, tmp_path):
    script = (
        LOOK
        + """
    const key = (name) =>
      picture.dispatchEvent(new KeyboardEvent("keydown", {key: name, bubbles: true}));
    picture.focus();
    const names = [];
    for (const name of ["Enter", "ArrowRight", "ArrowRight", "ArrowUp", "ArrowLeft", "ArrowDown"]) {
      key(name); names.push(state().name);
    }
    const [low, high] = panels[0].map((row) => row.map(([number]) => cells[number].name));
    return {names, expected: [low[0], low[1], low[1], high[1], high[0], low[0]]};"""
    )
    _, said, errors = browse(page, tmp_path, script)
    assert errors == []
    assert said["names"] == said["expected"]


@pytest.mark.parametrize("width", [400, 320])
def test_on_a_phone_only_pictures_and_tables_scroll_sideways(page, tmp_path, width):
    # Chromium's windows are at least 500 wide; a frame is as narrow as it is told to be.
    inside = """
    const wide = [...document.querySelectorAll("body *")]
      .filter((e) => !e.closest(".scroll, #cell, script"))
      .filter((e) => e.getBoundingClientRect().right > innerWidth + 1)
      .map((e) => e.tagName + "." + e.className);
    return {wide, scroll: document.documentElement.scrollWidth, inner: innerWidth};"""
    copy = page.with_name(f"inner-{width}.html")
    said = "<script>parent.postMessage(JSON.stringify((() => {%s})()), '*');</script>"
    source = page.read_text(encoding="utf-8")
    copy.write_text(source.replace("</body>", said % inside + "</body>"), encoding="utf-8")
    outer = page.with_name(f"outer-{width}.html")
    outer.write_text(
        "<!doctype html><body><script>addEventListener('message', (e) => "
        "document.body.dataset.said = e.data)</script>"
        f'<iframe src="{copy.name}" width="{width}" height="800"></iframe></body>',
        encoding="utf-8",
    )
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom"]
    done = subprocess.run(
        [*command, outer.as_uri()], capture_output=True, text=True, check=True, timeout=120
    )
    told = json.loads(html.unescape(re.search(r'data-said="([^"]*)"', done.stdout)[1]))
    assert told["inner"] <= width
    assert told["wide"] == []
    assert told["scroll"] <= told["inner"]


def test_without_its_script_the_page_says_the_same(page, tmp_path):
    source = page.read_text(encoding="utf-8")
    bare = page.with_name("bare.html")
    bare.write_text(re.sub(r"<script>.*?</script>", "", source, flags=re.S), encoding="utf-8")
    dom, said, errors = browse(bare, tmp_path, "return document.querySelector('main').innerText;")
    assert errors == []
    for heading in ("What happened", "Phase maps", "Curves", "Comparisons", "What mattered"):
        assert heading in said
    assert SCRIPT in said
    assert '<aside id="cell" hidden' in dom
