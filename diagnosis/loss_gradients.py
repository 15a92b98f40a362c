"""Gradients of the loss by the output, dL/da, that people write: of theirs, of others, mistyped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from diagnosis.calls import Array
from diagnosis.groups import Group
from diagnosis.losses import LOSSES
from diagnosis.model import Model
from diagnosis.operators import Arrays, Op, each


@dataclass(frozen=True)
class Mistyped:
    """A formula of dL/da with slips in it.

    Attributes:
        formula: `(a, y, eps)` to what is computed, without the factor of the loss.
        slips: a word, what is typed, and its cost, for each slip.
    """

    formula: Callable[[Array, Array, float], Array]
    slips: tuple[tuple[str, str, float], ...]


_ADDED = ("sign_error", "the two terms of dL/da are added, -(y/a + ...) for -(y/a - ...)", 1.1)
_BARE = ("loss_gradient_mismatch", "1 - y/1 - a, which is 1 - y - a, for (1 - y)/(1 - a)", 1.05)
_HALF_BARE = ("loss_gradient_mismatch", "1 - y/(1 - a) for (1 - y)/(1 - a)", 1.05)

# Signs of the whole are no entries: arrays are matched up to a factor.
MISTYPED: Mapping[str, tuple[Mistyped, ...]] = MappingProxyType(
    {
        "binary_cross_entropy": (
            Mistyped(lambda a, y, e: -y / (a + e) - (1 - y) / (1 - a + e), (_ADDED,)),
            Mistyped(lambda a, y, e: -y / (a + e) + (1 - y - a + e), (_BARE,)),
            Mistyped(lambda a, y, e: -y / (a + e) - (1 - y - a + e), (_ADDED, _BARE)),
            Mistyped(lambda a, y, e: -y / (a + e) + (1 - y / (1 - a + e)), (_HALF_BARE,)),
            Mistyped(lambda a, y, e: -y / (a + e) - (1 - y / (1 - a + e)), (_ADDED, _HALF_BARE)),
        ),
        "squared_error": (
            Mistyped(lambda a, y, e: a + y, (("sign_error", "a + y for a - y", 1.1),)),  # noqa: ARG005
            Mistyped(
                lambda a, y, e: 2 * a - y,  # noqa: ARG005
                (("loss_gradient_mismatch", "2 a - y for 2 (a - y)", 1.2),),
            ),
        ),
        "poisson": (
            Mistyped(lambda a, y, e: 1 + y / a, (("sign_error", "1 + y/a for 1 - y/a", 1.1),)),  # noqa: ARG005
        ),
    }
)


def loss_gradients(
    model: Model, groups: Sequence[Group]
) -> Iterator[tuple[tuple[Op, ...], Arrays]]:
    """Yield dL/da of the author's loss, and of others."""
    last = len(model.layout.layers) - 1
    yield (), [g.true.G for g in groups]
    for name in ("squared_error", "binary_cross_entropy", "cross_entropy", "absolute_error"):
        if name == model.loss_name:
            continue
        made = each(groups, lambda g, n=name: LOSSES[n].slope(g.true.A[-1], g.batch.Y) * g.factor)  # type: ignore[misc]
        if made is not None:
            note = f"the delta of {name.replace('_', ' ')}"
            op = Op("loss_gradient_mismatch", last, "delta", note, 1.05, True)
            yield (op,), made
    yield from _of_the_same_loss(model, groups, last)
    yield from _mistyped(model, groups, last)


def _of_the_same_loss(
    model: Model, groups: Sequence[Group], last: int
) -> Iterator[tuple[tuple[Op, ...], Arrays]]:
    """Yield dL/da of the author's loss with something left out, or a sign turned."""
    if model.rooted:
        made = each(groups, lambda g: model.loss.slope(g.true.A[-1], g.batch.Y) * g.factor)
        if made is not None:
            note = "the delta of the loss without its root"
            yield (Op("loss_gradient_mismatch", last, "delta", note, 1.0, True),), made
    if groups[0].factor.size > 1:
        for over in (True, False):
            made = each(
                groups,
                lambda g, o=over: (
                    model.loss.slope(  # type: ignore[misc]
                        g.true.A[-1], g.batch.Y
                    )
                    / (g.samples if o else 1)
                ),
            )
            if made is not None:
                note = "the weights of the classes are left out"
                yield (Op("loss_gradient_mismatch", last, "delta", note, 1.0, True),), made


def _mistyped(
    model: Model, groups: Sequence[Group], last: int
) -> Iterator[tuple[tuple[Op, ...], Arrays]]:
    """Yield dL/da of the author's loss with signs turned or parentheses left out."""
    for entry in MISTYPED.get(model.loss_name.partition("(")[0], ()):
        made = each(
            groups,
            lambda g, f=entry.formula: f(g.true.A[-1], g.batch.Y, model.loss.eps) * g.factor,  # type: ignore[misc]
        )
        if made is not None:
            yield tuple(Op(w, last, "delta", note, cost) for w, note, cost in entry.slips), made
