"""How overrides are spelled: for Hydra's grammar, for a shell, and in a sentence about them."""

from __future__ import annotations

import functools
import re
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import takewhile
from types import MappingProxyType
from typing import Any

from sweeps.errors import BadInput
from sweeps.helptext import KEYS, PER_LAYER, is_key

# Keys whose value is a text of the user's own, in which Hydra may see grammar that is none.
FREE_TEXT = frozenset({"only", "name", "store", "save_params", "data.path", "data.target"})
LISTS = frozenset({"width", "defects", "probes", "record", "zip"})
BRACKETS: Mapping[str, str] = MappingProxyType({"[": "]", "(": ")", "{": "}"})


def joined(value: str, following: Sequence[str]) -> Iterator[str]:
    """Yield `value` with one, two, ... of the words behind it that are no overrides."""
    for word in takewhile(lambda text: "=" not in text and not is_key(text), following):
        value += word
        yield value


def closers(value: str) -> str:
    """Return the quotes and brackets that are open at the end of `value`, innermost first."""
    quote, expected = "", ""
    for sign in value:
        if quote or sign in "'\"":
            quote = "" if sign == quote else quote or sign
        elif sign in BRACKETS:
            expected = BRACKETS[sign] + expected
        elif sign == expected[:1]:
            expected = expected[1:]
    return quote + expected


def quoted(value: str) -> str:
    """Quote a text for Hydra, by the quotes that it does not contain itself where possible.

    A leading `~/` is left to `for_shell`: between quotes no shell would expand it.
    """
    if value.startswith("~/"):
        return value
    if value.count("'") + value.count('"') == 1:  # half a pair was forgotten, or is an apostrophe
        value = value.strip("'\"")
    quote = '"' if "'" in value and '"' not in value else "'"
    return quote + (value.replace("'", '"') if quote == "'" else value) + quote


def for_shell(key: str, value: str) -> str:
    """Spell an override for a POSIX shell, Hydra's own quotes readable inside the shell's."""
    if value.startswith("~/"):
        return f'{key}="$HOME{value[1:]}"'  # not every shell expands ~ behind an equals sign
    if value[:1] in ("'", '"'):
        return f'{key}="' + re.sub(r'(["$`\\])', r"\\\1", value) + '"'
    is_safe = re.fullmatch(r"[\w.,:@/+%=\[\]-]*", value)
    return f"{key}={value}" if is_safe else f"{key}={shlex.quote(value)}"


def write(key: str, value: str) -> str:
    """Advise to write an override, as a shell needs it."""
    return f" Write {for_shell(key, value)}."


def bad(what: str, rule: str, got: str, hint: str) -> BadInput:
    """Phrase an error: `what` must `rule`; got `got`."""
    got = got if len(got) <= 80 else got[:77] + "..."
    what = what or "''"
    return BadInput(f"`{what}` must {rule}; got {got or 'nothing'}.{hint}")


def type_of(key: str) -> str:
    """Return the type of a key in words, or nothing for one that has none."""
    if key.startswith(PER_LAYER) and key not in KEYS:
        return "float"
    return KEYS[key].type if key in KEYS else ""


@functools.cache
def parser() -> Any:
    """Return Hydra's parser of overrides, made once."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    return OverridesParser.create()


def functions() -> Collection[str]:
    """Return the names of the functions that Hydra's grammar knows."""
    return list(parser().functions.definitions)


def parse(text: str) -> Any:
    """Parse an override by Hydra's grammar; None where it does not follow it."""
    from hydra.errors import HydraException

    try:
        return parser().parse_override(text)
    except HydraException:
        return None
