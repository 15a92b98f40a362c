"""Reproduce forum posts and decide by measurement what was wrong: `python reproduce.py`.

`python reproduce.py --list` shows the posts, `python reproduce.py 002` takes one of them.
"""

from __future__ import annotations

import argparse
import errno
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sweeps.errors import BadInput, StoreFailed, unreadable
from sweeps.pipes import outlive_readers
from sweeps.whole import write_whole

KEPT = "verdict.json"
ROOT = Path(__file__).resolve().parent
CONF = ROOT / "conf"
REPLICATES, QUICK_REPLICATES = 30, 6
SOURCES = ("analysis", "bpcore", "conf", "hydra_plugins", "sweeps", "reproduce.py", "train.py")
FULL = (errno.ENOSPC, errno.EDQUOT)
READ = (".py", ".yaml", ".html", ".css")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = argparse.ArgumentParser(
        prog="python reproduce.py",
        description="Train every suspected cause of a forum post as posted and mended, in all "
        "combinations, and judge by the numbers which of them is the true one.",
        epilog="docs/cases.md says what the words mean and how to add a post.",
        allow_abbrev=False,
    )
    made.add_argument("cases", nargs="*", metavar="CASE", help="posts, as 002 (default: all)")
    made.add_argument("--list", action="store_true", help="show the posts and stop")
    made.add_argument(
        "--quick",
        action="store_true",
        help=f"{QUICK_REPLICATES} replicates a cell in place of {REPLICATES}: wider intervals, so "
        "the same words or undecided; too few to find a factor innocent or latent",
    )
    made.add_argument("--store", default="store", help="directory of the store (default: store)")
    made.add_argument("--reports", default="reports", type=Path, help="(default: reports)")
    made.add_argument("--jobs", default=0, type=int, help="worker processes; 0: one a core")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        The exit status: 0 done, 1 our fault, 2 bad input, 130 interrupted.
    """
    given = parser().parse_args(argv)
    try:
        return _list() if given.list else _reproduce(given)
    except BadInput as error:
        return _say(str(error), 2)
    except StoreFailed as error:
        return _say(str(error), 1)
    except KeyboardInterrupt:
        return _say(
            f"Interrupted. What was trained is kept in {given.store}/. "
            "Give the same command again to go on.",
            130,
        )


def _say(text: str, status: int) -> int:
    sys.stderr.write(f"{text}\n")
    return status


@contextmanager
def _writing(reports: Path) -> Iterator[None]:
    """Blame `--reports` for what the system refuses meanwhile, unless store or disk is to blame."""
    try:
        yield
    except StoreFailed:
        raise
    except OSError as error:
        if error.errno in FULL:
            raise StoreFailed(
                f"{reports} could not be written: {error.strerror}. What was trained is kept; make "
                "room and give the same command again."
            ) from error
        raise BadInput(
            f"`--reports` must be a directory that can be written; got {reports}: "
            f"{error.strerror or error}. Give another as --reports DIR."
        ) from error


def _list() -> int:
    from sweeps.helptext import group_options

    for name, text in group_options(CONF, "case").items():
        print(f"{name}  {text.partition(' python ')[0]}")
    return 0


def _reproduce(given: argparse.Namespace) -> int:
    from analysis.report.posts import too_few, write_index
    from sweeps.cases import FOLDERS, load

    names = given.cases or _listed()
    cases = {name: load(CONF, name) for name in dict.fromkeys(names)}
    _check(cases)
    folder = given.reports / FOLDERS[given.quick]
    with _writing(given.reports):
        folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for number, (name, case) in enumerate(cases.items(), start=1):
        sys.stderr.write(f"{name} ({number} of {len(cases)}): {case['title']}\n")
        found[name] = _verdict(name, case, given, folder)
        _print(name, found[name])
    for name in _listed():
        if name not in found and (last := _last(name, given, folder)) is not None:
            cases[name], found[name] = load(CONF, name), last
    found = {name: found[name] for name in sorted(found)}
    path = folder / "verdicts.json"
    with _writing(given.reports):
        _write(path, found)
        index = write_index(cases, found, folder, _replicates(given))
    if note := too_few(_replicates(given)):
        print(note)
    print(f"Pages: {index}")
    print(path)
    return 0


def _check(cases: Mapping[str, Any]) -> None:
    """Refuse cases that could not be judged, before they are trained."""
    from analysis.claims import problems

    found = [f"{name}.yaml: {text}" for name, case in cases.items() for text in problems(case)]
    if found:
        raise BadInput("\n".join(found))


def _verdict(name: str, case: Any, given: argparse.Namespace, folder: Path) -> Any:
    """Return a case's entry, from the last time if nothing it follows from has changed since."""
    last = _last(name, given, folder)
    if last is not None:
        return last
    sweep = _train(name, _sweep(name, given), given)
    stamp = _stamp(given.store, _sweep(name, given))
    with _writing(given.reports):
        verdict = _judge(name, case, given, sweep, folder / name)
        _write(folder / name / KEPT, {"from": stamp, "verdict": verdict})
    return verdict


def _sweep(name: str, given: argparse.Namespace) -> str:
    return f"case-{name}" + ("-quick" if given.quick else "")


def _replicates(given: argparse.Namespace) -> int:
    return QUICK_REPLICATES if given.quick else REPLICATES


def _last(name: str, given: argparse.Namespace, folder: Path) -> Any:
    """Return the verdict of the last time; None where what it follows from has changed since."""
    kept = folder / name / KEPT
    if not kept.is_file() or not (kept.parent / "index.html").is_file():
        return None
    stamp = _stamp(given.store, _sweep(name, given))
    try:
        last = json.loads(kept.read_text(encoding="utf-8"))
        return last["verdict"] if last["from"] == stamp else None
    except (ValueError, LookupError, TypeError):  # damaged, so as good as none
        return None


def _listed() -> list[str]:
    return sorted(path.stem for path in (CONF / "case").glob("*.yaml"))


def _stamp(store: str, sweep: str) -> str:
    """Digest what a verdict follows from: the program, the case, the runs that the sweep has."""
    roots = [ROOT / name for name in SOURCES]
    files = [path for root in roots for path in ([root] if root.is_file() else root.rglob("*.*"))]
    files = sorted(path for path in files if path.suffix in READ)
    digest = hashlib.sha256(sweep.encode())
    for path in files:
        digest.update(path.read_bytes() if path.is_file() else b"missing")
    manifest = Path(store) / "sweeps" / f"{sweep}.parquet"
    try:
        digest.update(manifest.read_bytes() if manifest.is_file() else b"missing")
    except OSError as error:
        raise unreadable(manifest, error) from error
    return digest.hexdigest()


def _train(name: str, sweep: str, given: argparse.Namespace) -> str:
    """Train a case's full factorial; return the name of its sweep."""
    import train
    from sweeps import engine

    engine.DONE.clear()
    options = [f"replicates={_replicates(given)}", f"name={sweep}", f"jobs={given.jobs}"]
    train.run([f"case={name}", *options, f'store="{given.store}"'])
    return engine.DONE[0].sweep.name


def _judge(name: str, case: Any, given: argparse.Namespace, sweep: str, folder: Path) -> Any:
    """Judge a case; leave its tables as CSV files."""
    from analysis import claims, endings, forum
    from analysis.report import posts

    scenarios = forum.measured(endings.runs(given.store, sweep), case)
    judged = [claims.judged(claim, scenarios) for claim in case["claims"]]
    folder.mkdir(parents=True, exist_ok=True)
    for table, frame in forum.tables(scenarios).items():
        frame.to_csv(folder / f"{table}.csv", index=False)
    command = f"python reproduce.py {'--quick ' if given.quick else ''}{name}"
    posts.write_page(
        name, case, scenarios, judged, store=given.store, folder=folder, command=command
    )
    return forum.summary(case, scenarios, judged)


def _write(path: Path, content: Any) -> None:
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_whole(path, lambda to: to.write_text(text, encoding="utf-8"))


def _print(name: str, verdict: Any) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if not console.is_terminal:
        console = Console(width=160)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=name, title_justify="left")
    for title in ("scenario", "data", "complaint", "trains", "mended", "guilty", "latent", "mend"):
        table.add_column(title, overflow="fold")
    for scenario in verdict["scenarios"]:
        table.add_row(*_row(scenario))
    console.print(table)
    for claim in verdict["claims"]:
        console.print(f"  {claim['verdict']:10} {claim['by']}: {claim['claim']}", highlight=False)
    console.print()


def _row(scenario: Any) -> list[str]:
    """Return the printed row of a scenario."""
    by_word = {
        word: ", ".join(f["factor"] for f in scenario["factors"] if f["verdict"] == word)
        for word in ("guilty", "latent")
    }
    complaint = {True: "yes", False: "no", None: "-"}[scenario["complaint"]]
    mends = [" + ".join(names) or "nothing" for names in scenario["minimal"]]
    mends += [f"perhaps {' + '.join(names)}" for names in scenario["perhaps_minimal"]]
    return [
        scenario["name"],
        scenario["data"],
        complaint,
        f"{scenario['trains_as_posted']:.0%}",
        f"{scenario['trains_mended']:.0%}",
        by_word["guilty"],
        by_word["latent"],
        " or ".join(mends) or "undecided",
    ]


if __name__ == "__main__":
    outlive_readers()
    raise SystemExit(main())
