"""What is true of a written program: which arrays its mistakes spoil, and which mistakes count.

A right twin of the program is run beside it at random points. Nothing of the diagnosis is used.
"""

from __future__ import annotations

import numpy as np

from . import writer

SEEDS = (1, 2, 3)


def module(text):
    """Execute a program and return its names."""
    names = {"__name__": "written"}
    exec(compile(text, "written.py", "exec"), names)  # noqa: S102 - our own text
    return names


def gradients(text):
    """Return the gradients of a program at random points of order one."""
    names = module(text)
    found = []
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        params = {n: rng.normal(0, 0.6, np.shape(a)) for n, a in names["params"].items()}
        with np.errstate(all="ignore"):
            found.append(names["grads"](params, names["X"].copy(), names["Y"].copy()))
    return found


def differing(one, other):
    """Return the names of arrays that differ at some point."""
    return [
        name for name in one[0]
        if any(np.linalg.norm(a[name] - b[name]) > 1e-7 * (
            np.linalg.norm(a[name]) + np.linalg.norm(b[name])) + 1e-14
            for a, b in zip(one, other, strict=True))
    ]  # fmt: skip


def spoiled(net, mistakes):
    """Return the arrays the mistakes spoil; None unless each of them changes something."""
    right = gradients(writer.write(net))
    try:
        wrong = gradients(writer.write(net, mistakes))
    except ValueError:  # together they make shapes that do not fit, and nobody posts that
        return None
    if not all(np.isfinite(a).all() for g in wrong for a in g.values()):
        return None
    for one in mistakes:
        rest = [m for m in mistakes if m is not one]
        if not differing(gradients(writer.write(net, rest)), wrong):
            return None
        # Alone it changes something too: it is not hidden by, or undoing, another.
        if not differing(gradients(writer.write(net, [one])), right):
            return None
    return differing(right, wrong)
