"""Subjects that misbehave: a clear sentence, exit status 2, and nothing left running."""

import os
import signal
import time
from pathlib import Path

import pytest

import diagnose as entry
from diagnosis import diagnose_file
from diagnosis.keeper import descendants

GOOD = """
import numpy as np
rng = np.random.RandomState(0)
X = rng.randn(6, 3); Y = rng.randn(6, 2)
params = dict(W=rng.randn(3, 2), b=np.zeros(2))
def loss(p, X, Y):
    return float(0.5 * np.sum((X @ p["W"] + p["b"] - Y) ** 2))
def grads(p, X, Y):
    d = X @ p["W"] + p["b"] - Y
    return dict(W=X.T @ d, b=d.sum(0))
"""
SLEEP = "import time; time.sleep(1000)"
REFUSED = {
    "loops while it is loaded": ("while True: pass", "did not come back within 3 seconds"),
    "loops when called": (
        "def grads(p, X, Y):\n    while True: pass",
        "did not come back within 3 seconds in grads.",
    ),
    "exits": ("import sys; sys.exit(0)", "ended the program (exit 0) while it was loaded."),
    "exits at once": ("import os; os._exit(3)", "ended its own process (status 3)"),
    "exits in a call": (
        "def loss(p, X, Y):\n    import os; os._exit(0)",
        "ended its own process in loss.",
    ),
    "raises": ('raise ValueError("no such thing")', "ValueError (line 11): no such thing"),
    "raises in a call": ("def grads(p, X, Y): return 1 / 0", "ZeroDivisionError (line 11)"),
    "forks": (f"import os\nif os.fork() == 0:\n    {SLEEP}", "starts processes of its own; 1"),
    "forks away from its group": (
        f"import os\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        {SLEEP}\n"
        "    os._exit(0)",
        "starts processes of its own; 1",
    ),
    "reads standard input": ("input()", "reads from standard input, which is closed"),
    "wants much memory": ("big = np.ones(1 << 33)", "needed more memory than it may have"),
    "opens a file by its name": (
        "np.loadtxt('data.csv')",
        "It runs in an empty directory: name its files by their whole path.",
    ),
    "is not Python": ("def f(:", "SyntaxError (line 11)"),
    "lacks a name": ("del grads", "grads is missing. python diagnose.py --template"),
    "returns wrong keys": (
        "def grads(p, X, Y): return dict(W=p['W'])",
        "must return a dict with the keys of params, W, b; got W.",
    ),
    "returns wrong shapes": (
        "def grads(p, X, Y): return dict(W=p['W'].T, b=p['b'])",
        "`grads['W']` must have the shape of params['W'], (3, 2); got (2, 3): it is transposed.",
    ),
    "has no samples": (
        "X = X[:0]",
        "`X` must hold at least one sample; got an array of shape (0, ",
    ),
    "returns None for gradients": ("def grads(p, X, Y): pass", "got None."),
    "returns None for a gradient": (
        "def grads(p, X, Y): return dict(W=None, b=p['b'])",
        "`grads['W']` must be an array of numbers; got None.",
    ),
    "returns None for the loss": ("def loss(p, X, Y): pass", "`loss` must return one number"),
    "returns an array for the loss": (
        "def loss(p, X, Y): return X",
        "`loss` must return one number; got an array of shape (6, 3).",
    ),
    "returns NaN for the loss": (
        "def loss(p, X, Y): return float('nan')",
        "The loss is not a finite number, neither at the start",
    ),
    "returns NaN for a gradient": (
        "def grads(p, X, Y): return dict(W=p['W'] * np.nan, b=p['b'])",
        "`grads` must return finite numbers; got NaN or infinity in W.",
    ),
}
HARMLESS = {
    "prints megabytes": 'print("x" * 5_000_000)',
    "plots": "import matplotlib\nmatplotlib.use('TkAgg')\nimport matplotlib.pyplot as plt\n"
    "plt.plot([1, 2])\nplt.show()",
    "changes the directory": "import os\nos.chdir('/')\nopen_here = os.listdir('.')",
    "starts a thread": "import threading, time\n"
    "threading.Thread(target=time.sleep, args=(1000,)).start()",
}


def ours():
    """Return processes below this one."""
    return set(descendants(os.getpid()))


@pytest.fixture
def nothing_left():
    before = ours()
    yield
    deadline = time.monotonic() + 5
    while (left := ours() - before) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert left == set()


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_cannot_be_run_gets_a_sentence_and_status_2(name, tmp_path, nothing_left, capfd):
    text, sentence = REFUSED[name]
    path = tmp_path / "net.py"
    path.write_text(GOOD + text, encoding="utf-8")
    status = entry.main([str(path), "--seconds", "3"])
    shown = capfd.readouterr()
    assert status == 2
    assert sentence in " ".join(shown.out.split())
    assert shown.err == ""


@pytest.mark.parametrize("name", sorted(HARMLESS))
def test_what_a_subject_shows_or_does_besides_neither_reaches_nor_stops_us(
    name, tmp_path, nothing_left, capfd
):
    path = tmp_path / "net.py"
    path.write_text(GOOD + HARMLESS[name], encoding="utf-8")
    here = Path.cwd()
    assert entry.main([str(path)]) == 0
    shown = capfd.readouterr()
    assert "xxx" not in shown.out
    assert shown.err == ""
    assert Path.cwd() == here


@pytest.mark.parametrize("given", ["net.py", "./net.py", "../here/net.py"])
def test_modules_beside_a_subject_are_found_by_any_path_to_it(given, tmp_path, monkeypatch):
    here = tmp_path / "here"
    here.mkdir()
    (here / "slopes.py").write_text("ONE = 1.0\n", encoding="utf-8")
    (here / "net.py").write_text(f"import slopes\n{GOOD}", encoding="utf-8")
    monkeypatch.chdir(here)
    assert diagnose_file(given).kind == "healthy"


def test_a_file_that_is_none_or_no_text_is_refused(tmp_path):
    answer = diagnose_file(str(tmp_path / "no.py"))
    assert answer.error == f"`subject` must be a file that can be read; got {tmp_path}/no.py: " + (
        "No such file or directory."
    )
    (tmp_path / "picture.py").write_bytes(b"\x89PNG\r\n\x1a\n\x00\xff")
    answer = diagnose_file(str(tmp_path / "picture.py"))
    assert answer.error.endswith("picture.py, which is not text.")
    assert answer.status == 2


def test_nothing_is_left_when_we_are_killed(tmp_path):
    import subprocess
    import sys

    path = tmp_path / "net.py"
    mark = tmp_path / "started"
    path.write_text(f"open({str(mark)!r}, 'w')\n{SLEEP}\n", encoding="utf-8")
    command = [sys.executable, entry.__file__, str(path)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while not mark.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    below = descendants(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait()
    while any(Path(f"/proc/{pid}/cmdline").exists() and _lives(pid) for pid in below):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert len(below) >= 2  # the keeper and the worker


def _lives(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
