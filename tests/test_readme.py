"""README.md: every command of its `sh` blocks runs as printed, and its table is today's."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sweeps.summary import TITLES

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FOLDERS = ("analysis", "bpcore", "conf", "diagnosis", "examples", "hydra_plugins", "sweeps")
PROGRAMS = ("diagnose.py", "report.py", "reproduce.py", "train.py")
COPIED = (*FOLDERS, *PROGRAMS, "pyproject.toml")
LEFT = {"store", "reports"}


def commands():
    """The commands as printed, in order, without those that install or test."""
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    parts = [part.strip() for line in lines for part in re.split(r"&&", line)]
    return [part for part in parts if not part.startswith(("pip ", "pytest"))]


def named_outputs(command):
    return set(re.findall(r"[\w.-]+\.(?:csv|npz|png)", command))


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy in which the commands run one after the other, as a reader would type them."""
    folder = tmp_path_factory.mktemp("readme") / "copy"
    folder.mkdir()
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder)
    return folder


def test_the_readme_has_commands():
    assert "python train.py -m activation=relu,tanh" in commands()
    assert len(commands()) >= 8


@pytest.mark.parametrize("command", commands())
def test_a_command_runs_and_leaves_nothing_about(command, copy):
    before = {path.name for path in copy.iterdir()}
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(copy),
    }
    done = subprocess.run(
        ["bash", "-c", command], cwd=copy, env=environment, capture_output=True, text=True
    )
    status = 1 if command == "python diagnose.py" else 0  # 1 says that something is wrong
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    after = {path.name for path in copy.iterdir()}
    assert after - before <= LEFT | named_outputs(command)


def test_the_table_has_the_columns_that_are_printed():
    table = re.search(r"```text\n(.*?)```", README, re.DOTALL)[1]
    shown = re.split(r"  +", table.splitlines()[0].strip())
    assert shown == ["activation", *(title for title in TITLES if title != "on test")]
    assert [title for title in TITLES if f"**{title}**" not in README] == []


def test_what_the_readme_links_to_exists():
    targets = re.findall(r"\]\(([^)#]+)\)", README)
    assert [t for t in targets if "://" not in t and not (ROOT / t).exists()] == []


def test_the_picture_is_made_by_commands_that_are_accepted():
    from sweeps.commandline import prepare

    blocks = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    [block] = [block for block in blocks if "analysis.heatmap" in block]
    train, draw = block.splitlines()
    assert prepare(train.split()[2:], ROOT / "conf")
    assert draw.split()[:3] == ["python", "-m", "analysis.heatmap"]
    assert (ROOT / draw.split()[-1]).exists()
    assert f"name={draw.split()[3]}" in train
