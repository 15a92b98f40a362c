"""The process that stands over a subject's, and leaves nothing of it running.

It starts as a script, forks the worker that runs the subject, and waits. When the worker ends, or
whoever started the keeper closes its end of the pipe or dies, all descendants are killed. On Linux
the keeper is their subreaper: a child that leaves the process group, or whose parent has died, is
still found below it. Nothing heavy is imported before the fork.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import sys
from pathlib import Path

SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of <linux/prctl.h>
ROUNDS = 200
KILLED = 128


def _adopt_orphans() -> None:
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)


def _parents() -> dict[int, int]:
    """Return the parent of every living process, where the system lists them."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            # The command's name stands in brackets and may contain anything.
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
            if state != "Z":
                parents[int(stat.parent.name)] = int(parent)
    return parents


def descendants(root: int) -> list[int]:
    """Return every process below `root`."""
    parents = _parents()
    found, layer = [], {root}
    while layer := {pid for pid, parent in parents.items() if parent in layer}:
        found += sorted(layer)
    return found


def _kill(pid: int) -> None:
    with contextlib.suppress(OSError):
        os.kill(pid, signal.SIGKILL)


def _reap() -> tuple[int, int] | None:
    """Return one ended child and its status, (0, 0) if all live, None if there are none."""
    try:
        return os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return None


def kill_all(worker: int) -> None:
    """Kill all descendants of this process, and theirs, until none is left."""
    for _ in range(ROUNDS):
        with contextlib.suppress(OSError):
            os.killpg(worker, signal.SIGKILL)
        for pid in descendants(os.getpid()):
            _kill(pid)
        while ended := _reap():
            if not ended[0]:
                break
        if ended is None:
            return
        select.select([], [], [], 0.005)


def watch(worker: int, life: int) -> int:
    """Wait until the worker ends or the pipe closes; return what to exit with."""
    status = 0
    while True:
        if select.select([life], [], [], 0.03)[0]:
            break
        ended = _reap()
        if ended is None or ended[0] == worker:
            status = ended[1] if ended else 0
            break
    kill_all(worker)
    code = os.waitstatus_to_exitcode(status)
    return code & 255 if code >= 0 else KILLED - code


def main() -> None:
    """Run `keeper.py FILE`; the file is JSON: file descriptors, limits and the source."""
    settings = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    _adopt_orphans()
    worker = os.fork()
    if not worker:
        os.setsid()
        os.close(settings["life"])
        sys.path[0] = settings["home"]
        from diagnosis import worker as serving

        serving.main(settings)
        os._exit(0)
    os.close(settings["requests"])
    os.close(settings["replies"])
    os._exit(watch(worker, settings["life"]))


if __name__ == "__main__":
    main()
