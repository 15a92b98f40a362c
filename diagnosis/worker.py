"""Run a subject inside the keeper's child: load it once, then fork a copy for every request.

A copy shares nothing with the next one, neither state, nor random numbers, nor a changed directory.
"""

from __future__ import annotations

import contextlib
import importlib.abc
import os
import resource
import select
import signal
import struct
import sys
import time
import traceback
import types
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from diagnosis import keeper, wire

NAMES = ("params", "X", "Y", "loss", "grads")
FILES = 1 << 28


def _limit(memory: int) -> None:
    for kind, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, FILES),
    ):
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(kind, (most, most))


def _pin_randomness() -> None:
    """Give generators without a seed one, so that two calls can draw the same numbers."""
    import numpy as np

    make = np.random.default_rng

    def default_rng(seed: Any = None) -> Any:
        return make(0 if seed is None else seed)

    np.random.default_rng = default_rng


class _NoWindows(importlib.abc.MetaPathFinder):
    """Import Matplotlib so that choosing a window system, and showing, do nothing."""

    SILENT: Mapping[str, tuple[str, ...]] = {
        "matplotlib": ("use",),
        "matplotlib.pyplot": ("show", "pause", "ion"),
    }

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:  # noqa: ARG002
        """Return the module's own spec with a loader that silences it; None for all others."""
        if name not in self.SILENT:
            return None
        others = [finder for finder in sys.meta_path if finder is not self]
        spec = next((s for f in others if (s := f.find_spec(name, path)) is not None), None)
        if spec is None or spec.loader is None:
            return None
        load = spec.loader.exec_module

        def exec_module(module: types.ModuleType) -> None:
            load(module)
            for function in self.SILENT[name]:
                setattr(module, function, lambda *_, **__: None)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def _blame(error: BaseException, path: str) -> str:
    """Return the exception in one line, with the last line of the subject it passed."""
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == path
    ]
    if isinstance(error, SyntaxError) and error.filename == path:
        lines = [error.lineno]
    where = f" (line {lines[-1]})" if lines and lines[-1] else ""
    what = str(error).splitlines()
    return f"{type(error).__name__}{where}" + (f": {what[0][:300]}" if what else "")


def _gap(error: BaseException, path: str) -> str:
    """Return the function of the adapter that raised, as the template's do; else nothing."""
    names = [f.name for f in traceback.extract_tb(error.__traceback__) if f.filename == path]
    return names[-1] if names and names[-1] in ("loss", "grads", "train") else ""


def load(source: str, path: str) -> dict[str, Any]:
    """Execute a subject's source as a module of its own and return its names."""
    module = types.ModuleType("subject")
    module.__file__ = path
    sys.modules["subject"] = module
    exec(compile(source, path, "exec"), module.__dict__)  # noqa: S102 - what this process is for
    return module.__dict__


def _failure(doing: str, error: BaseException, path: str) -> dict[str, str]:
    from diagnosis.calls import BadResult

    if isinstance(error, BadResult):
        return {"error": str(error)}
    if isinstance(error, NotImplementedError) and (name := _gap(error, path)):
        return {"error": f"Fill in {name}: let it call your own code, as its comments show."}
    if isinstance(error, SystemExit):
        return {"error": f"The subject ended the program (exit {error.code}) {doing}."}
    if isinstance(error, MemoryError):
        return {"error": f"The subject needed more memory than it may have {doing}."}
    if isinstance(error, EOFError):
        return {"error": f"The subject reads from standard input, which is closed, {doing}."}
    said = f"The subject raised {_blame(error, path).removesuffix('.')} {doing}."
    if isinstance(error, FileNotFoundError):
        said += " It runs in an empty directory: name its files by their whole path."
    return {"error": said}


def _begin(settings: Mapping[str, Any]) -> dict[str, Any]:
    os.chdir(settings["directory"])
    sys.path.append(settings["beside"])
    sys.argv = [settings["path"]]
    warnings.simplefilter("ignore")
    _pin_randomness()
    sys.meta_path.insert(0, _NoWindows())
    return load(settings["source"], settings["path"])


def _prepare(settings: Mapping[str, Any]) -> tuple[Any, dict[str, str] | None]:
    """Load the subject; return its caller, or what is wrong."""
    from diagnosis.calls import Caller

    me = os.getpid()
    try:
        namespace = _begin(settings)
        missing = [name for name in NAMES if name not in namespace]
        if missing:
            return None, {
                "error": f"A subject must define {', '.join(NAMES)}; {', '.join(missing)} "
                f"{'is' if len(missing) == 1 else 'are'} missing. "
                "python diagnose.py --template writes an adapter to fill in."
            }
        for name in ("loss", "grads"):
            if not callable(namespace[name]):
                return None, {"error": f"`{name}` must be a function of (params, X, Y)."}
        if not isinstance(namespace["params"], Mapping | list | tuple):
            kind = type(namespace["params"]).__name__
            return None, {
                "error": f"`params` must be a dict of name -> array; got {kind}. Write params = "
                '{"W1": W1, "b1": b1} and so on; python diagnose.py --template shows an adapter.'
            }
        return Caller(namespace), None
    except BaseException as error:
        return None, _failure("while it was loaded", error, settings["path"])
    finally:
        if os.getpid() != me:  # a child the subject forked: it must not speak for the subject
            os._exit(0)


def _doing(message: Mapping[str, Any]) -> str:
    name = {"grads": "grads", "train": "train", "purity": "loss or grads"}
    return f"in {name.get(message['do'], 'loss')}"


def _work(caller: Any, message: Mapping[str, Any], path: str) -> dict[str, Any]:
    from diagnosis.tasks import TASKS

    me = os.getpid()
    try:
        return {"result": TASKS[message["do"]](caller, message)}
    except BaseException as error:
        return _failure(_doing(message), error, path)
    finally:
        if os.getpid() != me:
            os._exit(0)


def in_a_copy(work: Callable[[], Any], seconds: float, doing: str) -> bytes:
    """Fork, do the work there, and return the packed reply, whatever becomes of the copy."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(reading)
        with contextlib.suppress(BaseException):
            wire.send(writing, work())
        os._exit(0)
    os.close(writing)
    deadline = time.monotonic() + seconds
    ended = f"The subject ended its own process {doing}."
    reply: dict[str, Any] = {"error": ended, "ended": True}
    try:
        while time.monotonic() < deadline:
            if select.select([reading], [], [], 0.05)[0]:
                head, body = wire.receive_raw(reading, deadline)
                return _framed(head, body)
            if os.waitpid(pid, os.WNOHANG)[0] and not select.select([reading], [], [], 0)[0]:
                pid = 0
                return wire.pack(reply)
        raise wire.Late
    except wire.Late:
        late = f"The subject did not come back within {seconds:g} seconds {doing}."
        return wire.pack({"error": late, "late": True})
    except wire.Ended:
        return wire.pack(reply)
    finally:
        os.close(reading)
        if pid:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(OSError):
                os.waitpid(pid, 0)


def _framed(head: bytes, body: bytes) -> bytes:
    return struct.pack("<QQ", len(head), len(body)) + head + body


def _write(fd: int, packed: bytes) -> None:
    view = memoryview(packed)
    while view:
        view = view[os.write(fd, view) :]


def main(settings: Mapping[str, Any]) -> None:
    """Load the subject and answer requests until there are no more."""
    _limit(settings["memory"])
    requests, replies, path = settings["requests"], settings["replies"], settings["path"]
    caller, refusal = _prepare(settings)
    wire.send(replies, refusal or {"result": "loaded"})
    if refusal:
        return
    while True:
        try:
            message = wire.receive(requests)
        except wire.Ended:
            return
        if message["do"] == "left":
            others = keeper.descendants(os.getppid())
            wire.send(replies, {"result": sum(pid != os.getpid() for pid in others)})
            continue
        seconds = float(message["seconds"])
        reply = in_a_copy(
            lambda message=message: _work(caller, message, path),  # type: ignore[misc]
            seconds,
            _doing(message),
        )
        _write(replies, reply)
