"""Interrupted and killed: what had finished is kept, and the same command trains only the rest.

All 50 moments of the kill: `pytest -m campaign tests/test_interruptions.py`.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from sweeps import records
from sweeps.store import TEMPORARY
from tests.conftest import ROOT
from tests.test_engine import count_rows, frame_of

# A few seconds on two cores, in some forty tasks.
LINE = (
    "-m report=false jobs=2 data=xor epochs=2600 replicates=8 "
    "activation=relu,tanh depth=1,2 lr=log:0.01:1:16"
)
RUNS = 2 * 2 * 16 * 8
# What finished longer ago than this is in the store.
KEPT_SECONDS = 5.0


def kept_seconds():
    """The promise is for a machine with a core a worker; shared with others, all takes longer."""
    return KEPT_SECONDS * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


pytestmark = pytest.mark.skipif(
    not Path("/proc/self/stat").is_file(), reason="looks for left-over processes in /proc"
)


class Command:
    """train.py with its workers, as a group of processes of their own."""

    def __init__(self, here):
        self.parts = here / "store" / "parts"
        # When each part was first seen, oldest first, and how many runs are in all of them.
        self.seen = {}
        self.stored = 0
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "train.py"), *shlex.split(LINE)],
            cwd=here,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def watch(self, runs=0, seconds=0.0):
        """Note new parts until there are so many runs, then for so long; or until the end."""
        until = None
        while self.process.poll() is None:
            for part in self.parts.glob("[!.]*.parquet"):
                if part.name not in self.seen:
                    self.seen[part.name] = time.monotonic()
                    self.stored += pq.read_metadata(part).num_rows
            if until is None and self.stored >= runs:
                until = time.monotonic() + seconds
            if until is not None and time.monotonic() >= until:
                return
            time.sleep(0.01)

    def wait_for_training(self):
        """Return when training is about to begin: the manifest is written just before."""
        while self.process.poll() is None:
            if list(self.parts.parent.glob("sweeps/[!.]*.parquet")):
                return
            time.sleep(0.01)

    def end(self):
        out, err = self.process.communicate(timeout=120)
        return self.process.returncode, out, err

    def group(self):
        """Return the processes of the group that are still at work."""
        members = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                state, _, group = stat.read_text().rpartition(")")[2].split()[:3]
                if int(group) == self.process.pid and state not in "ZX":
                    members.append(int(stat.parent.name))
        return members

    def left_over(self, seconds=20.0):
        """Return processes that have not ended after so long."""
        deadline = time.monotonic() + seconds
        while self.group() and time.monotonic() < deadline:
            time.sleep(0.05)
        return self.group()


@pytest.fixture(scope="module", autouse=True)
def interruptible():
    """A shell starts what runs in the background deaf to Ctrl-C, and its children inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def command(tmp_path):
    started = []

    def start():
        started.append(Command(tmp_path))
        return started[-1]

    yield start
    for each in started:
        for member in each.group():
            with contextlib.suppress(ProcessLookupError):
                os.kill(member, signal.SIGKILL)
        each.process.communicate()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The frame of the sweep where nothing happens."""
    here = tmp_path_factory.mktemp("undisturbed")
    made = Command(here)
    status, out, err = made.end()
    assert status == 0, err
    assert f"{RUNS} runs trained in " in out
    assert made.left_over() == []
    return frame_of(here / "store")


def finish(command, here, kept, expected):
    """Give the command again: it trains what is not there, and the result is as if nothing was."""
    status, out, err = command().end()
    assert status == 0, err
    rest = RUNS - kept
    if kept == RUNS:
        assert f"Nothing to train; {RUNS} were in the store." in out
    elif kept:
        assert re.search(rf"^{rest} runs trained in .*; {kept} were in the store\.$", out, re.M)
    else:
        assert f"{RUNS} runs trained in " in out
    assert count_rows(here / "store") == RUNS  # none twice
    pd.testing.assert_frame_equal(frame_of(here / "store"), expected, check_exact=True)


def test_ctrl_c_keeps_what_finished_and_the_same_command_trains_the_rest(
    command, tmp_path, undisturbed
):
    running = command()
    running.watch(runs=1)
    os.killpg(running.process.pid, signal.SIGINT)
    status, out, err = running.end()
    kept = len(records.runs(tmp_path / "store"))
    assert 0 < kept < RUNS
    assert (status, out) == (130, "")
    assert err == (
        f"Interrupted: {kept} of {RUNS} runs are in store/. Give the same command again to go on.\n"
    )
    assert running.left_over() == []
    finish(command, tmp_path, kept, undisturbed)


def test_ctrl_c_while_results_are_printed_loses_none(train, monkeypatch, tmp_path):
    from sweeps import summary

    def interrupted(done):
        raise KeyboardInterrupt

    monkeypatch.setattr(summary, "show", interrupted)
    ended = train("-m data=xor epochs=1 replicates=2 lr=0.1,1")
    assert (ended.status, ended.out) == (130, "")
    assert ended.err == (
        "Interrupted: 4 of 4 runs are in store/. Give the same command again to see them.\n"
    )


def kill(command, here, runs, seconds):
    """Kill the main process so long after so many runs were stored.

    Returns:
        How many runs there are, and the longest time in which none was stored while there were
        runs to train, the last one ended by the kill. Rows of tasks are written together, so that
        a run that finished is in the next part, and tasks of this sweep take less than a second:
        no run that finished longer ago than this is lost.
    """
    running = command()
    running.wait_for_training()
    began = time.monotonic()
    running.watch(runs, seconds)
    running.process.kill()
    killed = time.monotonic()
    assert running.process.wait() in (-signal.SIGKILL, 0)  # it may have ended just before
    stored = records.runs(here / "store")
    kept = len(stored)
    assert kept == stored["run"].nunique() >= running.stored
    times = [began, *sorted(running.seen.values()), killed]
    gap = max(b - a for a, b in itertools.pairwise(times)) if kept < RUNS else 0.0
    assert running.left_over() == []
    # Half-written files of the dead stay where they are and are read by nobody.
    names = [path.name for path in (here / "store" / "parts").iterdir()]
    assert all(name.endswith(".parquet") or name.startswith(TEMPORARY) for name in names)
    return kept, gap


# How many runs are stored, and how long after; parts come about once a second. A seed, so that a
# failure comes again.
_draw = random.Random(2024)  # noqa: S311 - nothing secret
MOMENTS = [(_draw.randrange(RUNS), 1.5 * _draw.random()) for _ in range(50)]


def test_a_sweep_killed_twice_goes_on_where_it_was(command, tmp_path, undisturbed):
    moments = [(0, 1.0), (RUNS // 2, 0.1)]
    kept = [kill(command, tmp_path, runs, seconds)[0] for runs, seconds in moments]
    assert kept == sorted(kept)
    finish(command, tmp_path, kept[-1], undisturbed)


@pytest.mark.campaign
@pytest.mark.parametrize(("runs", "seconds"), MOMENTS)
def test_killed_at_fifty_moments_a_sweep_goes_on_where_it_was(
    runs, seconds, command, tmp_path, undisturbed
):
    kept, gap = kill(command, tmp_path, runs, seconds)
    # Only here, where nothing else runs: how long a machine takes is no property of the code.
    assert gap < kept_seconds()
    finish(command, tmp_path, kept, undisturbed)


def test_ctrl_c_before_anything_was_trained_says_so(command, tmp_path):
    running = command()
    running.wait_for_training()
    os.killpg(running.process.pid, signal.SIGINT)
    status, out, err = running.end()
    kept = len(records.runs(tmp_path / "store"))
    assert (status, out) == (130, "")
    assert err == (
        f"Interrupted: {kept} of {RUNS} runs are in store/. Give the same command again to go on.\n"
    )
    assert running.left_over() == []
