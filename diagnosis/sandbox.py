"""Our side of a subject's process: start it, ask it, end it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from diagnosis import keeper, wire
from diagnosis.errors import CallFailed, SubjectFailed

SECONDS = 30.0
MEMORY = 4 << 30
KEPT = 4000
GRACE = 5.0


class _Drain(threading.Thread):
    """Read what a subject prints, so that it never waits, and keep the beginning."""

    def __init__(self, stream: Any) -> None:
        super().__init__(daemon=True)
        self.stream, self.kept, self.size = stream, b"", 0

    def run(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            while piece := os.read(self.stream.fileno(), 1 << 16):
                self.size += len(piece)
                if len(self.kept) < KEPT:
                    self.kept += piece[: KEPT - len(self.kept)]


class Sandbox:
    """A subject in a process of its own.

    Args:
        source: Python text.
        path: where it is from, for messages and for modules beside it.
        seconds: how long loading, and any one request, may take.
        memory: bytes of address space.

    Raises:
        SubjectFailed: it cannot be loaded.
    """

    def __init__(
        self, source: str, path: str, *, seconds: float = SECONDS, memory: int = MEMORY
    ) -> None:
        self.seconds = seconds
        self._directory = tempfile.TemporaryDirectory(
            prefix="diagnose-", ignore_cleanup_errors=True
        )
        ours, theirs = {}, {}
        theirs["requests"], ours["requests"] = os.pipe()
        ours["replies"], theirs["replies"] = os.pipe()
        theirs["life"], ours["life"] = os.pipe()
        self._fds = ours
        self._process = self._started(theirs, source, path, memory)
        for fd in theirs.values():
            os.close(fd)
        self._drain = _Drain(self._process.stdout)
        self._drain.start()
        try:
            self._reply(
                time.monotonic() + seconds,
                f"within {seconds:g} seconds while it was loaded. Training that starts with the "
                'program belongs under `if __name__ == "__main__":`; or give it more --seconds',
            )
        except BaseException:
            self.close()
            raise

    def _started(
        self, pipes: dict[str, int], source: str, path: str, memory: int
    ) -> subprocess.Popen[bytes]:
        settings = {
            **pipes,
            "home": str(Path(__file__).resolve().parents[1]),
            "directory": self._directory.name,
            "path": path,
            "beside": str(Path(path).resolve().parent),
            "memory": memory,
            "source": source,
        }
        # The source may be longer than an argument may be, so it is handed over in a file.
        text = Path(self._directory.name) / "subject.json"
        text.write_text(json.dumps(settings), encoding="utf-8")
        return subprocess.Popen(  # noqa: S603 - this Python, on our own file
            [sys.executable, "-W", "ignore", keeper.__file__, str(text)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=list(pipes.values()),
            start_new_session=True,
            env=_environment(),
        )

    @property
    def printed(self) -> int:
        """Bytes the subject has printed so far."""
        return self._drain.size

    def _reply(self, deadline: float, when: str) -> Any:
        try:
            reply = wire.receive(self._fds["replies"], deadline)
        except wire.Late:
            msg = f"The subject did not come back {when}."
            raise SubjectFailed(msg) from None
        except (wire.Ended, ValueError):
            msg = f"The subject ended its own process{self._last_words()}"
            raise SubjectFailed(msg) from None
        if "error" in reply:
            raise CallFailed(reply["error"])
        return reply["result"]

    def _last_words(self) -> str:
        self._process.wait(GRACE)
        return f" (status {self._process.returncode}) while it was loaded or called."

    def ask(self, do: str, *, seconds: float | None = None, **message: Any) -> Any:
        """Have a fresh copy of the subject do one of `tasks.TASKS`.

        Raises:
            CallFailed: the subject raised, returned what cannot be used, took too long, or ended.
            SubjectFailed: there is no process any more.
        """
        limit = self.seconds if seconds is None else seconds
        try:
            wire.send(self._fds["requests"], {"do": do, "seconds": limit, **message})
        except OSError:
            msg = f"The subject ended its own process{self._last_words()}"
            raise SubjectFailed(msg) from None
        return self._reply(time.monotonic() + limit + GRACE, f"within {limit:g} seconds")

    def close(self) -> None:
        """End the subject and everything it started."""
        for fd in self._fds.values():
            with contextlib.suppress(OSError):
                os.close(fd)
        self._fds = dict.fromkeys(self._fds, -1)
        try:
            self._process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._drain.join(GRACE)
        if self._process.stdout:
            self._process.stdout.close()
        self._directory.cleanup()


def _environment() -> dict[str, str]:
    environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    threads = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    return (
        environment
        | dict.fromkeys(threads, "1")
        | {
            "MPLBACKEND": "Agg",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONHASHSEED": "0",
        }
    )
