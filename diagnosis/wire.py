"""Messages between processes: JSON and the bytes of arrays.

Not pickle: what a subject's process sends is read by ours, and must not be able to run anything.
"""

from __future__ import annotations

import json
import os
import select
import struct
import time
from typing import Any

import numpy as np

LARGEST = 1 << 30
_KINDS = "biuf"


class Ended(Exception):
    """The other side is gone."""


class Late(Exception):
    """Nothing came in time."""


def pack(message: Any) -> bytes:
    """Turn lists, dicts, strings, numbers and numeric arrays into bytes.

    An array that is there several times, as the data of many points, travels once.
    """
    arrays: list[bytes] = []
    first: dict[int, int] = {}

    def plain(value: Any) -> Any:
        if isinstance(value, np.ndarray) and value.dtype.kind in _KINDS:
            if id(value) in first:
                return {"__same__": first[id(value)]}
            first[id(value)] = len(arrays)
            arrays.append(np.ascontiguousarray(value).tobytes())
            # Zero dimensions too: a number that is an array stays one.
            return {"__array__": [value.dtype.str, list(value.shape), len(arrays[-1])]}
        if isinstance(value, np.generic):
            return value.item()
        if isinstance(value, dict):
            return {str(key): plain(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [plain(item) for item in value]
        return value

    head = json.dumps(plain(message)).encode()
    body = b"".join(arrays)
    return struct.pack("<QQ", len(head), len(body)) + head + body


def unpack(head: bytes, body: bytes) -> Any:
    """Reverse `pack`; arrays come back writable, and one that was there several times as one."""
    at = 0
    made: list[Any] = []

    def full(value: Any) -> Any:
        nonlocal at
        if isinstance(value, dict):
            if "__array__" in value:
                dtype, shape, size = value["__array__"]
                piece, at = body[at : at + size], at + size
                made.append(np.frombuffer(piece, np.dtype(dtype)).reshape(shape).copy())
                return made[-1]
            if "__same__" in value:
                return made[value["__same__"]]
            return {key: full(item) for key, item in value.items()}
        return [full(item) for item in value] if isinstance(value, list) else value

    return full(json.loads(head))


def send(fd: int, message: Any) -> None:
    """Write one message."""
    view = memoryview(pack(message))
    while view:
        view = view[os.write(fd, view) :]


def _read(fd: int, size: int, deadline: float) -> bytes:
    pieces = []
    while size:
        ready, _, _ = select.select([fd], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise Late
        piece = os.read(fd, min(size, 1 << 20))
        if not piece:
            raise Ended
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def receive_raw(fd: int, deadline: float) -> tuple[bytes, bytes]:
    """Read one message as bytes, before `time.monotonic()` reaches the deadline.

    Raises:
        Late: it did.
        Ended: the other side closed, or sent what is no message.
    """
    head, body = struct.unpack("<QQ", _read(fd, 16, deadline))
    if head + body > LARGEST:
        raise Ended
    return _read(fd, head, deadline), _read(fd, body, deadline)


def receive(fd: int, deadline: float = float("inf")) -> Any:
    """Read one message; see `receive_raw`."""
    limit = min(deadline, time.monotonic() + 1e6)  # select refuses infinity
    return unpack(*receive_raw(fd, limit))
