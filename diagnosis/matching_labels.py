"""A subject whose loss is handed labels in the shape of the outputs, and the rest as before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from diagnosis.subject import Subject

LOSSES = ("losses", "slopes")


def with_matching_labels(subject: Subject) -> Subject:
    """Return the subject with `(m, 1)` labels for `(m,)` in its loss, or the reverse.

    The gradients get the labels as the author has them: a program whose loss compares all with all
    may reshape them on its way back.
    """
    shape = (-1, 1) if np.ndim(subject.Y) == 1 else (-1,)

    def turned(point: Mapping[str, Any]) -> dict[str, Any]:
        return {**point, "Y": np.reshape(point["Y"], shape)}

    def ask(do: str, **message: Any) -> Any:
        if do not in LOSSES:
            return subject.ask(do, **message)
        message["points"] = [turned(point) for point in message["points"]]
        return subject.ask(do, **message)

    return subject.with_(ask=ask)
