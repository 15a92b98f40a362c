"""The store: what was trained is written once, whole or not at all, and never again.

    store/
      parts/<time>-<process>-<number>.parquet    a row a run (sweeps.schema), plain Parquet
      sweeps/<name>.parquet                      a manifest: which runs a sweep is made of
      data/<digest>.npz                          the arrays runs were trained on
      provenance/<identity>.json                 where runs were made

A file is written under a temporary name and renamed, so that a reader sees all of it or nothing.
Any number of processes may write at once; a run trained twice is read once.

    python -m sweeps.store list                  # the sweeps of ./store
    python -m sweeps.store show NAME             # every cell of one
"""

from __future__ import annotations

import json
import os
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from sweeps import provenance
from sweeps.columns import read
from sweeps.errors import BadInput, StoreFailed
from sweeps.pipes import outlive_readers
from sweeps.whole import TEMPORARY, write_whole

# A run that has finished is on disk after this many seconds, or after this many have finished.
FLUSH_SECONDS = 1.0
FLUSH_ROWS = 20_000


class Store:
    """A directory of results that can be written.

    Raises:
        BadInput: the directory cannot be made or written.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        try:
            for name in ("parts", "sweeps", "data", "provenance"):
                (self.root / name).mkdir(parents=True, exist_ok=True)
            probe = self.root / "parts" / f"{TEMPORARY}{uuid.uuid4().hex}"  # others may probe too
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise BadInput(
                f"`store` must be a directory that can be written; got {root}: "
                f"{error.strerror or error}. Choose another with store=DIR."
            ) from None
        self._written = 0

    def parts(self) -> list[Path]:
        """Return the files with runs, oldest first."""
        return sorted((self.root / "parts").glob("*.parquet"))

    def known(self) -> set[str]:
        """Return the identities of all runs in the store."""
        known: set[str] = set()
        for part in self.parts():
            known.update(read(part, ["run"])["run"].to_pylist())
        return known

    def write_part(self, rows: pa.Table) -> None:
        """Add a part; when this returns, its runs are remembered."""
        stamp = f"{time.time_ns():020d}-{os.getpid()}-{self._written:06d}"
        self._written += 1
        path = self.root / "parts" / f"{stamp}.parquet"
        self._write(path, lambda to: pq.write_table(rows, to, compression="zstd"))

    def write_provenance(self, where: dict[str, Any]) -> None:
        """Keep where runs were made, once."""
        path = self.root / "provenance" / f"{provenance.identity(where)}.json"
        if not path.exists():
            text = json.dumps(where, indent=2, sort_keys=True)
            self._write(path, lambda to: to.write_text(text + "\n", encoding="utf-8"))

    def write_manifest(self, name: str, about: dict[str, Any], rows: pa.Table) -> None:
        """Keep what a sweep is made of.

        Args:
            name: of the sweep; one of the same name is replaced.
            about: command, axes, cells: anything JSON can hold.
            rows: `run`, `cell`, `replicate`: a row a run, whoever trained it.
        """
        rows = rows.replace_schema_metadata({"bpcore.sweep": json.dumps({"name": name, **about})})
        self._write(self._manifest(name), lambda to: pq.write_table(rows, to, compression="zstd"))

    def has_manifest(self, name: str) -> bool:
        """Say whether there is a sweep of this name."""
        return self._manifest(name).exists()

    def members(self, name: str) -> set[str]:
        """Return the runs of a sweep; none where there is no such sweep."""
        if not self.has_manifest(name):
            return set()
        return set(read(self._manifest(name), ["run"])["run"].to_pylist())

    def remove_manifest(self, name: str) -> None:
        """Forget a sweep; its runs stay."""
        self._manifest(name).unlink(missing_ok=True)

    def failure(self, error: OSError) -> StoreFailed:
        """Say that a file could not be written after training had been asked for."""
        return StoreFailed(
            f"The store {self.root} could not be written: {error.strerror or error}. "
            "What was written before is kept; make room and give the same command again."
        )

    def _write(self, path: Path, write: Callable[[Path], object]) -> None:
        try:
            write_whole(path, write)
        except OSError as error:
            raise self.failure(error) from error

    def _manifest(self, name: str) -> Path:
        return self.root / "sweeps" / f"{name}.parquet"


class Writer:
    """Writes rows as they come, in a thread of its own, so that none waits for long.

    Used as a context: leaving it writes what is left, also after an interruption.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pending: list[pa.Table] = []
        self._wake = threading.Condition()
        self._closed = False
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._work, name="store-writer", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        with self._wake:
            self._closed = True
            self._wake.notify()
        self._thread.join()
        if exception[0] is None:
            self._raise_failure()

    def put(self, rows: pa.Table) -> None:
        """Take rows to be written within about a second.

        Raises:
            StoreFailed: an earlier write failed.
        """
        self._raise_failure()
        with self._wake:
            self._pending.append(rows)
            self._wake.notify()

    def _raise_failure(self) -> None:
        if self._failure:
            raise self._failure

    def _work(self) -> None:
        while True:
            with self._wake:
                while not self._pending and not self._closed:
                    self._wake.wait()
                closing = self._closed
            if not closing:
                self._wait_for_more()
            with self._wake:
                rows, self._pending = self._pending, []
            if rows:
                try:
                    self._store.write_part(pa.concat_tables(rows))
                except Exception as error:
                    self._failure = error
                    return
            elif closing:
                return

    def _wait_for_more(self) -> None:
        """Let rows gather, but not for longer than a second."""
        deadline = time.monotonic() + FLUSH_SECONDS
        with self._wake:
            while not self._closed and sum(map(len, self._pending)) < FLUSH_ROWS:
                left = deadline - time.monotonic()
                if left <= 0:
                    return
                self._wake.wait(left)


def main(argv: Sequence[str] | None = None) -> int:
    """List the sweeps of a store, or show one."""
    from sweeps import listing

    return listing.main(argv)


if __name__ == "__main__":
    outlive_readers()
    raise SystemExit(main())
