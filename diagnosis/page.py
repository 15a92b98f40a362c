"""An answer as one HTML page, figures included."""

from __future__ import annotations

import html
import io

import numpy as np

from diagnosis import report
from diagnosis.answer import Answer, Finding

STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:48em;margin:2em auto;padding:0 1em;color:#222}"
    "table{border-collapse:collapse}td,th{padding:.2em .8em;border-bottom:1px solid #ccc;"
    "text-align:left}.wrong{color:#b00020;font-weight:bold}.fix{background:#f2f2f2;padding:.6em}"
    "svg{max-width:100%;height:auto}"
)


def page(answer: Answer) -> str:
    """Return a page that needs nothing else: text, table, bars of the errors, curves."""
    parts = [f"<h1>{_safe(answer.subject)}</h1>", f"<p>{_safe(report.headline(answer))}</p>"]
    if answer.error is not None:
        parts.append(f"<p>{_safe(answer.error)}</p>")
    if answer.model is not None:
        parts.append(f"<p>{_safe(report.network(answer.model, answer.samples))}</p>")
    if answer.checks:
        parts += [_table(answer), _errors(answer)]
    parts += [_finding(finding) for finding in answer.findings]
    curves = answer.curves
    if curves is not None and curves.author is not None:
        parts += ["<h2>Training</h2>", _curves(answer), f"<p>{_safe(report.ends(answer))}</p>"]
    notes = [*answer.side_effects, *answer.notes]
    if notes:
        parts.append("<ul>" + "".join(f"<li>{_safe(note)}</li>" for note in notes) + "</ul>")
    title = f"<title>{_safe(answer.subject)}</title>"
    head = f'<!doctype html><html lang="en"><meta charset="utf-8">{title}<style>{STYLE}</style>'
    return head + "\n".join(parts) + "</html>\n"


def _safe(text: str) -> str:
    return html.escape(text)


def _table(answer: Answer) -> str:
    rows = "".join(
        f"<tr><td>{_safe(name)}</td><td>{check.error:.1e}</td>"
        f"<td{'' if check.ok else ' class=wrong'}>{'ok' if check.ok else 'wrong'}</td></tr>"
        for name, check in answer.checks.items()
    )
    return f"<table><tr><th>array</th><th>relative error</th><th></th></tr>{rows}</table>"


def _finding(finding: Finding) -> str:
    others = "".join(
        f"<p>Or {_safe(' with '.join(a.defects))}: {_safe(a.why)}. {_safe(a.tell_apart)}</p>"
        for a in finding.alternatives
    )
    return (
        f"<h2>{_safe(finding.defect)}</h2><p>{_safe(finding.layer)} "
        f"{_safe(', '.join(finding.arrays))}</p><p>{_safe(finding.why)}</p>"
        f"<p class=fix>{_safe(finding.fix)}</p>{others}"
    )


def _figure(width: float, height: float) -> tuple[object, object]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def _svg(figure: object) -> str:
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None})  # type: ignore[attr-defined]
    text = out.getvalue()
    return text[text.index("<svg") :]


def _errors(answer: Answer) -> str:
    """Draw the relative error of each array on a logarithmic scale."""
    names = list(answer.checks)
    errors = [min(max(answer.checks[n].error, 1e-17), 10.0) for n in names]
    colors = ["#2a6f97" if answer.checks[n].ok else "#b00020" for n in names]
    figure, axes = _figure(6.4, 0.6 + 0.28 * len(names))
    axes.barh(names, np.log10(errors) + 17, left=-17, color=colors)  # type: ignore[attr-defined]
    axes.invert_yaxis()  # type: ignore[attr-defined]
    axes.set_xlabel("power of ten of the relative error")  # type: ignore[attr-defined]
    return _svg(figure)


def _curves(answer: Answer) -> str:
    """Draw the loss of the author's training, and of the mended one."""
    figure, axes = _figure(6.4, 3.2)
    curves = answer.curves
    for values, label, color in (
        (curves.author if curves else None, "as it is", "#b00020"),
        (curves.mended if curves else None, "mended", "#2a6f97"),
    ):
        if values is not None:
            axes.plot(values, label=label, color=color)  # type: ignore[attr-defined]
    axes.set_xlabel("step")  # type: ignore[attr-defined]
    axes.set_ylabel("loss")  # type: ignore[attr-defined]
    axes.set_yscale("log")  # type: ignore[attr-defined]
    axes.legend()  # type: ignore[attr-defined]
    return _svg(figure)
