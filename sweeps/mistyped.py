"""Overrides that are none as they are typed, and the spelling that was meant."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sweeps.config import LAYERS_WITH_FACTORS
from sweeps.errors import BadInput, nearest
from sweeps.flags import FLAGS
from sweeps.helptext import GROUPS, PER_LAYER, guess, respelled
from sweeps.overrides import Options, Word, first_good
from sweeps.spelling import (
    FREE_TEXT,
    LISTS,
    bad,
    closers,
    functions,
    joined,
    quoted,
    type_of,
    write,
)


def refuse_dashes(token: str, following: Sequence[str], options: Options) -> None:
    """Refuse a key typed as a flag; what looks more like a flag is left to Hydra's parser."""
    typed, equals, value = token.partition("=")
    name = typed.lstrip("-")
    key = respelled(name) or (None if nearest(typed, FLAGS) else guess(name))
    if key is None:
        return
    if not equals and following and not re.match("-|.*=", following[0]):
        token, value = f"{token} {following[0]}", following[0]
    elif not value and type_of(key) == "bool":
        value = "true"
    remedies = [value, quoted(value)] if key in FREE_TEXT else [value]
    good = first_good(key, remedies, options) or "VALUE"
    raise bad(typed, "be written as key=value, without dashes", token, write(key, good))


def bare(word: Word, options: Options) -> BadInput:
    """Phrase the error for a word without `=`: a choice, a key before a space, or neither."""
    key = respelled(word.key)
    groups = [group for group in GROUPS if word.text in (options[group] or ())]
    hint = " `python train.py --help` lists the keys."
    if word.text.endswith((".py", ".ipynb")):
        hint = f" For a program of your own, write `python diagnose.py {word.text}`."
    elif groups:
        hint = write(groups[0], word.text)
    elif key and type_of(key) == "bool":
        hint = write(key, "true")
    elif key:
        hint = f" Write {key}=VALUE, with no space around the equals sign."
    return bad(word.text, "have the form key=value", word.text, hint)


def unknown(word: Word) -> BadInput:
    """Phrase the error for a key that is none: a layer too many, or the nearest key."""
    base, _, number = word.key.rpartition(".")
    if number.isdecimal() and base in PER_LAYER:
        rule = f"be a key from {base}.0 to {base}.{LAYERS_WITH_FACTORS - 1}, one for each layer"
        return bad(word.key, rule, word.text, "")
    if number.isdecimal() and base in LISTS:
        hint = f" Only {' and '.join(PER_LAYER)} have numbered keys: write {base} as a whole list."
        return bad(word.key, "be a known key", word.text, hint)
    close = guess(word.key)
    hint = f" Did you mean {close}?" if close else " `python train.py --help` lists the keys."
    return bad(word.key, "be a known key", word.text, hint)


def malformed(word: Word, following: Sequence[str], options: Options) -> BadInput:
    """Phrase the error for a value outside Hydra's grammar, with a spelling that is inside it.

    Args:
        word: The override that cannot be parsed.
        following: The words behind it, which may be the rest of a list typed with spaces.
        options: The choices of each group.
    """
    key, value = word.key, word.value.strip()
    no_commas = re.sub(r"\s*,[\s,]*($|[\])}])", r"\1", value)
    no_commas = re.sub(r"(^|[\[({,])\s*,[\s,]*", r"\1", no_commas)
    called = re.search(r"([A-Za-z_]\w*)\s*\(", value)
    hint = " `python train.py --help` shows how values are written."
    remedies: list[str] = []
    if key in FREE_TEXT and value:
        rule = "stand in two pairs of quotes, one for the shell and one for Hydra"
        if value.startswith("~"):
            rule = "not begin with ~, which has no meaning to Hydra"
        remedies = [quoted(value)]
    elif not value:
        rule = "have a value behind its equals sign"
        remedies = list(joined("", following))
        hint = f" Write {key}=VALUE, or leave it out."
    elif missing := closers(value):
        rule = "have its brackets and quotes closed"
        remedies = [*joined(value, following), value + missing, no_commas + missing]
    elif no_commas != value:
        rule = "have a value on both sides of each comma"
        remedies = [*joined(value, following), no_commas]
    elif called and called[1] not in functions():
        return _no_such_function(word, called[1])
    else:
        rule = "follow Hydra's grammar"
        inner = value.strip(" =()[]{}")
        remedies = [] if called else [f"[{inner}]" if key in LISTS else inner]
    good = first_good(key, remedies, options)
    return bad(key, rule, word.text, hint if good is None else write(key, good))


def _no_such_function(word: Word, name: str) -> BadInput:
    close = nearest(name, functions())
    hint = f" Did you mean {close}?" if close else " `python train.py --help` shows how to sweep."
    if name.startswith(("log", "geom")) and "float" in type_of(word.key):
        hint = f" Write {word.key}=log:LOW:HIGH:COUNT for values spaced by equal factors."
    rule = f"use one of Hydra's functions ({', '.join(sorted(functions()))})"
    return bad(word.key, rule, word.text, hint)
