"""Measure the rules for symptoms, draw them, and write the page about them.

python -m analysis.population measure
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from analysis.population import figures, page, rates
from analysis.population.twins import twins


def _choose(given: argparse.Namespace) -> None:
    table = rates.choices([pair for pair in twins(given.store) if pair.choosing])
    percent = table.assign(
        moment=[f"{100 * moment:.0f} %" for moment in table["moment"]],
        false_alarms=(100 * table["false_alarms"]).round(2),
        missed=(100 * table["missed"]).round(2),
    )
    print(percent.to_string(index=False))


def _measure(given: argparse.Namespace) -> None:
    pairs = list(twins(given.store))
    table = rates.error_rates(rates.verdicts(pair for pair in pairs if not pair.choosing))
    table["runs"] = sum(len(pair.short.frame) for pair in pairs)
    table["data"] = ", ".join(pair.data for pair in pairs if not pair.choosing)
    table.to_csv(page.ERROR_RATES, index=False, float_format="%.6g")
    print(f"Written: {page.ERROR_RATES}")


def _figures(given: argparse.Namespace) -> None:
    for path in figures.draw_all(given.store, page.PICTURES):
        print(f"Drawn: {path}")


def _page(given: argparse.Namespace) -> None:  # noqa: ARG001
    sys.stdout.write(page.page())


COMMANDS: Mapping[str, tuple[Callable[[argparse.Namespace], None], str]] = {
    "choose": (_choose, "print what errors other limits would make, in percent"),
    "measure": (_measure, f"measure the errors and write {page.ERROR_RATES.name}"),
    "figures": (_figures, "draw what each symptom looks like, from its experiment"),
    "page": (_page, "print docs/failure-modes.md"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one of the commands; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m analysis.population",
        description="Measure how often the rules for symptoms are wrong, and write it down.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (_, about) in COMMANDS.items():
        command = commands.add_parser(name, help=about, description=about.capitalize() + ".")
        command.add_argument("--store", type=Path, default=Path("store"), help="default: store")
    given = parser.parse_args(argv)
    try:
        COMMANDS[given.command][0](given)
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
