"""`python -m sweeps.store`: what a store holds, printed."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sweeps import records, scanning, summary
from sweeps.errors import BadInput, StoreFailed


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sweeps.store",
        description="Look into a store of trained runs.",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    listed = commands.add_parser("list", help="the sweeps, the latest first", allow_abbrev=False)
    show = commands.add_parser("show", help="every cell of a sweep", allow_abbrev=False)
    for command in (listed, show):
        command.add_argument(
            "--store", default="store", help="directory of the store (default: store)"
        )
    show.add_argument("name", help="name of the sweep, as list prints it")
    show.add_argument("--csv", action="store_true", help="a row a run, as CSV, for other programs")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """List the sweeps of a store or show one; return the exit status."""
    chosen = _parser().parse_args(argv)
    try:
        if chosen.command == "list":
            show_list(chosen.store)
        elif chosen.csv:
            _check(chosen.store)
            records.runs(chosen.store, chosen.name).to_csv(sys.stdout, index=False)
        else:
            _check(chosen.store)
            _show(chosen.store, chosen.name)
    except BadInput as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except StoreFailed as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=200)


def _check(store: str) -> None:
    if not (Path(store) / "sweeps").is_dir():
        raise BadInput(
            f"`--store` must be a store; got {store}, which "
            f"{'is none' if Path(store).exists() else 'does not exist'}. "
            "Train a sweep first: python train.py -m activation=relu,tanh"
        )


def show_list(store: str) -> None:
    """Print the sweeps of a store, the latest first."""
    _check(store)
    stored = set(scanning.scan(store, None, ["run"])["run"].to_pylist())
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("sweep", "asked for", "cells", "runs", "command"):
        right = title in ("cells", "runs")
        table.add_column(title, justify="right" if right else "left", overflow="fold")
    names = records.sweeps(store)
    for name in names:
        about, members = records.manifest(store, name)
        ids = set(members["run"].to_pylist())
        have = len(ids & stored)
        count = str(have) if have == len(ids) else f"{have} of {len(ids)}"
        asked = about["created"].replace("T", " ").removesuffix("Z") + " UTC"
        table.add_row(Text(name), asked, str(len(about["cells"])), count, Text(about["command"]))
    console = _console()
    console.print(table)
    console.print(f"{len(stored)} runs in {store}/.", highlight=False)


def _show(store: str, name: str) -> None:
    about, members = records.manifest(store, name)
    table = scanning.scan(store, members["run"].to_pylist())
    cells: list[list[str]] = [[] for _ in about["cells"]]
    for run, cell in zip(members["run"].to_pylist(), members["cell"].to_pylist(), strict=True):
        cells[cell].append(run)
    values = [cell["values"] for cell in about["cells"]]
    printed = summary.cell_rows(list(about["axes"]), cells, values, table)
    console = _console()
    console.print(summary.cell_table(list(about["axes"]), printed))
    console.print(Text(summary.LEGEND + "\n", style="dim"), soft_wrap=True)
    total = len(set(members["run"].to_pylist()))
    if len(table) < total:
        text = f"{len(table)} of {total} runs are there; the command trains the others:"
        console.print(text, highlight=False)
    console.print(Text(about["command"]), soft_wrap=True)
    for identity in sorted(set(table["provenance"].to_pylist())):
        console.print(Text(_where(records.provenance(store, identity))), soft_wrap=True)


def _where(provenance: dict[str, object]) -> str:
    commit = str(provenance["commit"] or "no git commit")[:12]
    changed = " with changes" if provenance["dirty"] else ""
    blas = provenance["blas"]
    kernels = ", ".join(
        f"{pool['internal_api']} {pool['architecture']}"
        for pool in (blas if isinstance(blas, list) else [])
    )
    packages = json.loads(json.dumps(provenance["packages"]))
    return (
        f"made by {commit}{changed}, NumPy {packages['numpy']}, {kernels}, "
        f"{provenance['processor']}"
    )
