"""Diagnose a network somebody wrote by hand: `python diagnose.py my_net.py`.

The module names `params`, `X`, `Y`, `loss` and `grads`; `python diagnose.py --template` prints one
to fill in. It runs in a process of its own, with limits on time and memory.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from diagnosis.answer import Answer

from sweeps.pipes import outlive_readers

EXAMPLE = Path(__file__).resolve().parent / "examples" / "wrong_slope.py"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="diagnose.py",
        description="Say whether a hand-written gradient is right, and if not, what is wrong.",
        epilog="Exit status: 0 healthy, 1 something is wrong, 2 could not be run.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "subject", nargs="?",
        help="a Python module or a notebook (.ipynb); without one, a shipped example",
    )  # fmt: skip
    forms = parser.add_mutually_exclusive_group()
    forms.add_argument("--json", action="store_true", help="one JSON object on standard output")
    forms.add_argument("--markdown", action="store_true", help="to paste into an answer")
    forms.add_argument("--html", metavar="FILE", help="also write a page with figures")
    parser.add_argument(
        "--fix",
        action="store_true",
        help="show a training with the repaired gradient beside the author's",
    )
    parser.add_argument(
        "--template", action="store_true", help="print an adapter to fill in, and stop"
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=30.0,
        metavar="S",
        help="how long loading, or one call, may take (default 30)",
    )
    parser.add_argument(
        "--memory",
        type=float,
        default=4.0,
        metavar="GB",
        help="how much address space the subject may have (default 4)",
    )
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Returns:
        The exit status: 0 healthy, 1 something is wrong, 2 could not be run, 130 interrupted.
    """
    options = _parser().parse_args(arguments)
    if options.template:
        from diagnosis.template import TEMPLATE

        print(TEMPLATE.removesuffix("\n"))
        return 0
    from diagnosis.diagnose import diagnose_file

    if wrong := _refused(options):
        sys.stderr.write(f"{wrong}\n")
        return 2
    path = options.subject or str(EXAMPLE)
    if not options.subject:
        sys.stderr.write("No program given; this is one that comes with bpcore.\n")
    try:
        with _steps_told() as tell:
            answer = diagnose_file(
                path,
                seconds=options.seconds,
                memory=int(options.memory * 2**30),
                fix=options.fix,
                tell=tell,
            )
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        return 130
    _show(answer, options)
    if options.html and not _written(answer, Path(options.html)):
        return 2
    return answer.status


@contextlib.contextmanager
def _steps_told() -> Iterator[Callable[[str], None]]:
    """Say in a terminal what is done, until it is done."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console

    with Console(stderr=True).status("running your program") as status:
        yield lambda step: status.update(step)


def _show(answer: Answer, options: argparse.Namespace) -> None:
    from diagnosis import report

    if options.json:
        print(json.dumps(answer.as_dict(), indent=2))
    else:
        print(report.markdown(answer) if options.markdown else report.text(answer))


def _written(answer: Answer, path: Path) -> bool:
    """Write the page; say what is wrong where that cannot be done."""
    from diagnosis.page import page

    try:
        path.write_text(page(answer), encoding="utf-8")
    except OSError as error:
        sys.stderr.write(
            f"`--html` must be a file that can be written; got {path}: {error.strerror}.\n"
        )
        return False
    sys.stderr.write(f"Written: {path}\n")
    return True


def _refused(options: argparse.Namespace) -> str:
    """Say what is wrong with the options; empty where nothing is."""
    if options.html and not options.html.endswith((".html", ".htm")):
        return f"`--html` must end in .html; got {options.html}. Give the program first."
    if options.seconds <= 0 or options.memory <= 0:
        return "`--seconds` and `--memory` must be above 0."
    return ""


if __name__ == "__main__":
    outlive_readers()
    raise SystemExit(main())
