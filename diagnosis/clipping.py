"""Gradients cut down on purpose: by entry, by the norm of the whole, or of each array.

Such a gradient is not the derivative, and no mistake: what is left of it must point where the true
one does, and be of one size wherever it is cut.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from diagnosis.calls import Array

if TYPE_CHECKING:
    from diagnosis.gradient import Compared

# Programs divide by |g| + 1e-6, so that their norms agree to four digits or more.
SAME = 1e-4
ALONG = 1e-5
ONE_SIZE = 1e-9
# So many entries of one size are no chance.
MANY = 8


def seen(pairs: Sequence[Mapping[str, Compared]], grads: Sequence[Mapping[str, Array]]) -> str:
    """Say how a gradient is clipped; empty where it is not, or is wrong besides.

    Args:
        pairs: what was compared at each point, for each array.
        grads: all of the author's gradients at the same points.
    """
    if not any(p.differ.any() for pair in pairs for p in pair.values()):
        return ""
    return _by_entry(pairs) or _by_norm(pairs, grads, whole=True) or _by_norm(pairs, grads)


def only_signs(grads: Sequence[Mapping[str, Array]]) -> float | None:
    """Return the one size that all entries have which are not 0; None if there is none."""
    sizes = np.abs(np.concatenate([_flat(g) for g in grads]))
    sizes = sizes[sizes > 0]
    if len(sizes) < MANY or not np.ptp(sizes) <= ONE_SIZE * np.max(sizes):
        return None
    return float(sizes[0])


def _flat(arrays: Mapping[str, Array]) -> Array:
    return np.concatenate([np.asarray(a, float).reshape(-1) for a in arrays.values()])


def _by_entry(pairs: Sequence[Mapping[str, Compared]]) -> str:
    """Those that differ have the largest size there is, and the sign of the true ones."""
    every = [p for pair in pairs for p in pair.values()]
    g, n, differ = (np.concatenate([p[i] for p in every]) for i in range(3))
    limit = float(np.max(np.abs(g), initial=0.0))
    cut, kept = g[differ], g[~differ]
    if not np.all(np.abs(np.abs(cut) - limit) <= ONE_SIZE * limit):
        return ""
    if not (np.all(np.sign(cut) == np.sign(n[differ])) and np.all(np.abs(n[differ]) >= limit)):
        return ""
    # Without an entry below the limit that is right, it may be the sign that is returned.
    if not np.any((kept != 0) & (np.abs(kept) < (1 - ONE_SIZE) * limit)):
        return ""
    return f"entries are clipped to [{-limit:.6g}, {limit:.6g}]; all others are right"


def _by_norm(
    pairs: Sequence[Mapping[str, Compared]],
    grads: Sequence[Mapping[str, Array]],
    *,
    whole: bool = False,
) -> str:
    """What differs has the direction of the true gradient, and one norm wherever it does."""
    cut: list[float] = []
    kept: list[float] = []
    enlarged, points = False, 0
    for pair, made in zip(pairs, grads, strict=True):
        groups = [list(pair)] if whole else [[name] for name in pair]
        before = len(cut)
        for names in groups:
            size = float(np.linalg.norm(_flat({name: made[name] for name in names})))
            if not any(pair[name].differ.any() for name in names):
                kept.append(size)
                continue
            times = _along([pair[name] for name in names])
            if times is None:
                return ""
            cut.append(size)
            enlarged |= times > 1
        points += len(cut) > before
    limit = max(cut)
    if points < 2 or np.ptp(cut) > SAME * limit:
        return ""
    if max(kept, default=0.0) > (1 + SAME) * limit or (enlarged and any(kept)):
        return ""
    of = "" if whole else " of each array"
    how = "normalized" if enlarged else "clipped" if any(kept) else "clipped or normalized"
    return f"the norm{of} is {how} to {limit:.6g}; the direction is right"


def _along(compared: Sequence[Compared]) -> float | None:
    """Return how many times the true gradient it is; None if it points elsewhere."""
    g, n = (np.concatenate([p[i] for p in compared]) for i in range(2))
    if not (n.any() and g.any() and np.isfinite(g).all()):
        return None
    times = float(g @ n / (n @ n))
    along = np.linalg.norm(g - times * n) <= ALONG * np.linalg.norm(g)
    return times if times > 0 and along else None
