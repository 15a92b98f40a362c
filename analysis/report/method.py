"""How this was measured: thresholds and their error rates, statistics, where the runs were made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from analysis import contrasts, paired
from analysis.frames import Study
from analysis.report.section import Section
from analysis.symptoms import SYMPTOMS
from analysis.words import color_of, count
from sweeps import records

ERROR_RATES = Path(__file__).resolve().parents[1] / "error_rates.csv"


def section(study: Study) -> Section:
    """Tell how all of it came about."""
    frame = study.frame
    kernels, places = _provenance(study)
    context = {
        "symptoms": [_symptom(name) for name in SYMPTOMS if name != "healthy"],
        "places": places,
        "mixed": len(kernels) > 1,
        "kernels": sorted(kernels),
        "sweeps": study.sweeps,
        "seeds": ", ".join(map(str, sorted(frame["seed"].unique())[:10])),
        "replicates": f"{frame['replicate'].min()} to {frame['replicate'].max()}",
        "units": count(frame["unit"].nunique(), "replicate"),
        "data": _data(frame),
        "level": contrasts.LEVEL,
        "paired_level": paired.LEVEL,
        "missing": study.missing,
    }
    return Section("method", "How this was measured", context)


def _symptom(name: str) -> dict[str, Any]:
    symptom = SYMPTOMS[name]
    return {
        "title": symptom.title,
        "what": symptom.what,
        "threshold": symptom.threshold,
        "source": symptom.source,
        "color": color_of(name) if symptom.isfailure else None,
        "errors": "none at the end, by definition" if symptom.is_definition else _errors(name),
    }


def _errors(name: str) -> str:
    """Return the measured error rates of a rule at the end of training; empty where unknown."""
    if not ERROR_RATES.is_file():
        return ""
    table = pd.read_csv(ERROR_RATES)
    row = table[(table["symptom"] == name) & (table["moment"] == table["moment"].max())]
    if row.empty:
        return ""
    false, missed = row["false_alarms"].iloc[0], row["missed"].iloc[0]
    known = [
        f"{100 * v:.1f} % {w}" for v, w in ((false, "false alarms"), (missed, "missed")) if v == v
    ]
    return ", ".join(known)


def _provenance(study: Study) -> tuple[set[str], list[str]]:
    """Return the BLAS kernels, and a sentence for each place where runs were made."""
    kernels, places = set(), []
    for identity, n in study.frame["provenance"].value_counts().items():
        made = records.provenance(study.store, str(identity))
        pools = [f"{p['internal_api']} {p['architecture']}" for p in made["blas"]]
        kernels.update(pools)
        commit = str(made["commit"] or "no commit")[:12] + (
            " with changes" if made["dirty"] else ""
        )
        versions = ", ".join(f"{k} {v}" for k, v in made["packages"].items())
        python = made.get("python", "")
        places.append(
            f"{count(n, 'run')}: commit {commit}; Python {python}, {versions}; "
            f"{', '.join(pools)}; {made['processor']}"
        )
    return kernels, places


def _data(frame: pd.DataFrame) -> list[str]:
    shown = frame.drop_duplicates("data_digest").head(8)
    columns = zip(shown["data"], shown["samples"], shown["data_digest"], strict=True)
    return [f"{name}: {count(int(m), 'sample')}, digest {mark[:12]}" for name, m, mark in columns]
