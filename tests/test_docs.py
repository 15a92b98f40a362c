"""Pages of docs/: what is generated is up to date, and the code on them runs."""

import re
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from hydra_plugins.bpcore_hydra.sweeper import GridSweeper
from sweeps import schema_doc
from sweeps.commandline import prepare
from sweeps.schema import COLUMNS

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"


def blocks(page, language):
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A directory with what the commands of docs/python.md leave there."""
    folder = tmp_path_factory.mktemp("docs")
    for line in "".join(blocks("python.md", "console")).splitlines():
        program, *arguments = line.split()[1:]
        command = [sys.executable, str(ROOT / program), *arguments]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


@pytest.mark.parametrize("page", ["python.md", "store.md"])
def test_the_python_on_a_page_runs_from_top_to_bottom(page, home, monkeypatch, capsys):
    monkeypatch.chdir(home)
    plt.switch_backend("agg")
    names = {}
    for block in blocks(page, "python"):
        exec(compile(block.replace("NAME", "first"), page, "exec"), names)  # noqa: S102 - our page
    plt.close("all")
    assert names


def test_the_page_on_python_says_what_is_true_of_shapes(home, monkeypatch, capsys):
    monkeypatch.chdir(home)
    plt.switch_backend("agg")
    names = {}
    exec("".join(blocks("python.md", "python")), names)  # noqa: S102 - our page
    plt.close("all")
    assert names["best"].params["W1"].shape == (8, 2)
    assert names["best"].history["grad_norm"].shape == (2, 2)
    assert names["params"]["W1"].shape == (10, 10, 2)
    assert names["a"].shape == (4, 1, 1)
    assert "Did you mean relu?" in capsys.readouterr().out
    # The forward pass on the page answers as the stored run's accuracy says.
    frame = names["records"].runs("store")
    run = frame[(frame.activation == "tanh") & (frame.lr == 0.1) & (frame.replicate == 0)].iloc[0]
    right = ((names["a"][:, 0, 0] > 0.5) == (names["Y"][0] == 1)).mean()
    assert right == run.final_accuracy


def test_the_page_on_the_store_is_what_the_schema_says_today():
    page = (DOCS / "store.md").read_text(encoding="utf-8")
    assert page == schema_doc.page(), "run python -m sweeps.schema_doc > docs/store.md"


def test_every_column_has_its_line():
    page = schema_doc.page()
    assert [name for name in COLUMNS if page.count(f"\n| `{name}` | ") != 1] == []


def test_units_belong_to_columns():
    assert set(schema_doc.UNITS) <= set(COLUMNS)


COUNTED = [
    line.rsplit("#", 1) for block in blocks("sweeping.md", "sh") for line in block.splitlines()
]


@pytest.mark.parametrize(("line", "cells"), COUNTED, ids=[line for line, _ in COUNTED])
def test_a_sweep_has_as_many_cells_as_the_page_says(line, cells, train):
    done = train(line.strip().removeprefix("python train.py ") + " plan=true replicates=1 epochs=1")
    assert (done.status, done.err) == (0, "")
    assert f"\n{cells.strip()} cells, " in done.out


def test_commands_that_need_plugins_are_accepted():
    for block in blocks("sweeping.md", "console"):
        for line in block.splitlines():
            if line.startswith("python train.py"):
                assert prepare(line.replace("'", "").split()[2:], ROOT / "conf")


def test_the_experiment_on_the_page_is_one(tmp_path):
    import yaml

    [block] = blocks("sweeping.md", "yaml")
    sweeper = GridSweeper(yaml.safe_load(block)["hydra"]["sweeper"]["params"])
    assert set(sweeper.params) == {"optimizer", "init_scale"}
    assert block.startswith("# @package _global_\n# ")


@pytest.mark.parametrize("page", sorted(path.name for path in DOCS.glob("*.md")))
def test_links_between_pages_hold(page):
    targets = re.findall(r"\]\(([^)#]+)\)", (DOCS / page).read_text(encoding="utf-8"))
    assert [t for t in targets if "://" not in t and not (DOCS / t).exists()] == []
