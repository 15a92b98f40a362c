"""The page docs/failure-modes.md, made from the table of symptoms and the measured error rates."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from analysis.population.rates import MOMENTS
from analysis.population.truths import TRUTHS
from analysis.symptoms import SYMPTOMS, Symptom

ROOT = Path(__file__).resolve().parents[2]
ERROR_RATES = ROOT / "analysis" / "error_rates.csv"
PICTURES = ROOT / "docs" / "failure-modes"
# What is aimed at: at most this share of false alarms at a moment.
AIM = {0.5: 0.02, 1.0: 0.01}

INTRODUCTION = """\
# Failure modes

This page is made by `python -m analysis.population page > docs/failure-modes.md`; a test compares
it with the code.

A *symptom* is what the probes of a run show of how it failed. Each has a rule of a few lines, and
each rule was measured: how often it says something that is not so, and how often it is silent
where it should speak. Several may hold for one run, as a dead layer also leaves it at the loss of
guessing. Reports count a run under the first that holds, in the order of this page.

```python
from analysis import symptoms
from sweeps import records

frame = records.runs("store", columns=symptoms.NEEDED)
judged = symptoms.judge(frame)  # a row a run, a column a symptom
symptoms.dominant(judged).value_counts()
symptoms.judge(frame, until=0.5).mean()  # by the first half of each training
```

The *loss of guessing*, or the prior's, is the loss of the best output that ignores the input: for
classes the entropy of their frequencies. Half of it is where these rules draw the line between a
high loss and one that is not.
"""

MEASURED = """\
## How often the rules are wrong

```sh
python train.py experiment=population
python train.py experiment=population epochs=5000 record=every:25 name=population_long
python -m analysis.population measure
```

The first command trains RUNS runs of 500 epochs, from sound to hopeless: activation, depth, scale
of the initial weights, learning rate, optimizer, batch size, weight decay and data all vary. The
second trains each of them ten times as long. This *twin* passes through the same weights, and
knows how the run would go on; what is called true below is read from it, or is an exact quantity.
Where it is the quantity that the rule reads, as for saturated activations and dead units, it is
read ten times as late; *no better than guessing* is what it says, and can only be wrong too early.
Limits were chosen on four data sets with one seed
(`python -m analysis.population choose` prints what other limits would do), the table is of CHECKED
runs on four others (MEASURED_ON), drawn and started with another seed.

A *false alarm* is a run without the symptom of which the rule says that it has it; the share is
of all runs without it. *Missed* is the share of the runs with it on which the rule is silent. In
brackets is Wilson's 95 % interval, as for independent runs; "at worst" is the share of false
alarms at the end on the data set that has most. A rule is asked at 10, 20, 50 and 100 % of the
training and sees nothing later, while what is true is decided ten times as late: much of what is
missed at 10 % has not happened yet.

A population half of which fails is not yours. Where few runs fail, few alarms are right even with a
rate of 1 %: look at the runs.
"""

SEEING = """\
## What each looks like

The pictures are runs of the experiment named with each, drawn with

```console
EXPERIMENTS
python -m analysis.population figures
```

Left the loss, the loss of guessing dotted; right the measurement that tells. Where many runs show
the symptom, seven are drawn.
"""


def page() -> str:
    """Return the whole page as Markdown."""
    rates = pd.read_csv(ERROR_RATES)
    shown = [symptom for symptom in SYMPTOMS.values() if symptom.name != "healthy"]
    return "\n".join(
        [
            INTRODUCTION,
            *_overview(shown),
            _measured(rates),
            *_table(rates),
            "",
            *_aims(rates),
            "",
            SEEING.replace("EXPERIMENTS", _experiments(shown)),
            *(line for symptom in shown for line in _section(symptom)),
        ]
    )


def _overview(shown: list[Symptom]) -> list[str]:
    rows = [
        f"| [{s.title}](#{_anchor(s.title)}) | {s.what} | {'yes' if s.isfailure else 'no'} |"
        for s in shown
    ]
    return ["| symptom | what is seen | a failure |", "| --- | --- | --- |", *rows, ""]


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")


def _measured(rates: pd.DataFrame) -> str:
    checked = int(rates[["without", "having"]].iloc[0].sum())
    text = MEASURED.replace("CHECKED", f"{checked:,}")
    return text.replace("RUNS", f"{int(rates['runs'].iloc[0]):,}").replace(
        "MEASURED_ON", rates["data"].iloc[0]
    )


def _table(rates: pd.DataFrame) -> list[str]:
    moments = " | ".join(f"{100 * moment:.0f} %" for moment in MOMENTS)
    lines = [
        f"| symptom | in percent | {moments} | at worst | runs |",
        "| --- | --- |" + " --: |" * (len(MOMENTS) + 2),
    ]
    for name, symptom in SYMPTOMS.items():
        rows = rates[rates["symptom"] == name].sort_values("moment").to_dict("records")
        false = [_rate(row["false_alarms"], row["false_low"], row["false_high"]) for row in rows]
        missed = [_rate(row["missed"], row["missed_low"], row["missed_high"]) for row in rows]
        if symptom.is_definition:
            false[-1] = missed[-1] = "none, by definition"
        last = rows[-1]
        lines += [
            f"| {symptom.title} | false alarms | {' | '.join(false)} | "
            f"{_percent(last['false_most'])} | {last['without']:,} |",
            f"| | missed | {' | '.join(missed)} | | {last['having']:,} |",
        ]
    return lines


def _rate(rate: float, low: float, high: float) -> str:
    return "–" if pd.isna(rate) else f"{_percent(rate)} [{_percent(low)}, {_percent(high)}]"


def _percent(value: float) -> str:
    return f"{100 * value:.1f}" if value < 0.0995 else f"{100 * value:.0f}"


def _aims(rates: pd.DataFrame) -> list[str]:
    """Say which rules keep to the aim, and which do not."""
    lines = ["Aimed at are at most 1 % of false alarms at the end and 2 % at half time."]
    for when, moment in (("At the end", 1.0), ("At half time", 0.5)):
        here = rates[(rates["moment"] == moment) & (rates["false_alarms"] > AIM[moment])]
        names = [
            f"{SYMPTOMS[name].title} ({_percent(rate)} %)"
            for name, rate in zip(here["symptom"], here["false_alarms"], strict=True)
        ]
        missing = f"it is not had for {', '.join(names)}" if names else "all rules keep to it"
        lines.append(f"{when} {missing}.")
    return lines


def _experiments(shown: list[Symptom]) -> str:
    names = dict.fromkeys(symptom.experiment for symptom in shown)
    return "\n".join(f"python train.py experiment={name} report=false" for name in names)


def _section(symptom: Symptom) -> list[str]:
    title = symptom.title.capitalize()
    return [
        f"### {title}",
        "",
        f"![{title}: loss and telling measurement](failure-modes/{symptom.name}.png)",
        "",
        symptom.what,
        "",
        f"**Why.** {symptom.why}",
        "",
        f"**What mends it.** {symptom.cure}",
        "",
        f"**See it.** `python train.py experiment={symptom.experiment}`",
        "",
        f"**The rule.** {symptom.threshold} Source: {symptom.source}",
        "",
        f"**Taken as true.** {TRUTHS[symptom.name].sentence}",
        "",
    ]
