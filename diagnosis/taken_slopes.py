"""Slopes that people take: right formulas of wrong variables, and wrong formulas."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from diagnosis.calls import Array
from diagnosis.formulas import SLOPES
from diagnosis.groups import Group
from diagnosis.operators import Arrays, Op, each, each_of

# Half or a third of a common slope: a factor is the likelier reason.
RARE = ("bipolar_sigmoid", "lecun_tanh", "hard_sigmoid", "hard_sigmoid(1/6)", "selu")

# No slope of anything, and typed all the same: of `a`, in the place of the slope of a unit.
TYPED: Mapping[str, tuple[str, tuple[tuple[str, Callable[[Array], Array]], ...]]] = (
    MappingProxyType({
        "tanh": ("1 - a^2", (
            ("1 - a", lambda a: 1 - a),
            ("(1 - a)^2", lambda a: (1 - a) ** 2),
            ("1 + a^2", lambda a: 1 + a**2),
        )),
        "sigmoid": ("a (1 - a)", (
            ("1 - a", lambda a: 1 - a),
            ("a (1 + a)", lambda a: a * (1 + a)),
            ("a (1 - a^2)", lambda a: a * (1 - a**2)),
        )),
    })
)  # fmt: skip


def typed_slopes(own: str, layer: int, a: Arrays) -> Iterator[tuple[Op, Arrays]]:
    """Yield slopes that no word of the catalogue names; what is typed can be told."""
    right, others = TYPED.get(own, ("", ()))
    for text, formula in others:
        note = f"{text} stands in the place of the slope {right}"
        cure = f"Take {right} for the slope, with a this layer's own output."
        yield Op("unexplained", layer, "delta", note, 1.3, cure=cure), [formula(v) for v in a]


def _family(name: str) -> str:
    return "leaky_relu" if name.startswith("leaky_relu") else name


def _slope_words(own: str, name: str, form: str, variable: str) -> tuple[str, float] | None:
    """Return the word and the cost of a slope formula at a variable; None if it is right."""
    if form == "value":
        return "derivative_of_other_activation", 1.25
    if name == own:
        if variable == form:
            return None
        if variable in ("z", "a"):
            word = {"z": "derivative_at_activation", "a": "derivative_at_preactivation"}[form]
            return word, 1.0
        return "derivative_at_wrong_variable", 1.1
    if variable not in ("z", "a"):
        return "derivative_of_other_activation", 1.9
    if _family(name) == _family(own) or {_family(name), own} == {"leaky_relu", "relu"}:
        return "leaky_slope_mismatch", 1.0
    rare = 0.9 * (name in RARE)
    return "derivative_of_other_activation", rare + (1.05 if variable == form else 1.2)


def formula_text(name: str, form: str, variable: str) -> str:
    """Say which slope formula is taken at what."""
    if form == "value":
        return f"{name}({variable}) itself"
    return f"the slope formula of {name} for {form}, taken at {variable}"


def slope_choices(
    own: str, layer: int, variables: Mapping[str, Arrays]
) -> Iterator[tuple[Op, Arrays]]:
    """Yield slopes other than the right one, at z, a and other variables of the same shape."""
    for (name, form), formula in SLOPES.items():
        for variable, values in variables.items():
            words = _slope_words(own, name, form, variable)
            if words is None or (variable not in ("z", "a") and (name != own or form == "value")):
                continue
            slope = each_of(values, formula)
            if slope is not None:
                op = Op(words[0], layer, "delta", formula_text(name, form, variable), words[1])
                yield op, slope
    yield from _slopes_of_slopes(own, layer, variables)


def _slopes_of_slopes(
    own: str,
    layer: int,
    variables: Mapping[str, Arrays],
) -> Iterator[tuple[Op, Arrays]]:
    """Yield the slope taken of a cache that already holds the slope."""
    for form in "za":
        formula = SLOPES.get((own, form))
        if formula is None:
            continue
        twice = each_of(variables[form], lambda v, f=formula: f(f(v)))  # type: ignore[misc]
        if twice is not None:
            note = f"the slope formula for {form} is applied to its own result"
            yield Op("inplace_derivative_overwrites_cache", layer, "delta", note, 1.3), twice


def _products(S: Array, A: Array, own: str) -> Iterator[tuple[str, Array]]:
    """Yield slopes in which a matrix product stands for an elementwise one, if shapes allow."""
    m, n = A.shape[1:]
    T = A.swapaxes(1, 2)
    other = 1 - A
    pairs: list[tuple[str, Array, Array]] = []
    if own == "tanh":
        pairs = [("A^T A", T, A), ("A A^T", A, T), ("A A", A, A)]
    elif own == "sigmoid":
        pairs = [
            ("A (1 - A)", A, other),
            ("(1 - A) A", other, A),
            ("A^T (1 - A)", T, other),
            ("A (1 - A)^T", A, other.swapaxes(1, 2)),
        ]
    for text, left, right in pairs:
        if left.shape[2] == right.shape[1]:
            product = np.matmul(left, right)
            if product.shape[1:] in ((m, n), (n, m), (n, n), (m, m)):
                full = 1 - product if own == "tanh" else product
                if full.shape == S.shape:
                    yield text, full
                elif full.swapaxes(1, 2).shape == S.shape:
                    yield text, full.swapaxes(1, 2)


def dot_slopes(groups: Sequence[Group], own: str, k: int) -> Iterator[tuple[Op, Arrays]]:
    """Yield Gram matrices in place of squares."""
    texts = [t for t, _ in _products(groups[0].true.A[k + 1], groups[0].true.A[k + 1], own)]
    for i, text in enumerate(texts):

        def pick(g: Group, i: int = i) -> Array | None:
            a = g.true.A[k + 1]
            return next((p for j, (_, p) in enumerate(_products(a, a, own)) if j == i), None)

        made = each(groups, pick)
        if made is not None:
            yield Op("dot_instead_of_elementwise", k, "delta", f"the slope uses {text}", 1.1), made


def product_deltas(U: Arrays, S: Arrays, k: int) -> Iterator[tuple[Op, Arrays]]:
    """Yield matrix products of dL/da and the slope, where shapes allow them."""
    forms: Sequence[tuple[str, Callable[[Array, Array], Array]]] = (
        ("dL/da f'", lambda u, s: np.matmul(u, s)),
        ("f' dL/da", lambda u, s: np.matmul(s, u)),
        ("dL/da f'^T", lambda u, s: np.matmul(u, s.swapaxes(1, 2))),
        ("f'^T dL/da", lambda u, s: np.matmul(s.swapaxes(1, 2), u)),
    )
    for text, form in forms:
        made = []
        for u, s in zip(U, S, strict=True):
            try:
                product = form(u, s)
            except ValueError:
                break
            if product.shape != u.shape:
                break
            made.append(product)
        if len(made) == len(U):
            yield Op("dot_instead_of_elementwise", k, "delta", f"the matrix product {text}"), made
