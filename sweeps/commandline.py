"""Read the command line of train.py before Hydra does, and say what is wrong with it in a sentence.

Hydra answers a mistyped key with the advice to add it by `+`, which trains the wrong thing; it
prints several lines for a missing quote and cannot expand `log:`. So keys, group choices and
grammar are checked here. Types and values are the schema's business, `hydra.*` is Hydra's.
"""

from __future__ import annotations

import contextlib
import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sweeps.config import LAYERS_WITH_FACTORS
from sweeps.errors import BadInput, nearest, one_of
from sweeps.helptext import (
    GROUPS,
    PER_LAYER,
    SWEEP_KEYS,
    WHOLE_SWEEPS,
    group_options,
    guess,
    help_text,
    is_key,
    respelled,
)
from sweeps.spelling import (
    FREE_TEXT,
    LISTS,
    bad,
    closers,
    for_shell,
    functions,
    joined,
    parse,
    quoted,
    type_of,
    write,
)

# Hydra's flags, as the argparse parser of Hydra 1.3 declares them.
SHORT_FLAGS: Mapping[str, str] = MappingProxyType(
    {
        "-h": "--help",
        "-m": "--multirun",
        "-c": "--cfg",
        "-r": "--run",
        "-p": "--package",
        "-i": "--info",
        "-sc": "--shell-completion",
        "-cp": "--config-path",
        "-cn": "--config-name",
        "-cd": "--config-dir",
    }
)
FLAGS_WITH_VALUE = frozenset(
    {"--cfg", "--package", "--config-path", "--config-name", "--config-dir", "--experimental-rerun"}
)
FLAGS = FLAGS_WITH_VALUE | {"--hydra-help", "--version", "--resolve", *SHORT_FLAGS.values()}
INFO_TOPICS = frozenset({"all", "config", "defaults", "defaults-tree", "plugins", "searchpath"})
UNCHECKED = frozenset({"--hydra-help", "--version", "--shell-completion", "--experimental-rerun"})
ONE_CONFIGURATION = ("--cfg", "--info", "--run")


_Options = Mapping[str, Collection[str] | None]
_Dashed = tuple[str, list[str]]


@dataclass(frozen=True)
class _Word:
    """One override as typed, cut at its first `=`."""

    text: str
    prefix: str
    key: str
    has_value: bool
    value: str

    @classmethod
    def read(cls, text: str) -> _Word:
        name, equals, value = text.partition("=")
        key = name.lstrip("~+")
        return cls(text, name[: len(name) - len(key)], key, bool(equals), value)

    @property
    def is_hydras(self) -> bool:
        is_override = self.has_value or self.prefix == "~"
        return is_override and self.key.startswith(("hydra.", "hydra/"))


def prepare(argv: Sequence[str], conf_dir: Path) -> list[str]:
    """Check the arguments of train.py and return those that Hydra is to see.

    Flags come first, because Hydra's parser takes the overrides from one place only; `log:` is
    expanded; `--multirun` is added where a key has several values and nothing says how to run them.

    Args:
        argv: The arguments without the program's name.
        conf_dir: The directory of `config.yaml` and its groups.

    Raises:
        BadInput: An override cannot be used.
        SystemExit: With status 0, after the help was asked for and printed.
    """
    if any(_long_name(token) == "--help" for token in argv):
        print(help_text(conf_dir))
        raise SystemExit(0)
    flags, given, texts, dashed = _split(argv)
    if given.keys() & UNCHECKED:
        return list(argv)
    words = [_Word.read(text) for text in texts]
    options = {group: _options(group, conf_dir, given, words) for group in GROUPS}
    for token, following in dashed:
        _refuse_dashes(token, following, options)
    checked = [_checked(word, texts[i + 1 :], options) for i, word in enumerate(words)]
    _check_given_once(words, options)
    _check_sweeper(words)
    swept = [text for text, is_sweep in checked if is_sweep]
    is_chosen = _mode_is_chosen(words)
    _check_one_configuration(given, swept, is_chosen)
    if swept and not is_chosen and "--multirun" not in given:
        flags.append("--multirun")
    return flags + [text for text, _ in checked]


def _split(argv: Sequence[str]) -> tuple[list[str], dict[str, str], list[str], list[_Dashed]]:
    """Separate flags from overrides.

    Returns:
        The flags as typed; Hydra's among them as long name to value; the overrides; and the
        flags that are none of Hydra's, each with the words behind it.
    """
    flags: list[str] = []
    given: dict[str, str] = {}
    words: list[str] = []
    dashed: list[_Dashed] = []
    rest = list(argv)
    while rest:
        token = rest.pop(0)
        if token == "--":  # noqa: S105 - what follows are overrides, whatever they look like
            words += rest
            break
        if not re.match(r"-[^\d.]", token):
            words.append(token)
            continue
        typed, equals, value = token.partition("=")
        flag = _long_name(typed)
        if flag is None:
            dashed.append((token, list(rest)))
        takes_next = flag in FLAGS_WITH_VALUE or (flag == "--info" and INFO_TOPICS & {*rest[:1]})
        following = [rest.pop(0)] if takes_next and rest and not equals else []
        if flag == "--info" and not following and not equals:
            token = "--info=all"  # noqa: S105 - left bare, it takes the first override for a topic
        given[flag or typed] = value or "".join(following)
        flags += [token, *following]
    return flags, given, words, dashed


def _long_name(typed: str) -> str | None:
    """Resolve a short or shortened flag the way argparse does; None for no flag of Hydra's.

    A key is no shortened flag: argparse would take `--experiment` for `--experimental-rerun`.
    """
    if typed in SHORT_FLAGS or typed in FLAGS:
        return SHORT_FLAGS.get(typed, typed)
    if not typed.startswith("--") or respelled(typed.lstrip("-")):
        return None
    fitting = [flag for flag in FLAGS if flag.startswith(typed)]
    return fitting[0] if len(fitting) == 1 else None


def _refuse_dashes(token: str, following: Sequence[str], options: _Options) -> None:
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
    good = _first_good(key, remedies, options) or "VALUE"
    raise bad(typed, "be written as key=value, without dashes", token, write(key, good))


def _mode_is_chosen(words: Sequence[_Word]) -> bool:
    """Tell whether an experiment or case (they choose themselves) or the user decides on it."""
    values = {word.key: word.value.strip(" '\"").lower() for word in words}
    return "hydra.mode" in values or any(
        values.get(group, "null") != "null" for group in WHOLE_SWEEPS
    )


def _check_one_configuration(given: Collection[str], swept: Sequence[str], is_chosen: bool) -> None:
    """Refuse a sweep beside a flag that is for one configuration.

    Hydra lets a mode that was chosen elsewhere win over `--run`, but over nothing else.
    """
    for flag in (flag for flag in ONE_CONFIGURATION if flag in given):
        if swept and not (is_chosen and flag == "--run"):
            key = _Word.read(swept[0]).key
            hint = f" {flag} is for one configuration: choose one value of {key}."
            raise bad(key, f"have one value beside {flag}", swept[0], hint)
        if "--multirun" in given:
            hint = f" {flag} is for one configuration: leave -m out."
            raise bad(flag, "stand without -m", f"{flag} and -m", hint)


def _check_sweeper(words: Sequence[_Word]) -> None:
    """Refuse what only our sweeper understands beside another one, which would ignore it."""
    other = next((word for word in words if word.key == "hydra/sweeper"), None)
    if other is None or other.text.endswith("=bpcore"):
        return
    for word in words:
        if word.key in ("zip", "only"):
            raise bad(word.key, f"be left out with {other.text}", word.text, "")


def _options(
    group: str, conf_dir: Path, given: Mapping[str, str], words: Sequence[_Word]
) -> list[str] | None:
    """List the choices of a group; None where Hydra searches in places not known here."""
    if "--config-path" in given or any(word.key == "hydra.searchpath" for word in words):
        return None
    extra = [Path(given["--config-dir"])] if "--config-dir" in given else []
    return sorted({name for folder in (conf_dir, *extra) for name in group_options(folder, group)})


def _check_key(word: _Word, options: _Options) -> None:
    if not word.key or not (word.has_value or word.prefix == "~"):
        raise _bare(word, options)
    if not is_key(word.key):
        raise _unknown(word)
    if word.key == "data.name":
        rule = "come with a data set's other settings"
        raise bad(word.key, rule, word.text, f" Write data={word.text.partition('=')[2]}.")
    if word.prefix.startswith("~"):
        hint = f" Leave {word.text} out, or give another value as {word.key}=VALUE."
        raise bad(word.key, "keep a value, since a run needs every key", word.text, hint)


def _bare(word: _Word, options: _Options) -> BadInput:
    """Phrase the error for a word without `=`: a choice, a key before a space, or neither."""
    key = respelled(word.key)
    groups = [group for group in GROUPS if word.text in (options[group] or ())]
    hint = " `python train.py --help` lists the keys."
    if groups:
        hint = write(groups[0], word.text)
    elif key and type_of(key) == "bool":
        hint = write(key, "true")
    elif key:
        hint = f" Write {key}=VALUE, with no space around the equals sign."
    return bad(word.text, "have the form key=value", word.text, hint)


def _unknown(word: _Word) -> BadInput:
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


def _check_given_once(words: Sequence[_Word], options: _Options) -> None:
    """Refuse a key given twice, of which Hydra would silently take the last."""
    given = defaultdict(list)
    for word in words:
        if not word.is_hydras:
            given[word.key].append(word)
    for key, same in given.items():
        if len(same) == 1:
            continue
        hint = " Keep one of them."
        joined = ",".join(dict.fromkeys(word.value for word in same))
        if "," in joined and _first_good(key, [joined], options):
            hint = f" Keep one of them, or sweep over all of them: {for_shell(key, joined)}."
        raise bad(key, "be given once", " and ".join(word.text for word in same), hint)


def _checked(word: _Word, following: Sequence[str], options: _Options) -> tuple[str, bool]:
    """Check an override: its key, its value's grammar, then what `_check_value` does."""
    if word.is_hydras:
        return word.text, False
    _check_key(word, options)
    parsed = parse(word.text) if word.value.strip() else None
    if parsed is None:
        raise _malformed(word, following, options)
    return _check_value(word, parsed, options)


def _check_value(word: _Word, parsed: Any, options: _Options) -> tuple[str, bool]:
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


def _first_good(key: str, values: Sequence[str], options: _Options) -> str | None:
    """Return the first value that can be advised, because as an override it would be accepted."""
    for value in values:
        # The shell will have made a path of ~.
        word = _Word.read(f"{key}={value.removeprefix('~') if value[:2] == '~/' else value}")
        parsed = parse(word.text) if word.value.strip() else None
        with contextlib.suppress(BadInput):
            if parsed is not None:
                _check_value(word, parsed, options)
                return value
    return None


def _check_sweep(word: _Word, parsed: Any) -> None:
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


def _check_choice(word: _Word, parsed: Any, options: Collection[str] | None) -> None:
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


def _names_chosen(word: _Word, value: Any, options: Collection[str]) -> list[str]:
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


def _with_log_expanded(word: _Word) -> str:
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


def _malformed(word: _Word, following: Sequence[str], options: _Options) -> BadInput:
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
    good = _first_good(key, remedies, options)
    return bad(key, rule, word.text, hint if good is None else write(key, good))


def _no_such_function(word: _Word, name: str) -> BadInput:
    close = nearest(name, functions())
    hint = f" Did you mean {close}?" if close else " `python train.py --help` shows how to sweep."
    if name.startswith(("log", "geom")) and "float" in type_of(word.key):
        hint = f" Write {word.key}=log:LOW:HIGH:COUNT for values spaced by equal factors."
    rule = f"use one of Hydra's functions ({', '.join(sorted(functions()))})"
    return bad(word.key, rule, word.text, hint)
