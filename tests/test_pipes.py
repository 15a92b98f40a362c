"""Programs whose reader has left, as `head` does: no traceback, and their work is done."""

import os
import shlex
import subprocess
import sys

import pytest

from sweeps import records
from tests.conftest import ROOT


def unread(line, here, *, errors_too=False):
    """Give a command whose output nobody reads; return its status and what it says of errors."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        program, *arguments = shlex.split(line)
        done = subprocess.run(
            [sys.executable, "-W", "error", str(ROOT / program), *arguments],
            cwd=here,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=writer,
            stderr=writer if errors_too else subprocess.PIPE,
            text=True,
            check=False,
            timeout=120,
        )
    finally:
        os.close(writer)
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    "line",
    [
        "train.py --help",
        "train.py --cfg job",
        "report.py --help",
        "reproduce.py --help",
        "reproduce.py --list",
        "sweeps/store.py list --help",
        "diagnose.py --help",
        "diagnose.py --template",
    ],
)
def test_a_program_whose_output_is_not_read_ends_in_silence(line, tmp_path):
    assert unread(line, tmp_path) == (0, "")


def test_a_refusal_keeps_its_status_where_nobody_reads_it(tmp_path):
    assert unread("report.py nosuch", tmp_path, errors_too=True) == (2, None)


@pytest.mark.parametrize("errors_too", [pytest.param(False, marks=pytest.mark.campaign), True])
def test_a_sweep_whose_output_is_not_read_is_trained_and_reported(errors_too, tmp_path):
    line = "train.py -m activation=relu,tanh data=xor epochs=5 replicates=2 name=unread"
    assert unread(line, tmp_path, errors_too=errors_too)[0] == 0
    assert len(records.runs(tmp_path / "store", "unread")) == 4
    assert (tmp_path / "reports" / "unread" / "index.html").is_file()
    assert unread("report.py --list", tmp_path) == (0, "")
    assert unread("sweeps/store.py show unread --csv", tmp_path) == (0, "")
