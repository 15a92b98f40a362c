"""Who may import whom, and how long a file may be."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("analysis", "bpcore", "diagnosis", "hydra_plugins", "sweeps")
MOST_LINES = 520
OURS = {path.name for path in ROOT.iterdir() if path.is_dir() and any(path.rglob("*.py"))} | {
    path.stem for path in ROOT.glob("*.py")
}
FILES = [
    path.relative_to(ROOT) for name in PACKAGES for path in sorted((ROOT / name).rglob("*.py"))
]

ENTRY_POINTS = [Path(f"{name}.py") for name in ("diagnose", "report", "reproduce", "train")]


def imports(tree, package):
    """Every module a file imports, with its line and whether a function does it.

    Imports under TYPE_CHECKING count: they are arrows too. `from a import b` counts as `a.b`.
    """
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*(parents if node.level else ()), *([node.module or ""])]).strip(".")
            names = [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            yield name, node.lineno, id(node) in inside


def type_checking_lines(tree):
    return {
        line
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for line in range(node.lineno, node.end_lineno + 1)
    }


def refused(file, name, in_function, only_types):
    """Say why an import is not allowed; None where it is."""
    package, top = file.parts[0], name.partition(".")[0]
    if top in sys.stdlib_module_names or top == package:
        return None
    if package == "bpcore":
        return None if top == "numpy" else "bpcore may import NumPy and the standard library"
    if top not in OURS:
        return None
    if package == "sweeps":
        return None if top == "bpcore" else "of ours, sweeps may import bpcore only"
    if package == "diagnosis":
        return None if top == "bpcore" else "of ours, diagnosis may import bpcore only"
    if package == "analysis":
        allowed = name == "sweeps.records" or name.startswith("sweeps.records.")
        return None if allowed else "of ours, analysis may import sweeps.records only"
    if top != "sweeps":
        return "of ours, hydra_plugins may import sweeps only"
    return (
        None if in_function or only_types else "hydra_plugins may import sweeps in functions only"
    )


def arrows(file, text):
    tree = ast.parse(text)
    types = type_checking_lines(tree)
    package = ".".join(file.parts[:-1])
    return [
        f"{file}:{line} imports {name}: {why}"
        for name, line, in_function in imports(tree, package)
        if (why := refused(file, name, in_function, line in types))
    ]


@pytest.mark.parametrize("file", FILES, ids=str)
def test_a_file_imports_only_what_its_package_may(file):
    assert arrows(file, (ROOT / file).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("bpcore/x.py", "import pandas"),
        ("bpcore/x.py", "def f():\n    from sweeps import store"),
        ("sweeps/x.py", "from analysis.heatmap import draw"),
        ("sweeps/x.py", "import train"),
        ("diagnosis/x.py", "from sweeps import records"),
        ("analysis/x.py", "from sweeps.store import Store"),
        ("analysis/x.py", "from sweeps import records, errors"),
        ("analysis/x.py", "import bpcore"),
        ("analysis/x.py", "if TYPE_CHECKING:\n    import bpcore.spec"),
        ("hydra_plugins/p/x.py", "from sweeps.errors import BadInput"),
        ("hydra_plugins/p/x.py", "def f():\n    import bpcore"),
    ],
)
def test_a_wrong_arrow_is_found(file, line):
    assert len(arrows(Path(file), line)) == 1


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("bpcore/x.py", "import numpy as np, os\nfrom bpcore.spec import Data"),
        ("bpcore/x.py", "from . import spec"),
        ("sweeps/x.py", "import pyarrow\nfrom bpcore import train\nfrom sweeps import store"),
        ("analysis/x.py", "from sweeps import records\nimport sweeps.records"),
        ("hydra_plugins/p/x.py", "def f():\n    from sweeps.errors import BadInput"),
        ("hydra_plugins/p/x.py", "if TYPE_CHECKING:\n    from sweeps.axes import Axis"),
    ],
)
def test_a_right_arrow_is_allowed(file, line):
    assert arrows(Path(file), line) == []


def test_no_file_is_a_drawer_for_odds_and_ends():
    names = {part.removesuffix(".py") for file in FILES for part in file.parts}
    assert names & {"utils", "util", "common", "helpers", "misc", "base"} == set()


@pytest.mark.parametrize("file", [*FILES, *ENTRY_POINTS], ids=str)
def test_a_file_is_not_too_long(file):
    assert len((ROOT / file).read_text(encoding="utf-8").splitlines()) < MOST_LINES
