"""Turn trained sweeps into a report: `python report.py`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sweeps.errors import BadInput, StoreFailed, unreadable
from sweeps.pipes import outlive_readers

if TYPE_CHECKING:
    from analysis.frames import Study

COLUMNS = "columns of the runs, as docs/store.md explains them"
EPILOG = """examples:
  python report.py                             the last sweep
  python report.py dead_relu                   this one; --list shows their names
  python report.py before after                two sweeps side by side: `sweep` becomes an axis
  python report.py --where "depth > 2 and activation == 'relu'"     all runs like these
"""


class NotWritten(Exception):
    """A report could not be written to its directory.

    Attributes:
        folder: the directory.
        why: what the system says.
    """

    def __init__(self, folder: Path, error: OSError) -> None:
        self.folder, self.why = folder, error.strerror or str(error)
        super().__init__(f"The report could not be written to {folder}: {self.why}.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python report.py",
        description="Turn trained sweeps into a report: what failed, where, how, how sure. "
        "Reads the store; trains nothing.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "sweep",
        nargs="*",
        help="names of sweeps (default: the last one; with --where: every run of the store)",
    )
    parser.add_argument("--list", action="store_true", help="show the sweeps of the store")
    parser.add_argument(
        "--where",
        metavar="CONDITION",
        help="only runs for which this holds: names of columns (docs/store.md), axes and symptoms, "
        "numbers, 'texts', comparisons, and/or/not",
    )
    parser.add_argument(
        "--store", default="store", help="directory of the results (default: store)"
    )
    parser.add_argument("--out", type=Path, help="directory of the report (default: reports/NAME)")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        The exit status: 0 done, 1 the store cannot be read, 2 bad input, 130 interrupted.
    """
    given = _parser().parse_args(argv)
    try:
        if given.list:
            from sweeps import listing

            listing.show_list(given.store)
        else:
            _report(given)
    except BadInput as error:
        return _say(str(error), 2)
    except NotWritten as error:
        text = f"`--out` must be a directory that can be written; got {error.folder}: {error.why}."
        return _say(f"{text} Give another as --out DIR.", 2)
    except StoreFailed as error:
        return _say(str(error), 1)
    except KeyboardInterrupt:
        return _say("Interrupted.", 130)
    return 0


def _say(text: str, status: int) -> int:
    sys.stderr.write(f"{text}\n")
    return status


def _report(given: argparse.Namespace) -> None:
    study = _study(given.store, given.sweep, given.where)
    write(study, given.out or _folder(study))


def of_sweep(store: str | Path, name: str) -> None:
    """Write the report of one sweep to reports/NAME.

    Raises:
        BadInput: there is no such sweep, or none of its runs is stored.
        StoreFailed: the store cannot be read.
        NotWritten: reports/NAME cannot be written.
    """
    study = _study(store, [name], None)
    write(study, _folder(study))


def _folder(study: Study) -> Path:
    from sweeps.cases import FOLDERS

    folder = Path("reports") / study.name
    if study.name.lower() in FOLDERS:  # from before such names were refused
        raise BadInput(
            f"`--out` must be given for a sweep named {study.name}, since {folder} is for the "
            "pages of reproduce.py. Give it as --out DIR."
        )
    return folder


def _study(store: str | Path, names: Sequence[str], where: str | None) -> Study:
    from analysis.loading import load
    from sweeps import records

    try:
        study = load(store, names or ([] if where else records.sweeps(store)[:1]))
    except StoreFailed:
        raise
    except OSError as error:  # a directory that may not be searched
        raise unreadable(Path(store), error) from error
    return _kept(study, where) if where else study


def _kept(study: Study, condition: str) -> Study:
    import hashlib
    from dataclasses import replace

    from sweeps.filters import Filter

    plain = study.frame.astype(object)
    plain = plain.where(plain.notna(), None)
    columns = {str(name): plain[name].unique().tolist() for name in plain}
    chosen = Filter(condition, columns, "--where", COLUMNS)
    kept = study.where(condition, chosen.holds, list(chosen.names))
    mark = hashlib.sha256(condition.encode()).hexdigest()[:6]
    return replace(kept, name=f"{study.name}-{mark}", condition=condition)


def write(study: Study, folder: Path) -> None:
    """Write a report, and say what it found and where it is.

    Raises:
        StoreFailed: the store cannot be read.
        NotWritten: the folder cannot be written.
    """
    from rich.console import Console
    from rich.text import Text

    from analysis.report.build import make

    console = Console(stderr=True)
    try:
        with console.status("Report ...") as status:
            made = make(study, folder, lambda step: status.update(f"Report: {step} ..."))
    except StoreFailed:
        raise
    except OSError as error:  # whatever a report reads beside the store comes with bpcore
        raise NotWritten(folder, error) from error
    out = Console(soft_wrap=True, highlight=False)
    out.print(Text(made.summary))
    for k, finding in enumerate(made.findings[:3], start=1):
        out.print(Text(f"  {k}. {finding}"))
    link = made.page.resolve().as_uri()
    out.print(Text.assemble("Report:  ", (str(made.page), f"bold link {link}")))


if __name__ == "__main__":
    outlive_readers()
    raise SystemExit(main())
