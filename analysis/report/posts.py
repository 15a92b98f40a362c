"""Pages of forum posts: one a post, and an index that sums them up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from analysis import verdicts
from analysis.figures.cases import AS_POSTED, MENDED, draw_endings, draw_suspects
from analysis.forum import Measured
from analysis.histories import READ, epochs_of, on
from analysis.intervals import median_interval
from analysis.report.drawing import draw
from analysis.report.page import environment, read
from analysis.report.section import Picture
from analysis.symptoms import NEEDED
from analysis.symptoms.traces import Traces
from sweeps import records

MOST_PANELS = 4
MOST_SUSPECTS = 3  # scenarios whose factors are drawn


def write_page(
    name: str,
    case: Mapping[str, Any],
    scenarios: Sequence[Measured],
    claims: Sequence[Mapping[str, Any]],
    *,
    store: str | Path,
    folder: Path,
    command: str,
) -> Path:
    """Write the page of a post.

    Args:
        name: of the case.
        case: as `sweeps.cases.load` returns it.
        scenarios: what was measured.
        claims: `analysis.claims.judged` of each claim of the case, in its order.
        store: where the runs are.
        folder: where to.
        command: makes the page again.
    """
    pictures = _pictures(scenarios, store)
    drawn = {each.picture.name: each for each in draw(pictures, folder / "figures")}
    made = {"name": name, "command": command, "pictures": pictures, "drawn": drawn}
    return _written("post.html", {**made, **_found(case, scenarios, claims)}, folder)


def _found(
    case: Mapping[str, Any], scenarios: Sequence[Measured], claims: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return what a page says of what was found."""
    return {
        "case": case,
        "scenarios": [_scenario(case, scenario) for scenario in scenarios],
        "claims": [
            {"by": claim["by"], "claim": claim["claim"], **_judged(judged)}
            for claim, judged in zip(case["claims"], claims, strict=True)
        ],
        "answer": answer(case, scenarios),
        "too_few": too_few(min(len(scenario.as_posted()) for scenario in scenarios)),
    }


def _written(template: str, context: Mapping[str, Any], folder: Path) -> Path:
    shared = {"definitions": definitions(), "style": read("style.css")}
    page = folder / "index.html"
    text = environment().get_template(template).render({**shared, **context})
    page.write_text(text, encoding="utf-8")
    return page


def write_index(
    cases: Mapping[str, Mapping[str, Any]],
    found: Mapping[str, Any],
    folder: Path,
    replicates: int,
) -> Path:
    """Write the page that sums the posts up.

    Args:
        cases: by name.
        found: what verdicts.json holds.
        folder: where to; the pages of the posts lie in folders of their names.
        replicates: of each cell.
    """
    rows = [{"name": name, "title": cases[name]["title"], **_summed(found[name])} for name in found]
    context = {
        "rows": rows,
        "too_few": too_few(replicates),
    }
    return _written("posts.html", context, folder)


def definitions() -> list[tuple[str, str]]:
    """Return the words of a verdict and what they mean, as `analysis.verdicts` states them."""
    paragraphs = (verdicts.__doc__ or "").split("\n\n")
    defined = [" ".join(p.split()) for p in paragraphs if p.startswith("*")]
    return [(word, text) for word, _, text in (p[1:].partition("*: ") for p in defined)]


def too_few(replicates: int) -> str:
    """Say which words so few replicates a cell cannot reach; empty where all can be."""
    innocent, latent = verdicts.fewest_for_innocence(), verdicts.fewest_for_latency()
    takes = {
        f"innocent, which takes {innocent}": innocent,
        f"latent or guilty only with others, which takes {latent} or more": latent,
    }
    beyond = [words for words, fewest in takes.items() if replicates < fewest]
    if not beyond:
        return ""
    return f"With {replicates} replicates a cell no factor can be found {', nor '.join(beyond)}."


def complaining(scenarios: Sequence[Measured]) -> list[Measured]:
    """Return the scenarios that show the complaint; all of them where none does."""
    return [s for s in scenarios if s.complains] or list(scenarios)


def answer(case: Mapping[str, Any], scenarios: Sequence[Measured]) -> list[str]:
    """Say in a few sentences what was found."""
    shows = [s for s in scenarios if s.complains]
    sentences = []
    if case["complaint"]:
        where = _where(shows)
        sentences.append(
            f"The complaint appears in {len(shows)} of {len(scenarios)} scenarios and data sets"
            + (f": {where}." if shows else ".")
        )
    chosen = complaining(scenarios)
    there = "there" if shows else "over all of them"
    for word in ("guilty", "latent", "innocent"):
        counted = _counted(chosen, word)
        if counted:
            listed = ", ".join(f"{factor} ({n} of {of})" for factor, n, of in counted)
            sentences.append(f"{word.capitalize()} {there}: {listed}.")
    undecided = [s for s in chosen if not s.judgment.decided]
    if undecided:
        sentences.append(
            f"In {len(undecided)} of these the mended program does not clearly train either, so "
            "nothing is decided."
        )
    return sentences


def _where(scenarios: Sequence[Measured]) -> str:
    by_name: dict[str, list[str]] = {}
    for scenario in scenarios:
        by_name.setdefault(scenario.name, []).append(scenario.data)
    return "; ".join(f"{name} ({', '.join(data)})" for name, data in by_name.items())


def _counted(scenarios: Sequence[Measured], word: str) -> list[tuple[str, int, int]]:
    """Return each factor with that verdict, in how many scenarios, of how many that have it."""
    has: dict[str, int] = {}
    is_: dict[str, int] = {}
    for scenario in scenarios:
        table = scenario.judgment.factors
        for factor, verdict in zip(table["factor"], table["verdict"], strict=True):
            has[factor] = has.get(factor, 0) + 1
            is_[factor] = is_.get(factor, 0) + (verdict == word)
    return [(factor, n, has[factor]) for factor, n in is_.items() if n]


def _scenario(case: Mapping[str, Any], scenario: Measured) -> dict[str, Any]:
    judgment = scenario.judgment
    rows = judgment.factors.to_dict("records")
    return {
        "name": scenario.name,
        "data": scenario.data,
        "about": case["scenarios"][scenario.name]["about"],
        "complains": scenario.complains,
        "complaint": scenario.complaint,
        "decided": judgment.decided,
        "posted": judgment.posted,
        "mended": judgment.mended,
        "minimal": [list(names) for names in judgment.minimal],
        "perhaps": [list(names) for names in judgment.perhaps],
        "factors": [{**row, **_about(case, str(row["factor"]))} for row in rows],
        "n": len(scenario.as_posted()),
    }


def _about(case: Mapping[str, Any], factor: str) -> dict[str, Any]:
    about = case["factors"][factor]
    return {key: about[key] for key in ("suspect", "cure", "open")}


def _judged(judged: Mapping[str, Any]) -> dict[str, Any]:
    return {"verdict": judged["verdict"], "numbers": judged["numbers"]}


def _summed(found: Mapping[str, Any]) -> dict[str, Any]:
    scenarios = found["scenarios"]
    shows = [s for s in scenarios if s["complaint"]] or scenarios
    has: dict[str, int] = {}
    words: dict[str, dict[str, int]] = {}
    for factor in (factor for scenario in shows for factor in scenario["factors"]):
        name = factor["factor"]
        has[name] = has.get(name, 0) + 1
        counted = words.setdefault(factor["verdict"], {})
        counted[name] = counted.get(name, 0) + 1
    claims = [claim["verdict"] for claim in found["claims"]]
    return {
        "complaint": sum(bool(s["complaint"]) for s in scenarios),
        "names_complaint": any(s["complaint"] is not None for s in scenarios),
        "scenarios": len(scenarios),
        "of": has,
        "words": {word: words.get(word, {}) for word in ("guilty", "latent", "innocent")},
        "claims": {w: claims.count(w) for w in ("supported", "refuted", "undecided")},
    }


def _pictures(scenarios: Sequence[Measured], store: str | Path) -> list[Picture]:
    chosen = complaining(scenarios)
    pictures = [_endings(chosen, store)]
    by_name: dict[str, dict[str, pd.DataFrame]] = {}
    for scenario in chosen:
        if len(scenario.judgment.factors):
            by_name.setdefault(scenario.name, {})[scenario.data] = scenario.judgment.factors
    suspects = [_suspects(name, tables) for name, tables in by_name.items()]
    return [*pictures, *suspects[:MOST_SUSPECTS]]


def _endings(scenarios: Sequence[Measured], store: str | Path) -> Picture:
    drawn = scenarios[:MOST_PANELS]
    some = f" The first {len(drawn)} of {len(scenarios)}." if len(drawn) < len(scenarios) else ""
    panels = {f"{s.name}, {s.data}": curves(s, store) for s in drawn}
    priors = {round(float(p), 9) for s in drawn for p in s.runs["prior_loss"].unique()}
    prior = priors.pop() if len(priors) == 1 else None
    return Picture(
        "endings",
        "Median loss over replicates with its 95 % interval: the program as posted, with the "
        "smallest change that mends it, and with everything mended. A diverged run counts as "
        f"infinite.{some}",
        f"Curves of the loss of the posted and the mended program, {len(panels)} panels.",
        (panels, prior),
        lambda: draw_endings(panels, prior, "As posted, and mended"),
    )


def _suspects(scenario: str, tables: Mapping[str, pd.DataFrame]) -> Picture:
    shown = {
        data: table.drop(columns="together", errors="ignore") for data, table in tables.items()
    }
    return Picture(
        f"suspects-{scenario}",
        f"Scenario {scenario}: how many more runs train when one suspect is mended, in the program "
        "as posted (filled) and in the mended program, where it alone is spoiled (open), with 95 % "
        "intervals, each for itself; a verdict of guilty asks for wider ones, that hold together.",
        "Dots with intervals: the effect of mending each factor.",
        (shown,),
        lambda: draw_suspects(shown, f"What each suspect does: {scenario}"),
    )


def curves(scenario: Measured, store: str | Path) -> pd.DataFrame:
    """Return the median loss over epochs of the posted, the least mended and the mended program.

    Returns:
        A row a program and epoch: `level`, `epoch`, `median`, `low`, `high`.
    """
    cells = {AS_POSTED: (), MENDED: scenario.posted}
    smallest = next(iter([*scenario.judgment.minimal, *scenario.judgment.perhaps]), ())
    if smallest not in cells.values():
        cells = {AS_POSTED: (), f"{' + '.join(smallest)} mended": smallest, MENDED: scenario.posted}
    parts = [_curve(scenario, level, mended, store) for level, mended in cells.items()]
    return pd.concat(parts, ignore_index=True)


def _curve(
    scenario: Measured, level: str, mended: Sequence[str], store: str | Path
) -> pd.DataFrame:
    is_mended = [factor in mended for factor in scenario.posted]
    here = scenario.runs[list(scenario.posted)].eq(is_mended).all(axis=1)
    columns = tuple(dict.fromkeys((*NEEDED, *READ)))
    table = records.table(store, scenario.runs.loc[here, "run"], columns)
    traces = Traces(table.to_pandas())
    epochs = epochs_of(traces)
    middle, low, high = median_interval(on(traces, "loss", epochs))
    frame = pd.DataFrame({"epoch": epochs, "median": middle, "low": low, "high": high})
    return frame.dropna(subset="median").assign(level=level)
