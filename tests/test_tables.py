"""The one error for a name that is not in a table, here and on the command line."""

import re

import pytest

from bpcore import StackSpec
from bpcore.tables import lookup, nearest
from sweeps import errors

TABLE = {"relu": 1, "Tanh": 2}


def test_a_name_is_looked_up():
    assert lookup(TABLE, "activation", "Tanh") == 2


@pytest.mark.parametrize(
    ("name", "hint"),
    [("ReLU", " Did you mean relu?"), ("tan", " Did you mean Tanh?"), ("x", ""), (None, "")],
)
def test_an_unknown_name_gets_all_names_and_the_nearest(name, hint):
    sentence = f"`activation` must be one of relu, Tanh; got {name}.{hint}"
    with pytest.raises(ValueError, match=re.escape(sentence) + "$"):
        lookup(TABLE, "activation", name)
    assert errors.one_of("activation", name, TABLE) == sentence


def test_a_list_is_no_name():
    with pytest.raises(ValueError, match=r"`reduction` must be one of .*; got \['mean'\]\."):
        StackSpec(sizes=(2, 1), reduction=["mean"])


@pytest.mark.parametrize(
    ("typed", "meant"), [("1", "001"), ("0", "000"), ("01", "001"), ("7", None), ("10", "101")]
)
def test_numbers_are_nearest_to_their_equals(typed, meant):
    assert nearest(typed, ["000", "101", "001"]) == meant
