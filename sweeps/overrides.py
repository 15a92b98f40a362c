"""One override: its parts, and whether what it says can be."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sweeps.errors import BadInput, one_of
from sweeps.helptext import GROUPS, SWEEP_KEYS, WHOLE_SWEEPS
from sweeps.spelling import FREE_TEXT, LISTS, bad, parse, quoted, type_of, write

# The choices of each group; None where they are not known.
Options = Mapping[str, Collection[str] | None]


@dataclass(frozen=True)
class Word:
    """One override as typed, cut at its first `=`."""

    text: str
    prefix: str
    key: str
    has_value: bool
    value: str

    @classmethod
    def read(cls, text: str) -> Word:
        """Cut an override as typed into its parts."""
        name, equals, value = text.partition("=")
        key = name.lstrip("~+")
        return cls(text, name[: len(name) - len(key)], key, bool(equals), value)

    @property
    def is_hydras(self) -> bool:
        """Whether it sets something of Hydra's own, which is Hydra's to check."""
        is_override = self.has_value or self.prefix == "~"
        return is_override and self.key.startswith(("hydra.", "hydra/"))


def check_value(word: Word, parsed: Any, options: Options) -> tuple[str, bool]:
    """Check what a value says, after its grammar.

    Returns:
        The override with `log:` expanded, and whether it is a sweep.
    """
    if not _is_flat(parsed.value()):
        hint = " List every value instead of the function."
        raise bad(word.key, "be either a list of values or one function", word.text, hint)
    is_sweep = bool(parsed.is_sweep_override())
    if is_sweep:
        _check_sweep(word, parsed)
    if word.key in GROUPS:
        _check_choice(word, parsed, options[word.key])
    expanded = _with_log_expanded(word)
    if word.prefix not in ("", "++") or (word.prefix and word.key in GROUPS):
        rule = f"be set without {word.prefix}, since it is a key already"
        raise bad(word.key, rule, word.text, write(word.key, word.value))
    return expanded, is_sweep or expanded != word.text


def first_good(key: str, values: Sequence[str], options: Options) -> str | None:
    """Return the first value that can be advised, because as an override it would be accepted."""
    for value in values:
        # The shell will have made a path of ~.
        word = Word.read(f"{key}={value.removeprefix('~') if value[:2] == '~/' else value}")
        parsed = parse(word.text) if word.value.strip() else None
        with contextlib.suppress(BadInput):
            if parsed is not None:
                check_value(word, parsed, options)
                return value
    return None


def _check_sweep(word: Word, parsed: Any) -> None:
    """Refuse axes of keys that a sweep has only once, and empty ranges."""
    if word.key in SWEEP_KEYS:
        value = f"[{word.value}]" if word.key in LISTS else word.value
        hint = write(word.key, value) if word.key in LISTS else ""
        if word.key in FREE_TEXT:
            hint = write(word.key, quoted(word.value))
        raise bad(word.key, "have one value for the whole sweep", word.text, hint)
    value = parsed.value()
    if parsed.is_range_sweep() and (value.stop - value.start) * value.step <= 0:
        hint = " The second number is left out, and the third, the step, leads towards it."
        raise bad(word.key, "be swept over a range that has values", word.text, hint)


def _is_flat(value: Any) -> bool:
    """Tell whether no function that sweeps stands inside a list, where Hydra fails on it."""
    from hydra.core.override_parser.types import Glob, Sweep

    elements = value.list if hasattr(value, "list") else value if isinstance(value, list) else []
    return all(not isinstance(e, Sweep | Glob) and _is_flat(e) for e in elements)


def _check_choice(word: Word, parsed: Any, options: Collection[str] | None) -> None:
    """Check what is chosen from a group, singly or in a list, against the group's files."""
    value = parsed.value()
    if word.key in WHOLE_SWEEPS and value is None:
        return
    names = _names_chosen(word, value, options or ())
    for name in names:
        if options is not None and name not in options:
            raise _no_such_choice(word.key, name, options)
    if word.key in WHOLE_SWEEPS and (parsed.is_sweep_override() or isinstance(value, list)):
        rule = f"be one, since {word.key}s are swept one at a time"
        raise bad(word.key, rule, word.text, f" Give one command for each {word.key}.")
    if isinstance(value, list):
        rule = "be chosen without brackets"
        raise bad(word.key, rule, word.text, write(word.key, ",".join(names) or "NAME"))


def _names_chosen(word: Word, value: Any, options: Collection[str]) -> list[str]:
    """List the names in a choice; a value that cannot be a name stands as typed."""
    if hasattr(value, "filter"):
        return value.filter(list(options)) or [word.value]
    elements = value if isinstance(value, list) else getattr(value, "list", [value])
    texts = [getattr(element, "text", element) for element in elements]
    return [text if isinstance(text, str) else word.value for text in texts]


def _no_such_choice(group: str, name: str, options: Collection[str]) -> BadInput:
    if options:
        return BadInput(one_of(group, name, options))
    hint = f" Leave {group} out."
    return bad(group, f"be a file of conf/{group}, which has none", f"{group}={name}", hint)


def _with_log_expanded(word: Word) -> str:
    """Write out `log:low:high:count`, which the schema would refuse where a number belongs.

    Keys that are no numbers keep their text: `record=log:50` means something else.
    """
    type_ = type_of(word.key)
    whole = type_.startswith("int") or word.key in ("width", "batch_size")
    if "log:" not in word.value or not (whole or type_.startswith("float")):
        return word.text
    from sweeps.axes import log_spacing

    values: list[object] = []
    for part in word.value.split(","):
        text = part.strip(" '\"")
        values += log_spacing(text, whole) if text.startswith("log:") else [part]
    return f"{word.prefix}{word.key}={','.join(map(str, values))}"
