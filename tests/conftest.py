"""`python train.py ...` as tests run it: in a process of its own, or quicker, in this one."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

# Two processes run tests at a time; threads of both for one product would wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parents[1]


def words(line):
    """Split a command line; a sweep gets no report, which takes seconds, unless it asks for one."""
    given = shlex.split(line)
    sweeps = {"-m", "--multirun"} & {*given} or any(w.startswith("experiment=") for w in given)
    asked = any(w.startswith(("report=", "-h", "--help", "plan=")) for w in given)
    return [*given, "report=false"] if sweeps and not asked else given


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str


@pytest.fixture
def train(tmp_path, monkeypatch, capsys):
    """Run train.py's command line, written as in a shell, in this process and in `tmp_path`."""
    import train as entry
    from sweeps import engine

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")  # main sets it, and only monkeypatch takes it back

    def run(line):
        monkeypatch.setattr(engine, "DONE", [])
        monkeypatch.setattr(sys, "argv", ["train.py", *words(line)])
        capsys.readouterr()
        try:
            status = entry.main()
        except SystemExit as ending:
            status = ending.code
        return Ended(status, *capsys.readouterr())

    return run


@pytest.fixture
def program(tmp_path):
    """Run train.py's command line, written as in a shell, as a process with `tmp_path` as its cwd.

    Python's own warnings are errors there too, unless other packages are asked to take part.
    """

    def run(line, script=ROOT / "train.py", warnings="error", **environment):
        done = subprocess.run(
            [sys.executable, "-W", warnings, str(script), *words(line)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    return run
