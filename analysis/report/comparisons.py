"""Comparisons: levels of each categorical axis, run by run."""

from __future__ import annotations

from typing import Any

from analysis.figures.bars import draw_effects
from analysis.frames import Study
from analysis.paired import MOST_LEVELS, comparisons
from analysis.report.section import Picture, Section
from analysis.words import count, number

MOST_ROWS = 40


def section(study: Study) -> Section:
    """Compare levels of axes that are names."""
    table = comparisons(study)
    labeled = table.assign(
        label_a=[study.label(*pair) for pair in zip(table["axis"], table["a"], strict=True)],
        label_b=[study.label(*pair) for pair in zip(table["axis"], table["b"], strict=True)],
        a_share=table["a_wins"] / table["pairs"],
        b_share=table["b_wins"] / table["pairs"],
    )
    shown = labeled.head(MOST_ROWS)
    rows = [_row({str(k): v for k, v in row.items()}) for row in shown.to_dict("records")]
    pictures = []
    if len(shown):
        drawn = shown[["label_a", "label_b", "a_share", "b_share", "verdict"]]
        pictures.append(
            Picture(
                "comparisons",
                "How often each of two levels ends with the lower training loss, in runs that "
                "share everything else, their random numbers included.",
                "Bars to the left and right: pairs won by the first and by the second level.",
                (drawn,),
                lambda: draw_effects(drawn, "Which level ends lower"),
            )
        )
    of_names = study.categorical
    context = {
        "rows": rows,
        "left_out": len(labeled) - len(shown),
        "cut": [axis for axis in of_names if len(study.axes[axis]) > MOST_LEVELS],
        "most": MOST_LEVELS,
        "axes": of_names,
    }
    written = table.assign(a=labeled["label_a"], b=labeled["label_b"])
    return Section("comparisons", "Comparisons", context, pictures, {"comparisons": written})


def _row(row: dict[str, Any]) -> dict[str, Any]:
    isknown = row["low"] == row["low"]
    interval = f"[{number(row['low'])}, {number(row['high'])}]" if isknown else ""
    return {
        "axis": row["axis"],
        "a": row["label_a"],
        "b": row["label_b"],
        "difference": f"{number(row['difference'])} {interval}".strip(),
        "wins": f"{row['a_wins']} : {row['b_wins']}",
        "ties": row["pairs"] - row["a_wins"] - row["b_wins"],
        "pairs": row["pairs"],
        "effect": number(row["effect"]),
        "p": number(row["p"]) if row["p"] >= 0.001 else "< 0.001",
        "verdict": _verdict(row),
    }


def _verdict(row: dict[str, Any]) -> str:
    if row["verdict"] == "undecided":
        return f"these {count(row['replicates'], 'replicate')} cannot tell them apart"
    better, worse = ("label_a", "label_b") if row["verdict"] == "a" else ("label_b", "label_a")
    return f"{row[better]} ends lower than {row[worse]}"
