import itertools
import math
import re
import time
from fractions import Fraction

import pytest

from sweeps.axes import Axis, canonical, grid, is_spacing, log_spacing
from sweeps.errors import BadInput
from sweeps.filters import Filter


def axis(name, *values):
    return Axis(name, values, tuple(f"{name}={value}" for value in values))


LR = axis("lr", 0.1, 1.0, 10.0)
DEPTH = axis("depth", 2, 4)
ACTIVATION = axis("activation", "relu", "tanh")
NOISE = axis("data.noise", None, 0.1)
WIDTH = axis("width", [8, 4], [2, 2])
FACTOR = axis("lr_factor.0", 0.5, 2.0)
BATCH = axis("batch_size", "full", 10)
BIAS = axis("bias", True, False)
ALL = [LR, DEPTH, ACTIVATION, NOISE, WIDTH, FACTOR, BATCH, BIAS]
NAMES = "lr, depth, activation, data.noise, width, lr_factor.0, batch_size, bias"


def refusal(call, *args, **kwargs):
    with pytest.raises(BadInput) as caught:
        call(*args, **kwargs)
    return str(caught.value)


def texts(cells):
    return [" ".join(cell) for cell in cells]


# Canonical values


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.1 + 0.2, "0.3"),
        (0.30000000000000004, "0.3"),
        (1 / 3, "0.333333333333"),
        (123456789012345.0, "123456789012000.0"),
        (-0.0, "0.0"),
        (math.inf, "inf"),
        (math.nan, "nan"),
        (5e-324, "5e-324"),
        (3, "3"),
        (True, "True"),
        (None, "None"),
        ("0.30000000000000004", "'0.30000000000000004'"),
        ([0.1 + 0.2, [0.1 + 0.2]], "[0.3, [0.3]]"),
        ({"a": 0.1 + 0.2}, "{'a': 0.3}"),
    ],
)
def test_canonical_values_have_twelve_significant_digits(value, expected):
    assert repr(canonical(value)) == expected


def test_canonical_values_do_not_move_again():
    for exponent, digits in itertools.product(range(-300, 300, 37), (1 / 3, 2 / 7, 0.1 + 0.2)):
        once = canonical(digits * 10.0**exponent)
        assert canonical(once) == once
        assert canonical(math.nextafter(once, math.inf)) == once


# Log spacing


def test_forty_values_from_a_thousandth_to_ten():
    values = log_spacing("log:1e-3:10:40")
    assert len(values) == 40
    assert (values[0], values[-1]) == (0.001, 10.0)
    assert values == [canonical(value) for value in values]
    # The ratio of neighbors is the 39th root of 10^4, checked in whole powers of fractions;
    # rounding to 12 digits moves a value by up to 5e-12 of itself, its 39th power by 39 of these.
    for place, value in enumerate(values):
        power = Fraction(value) ** 39 / Fraction(1, 1000) ** 39
        assert float(power / Fraction(10) ** (4 * place)) == pytest.approx(1, abs=39 * 5.01e-12)


@pytest.mark.parametrize(
    ("text", "whole", "expected"),
    [
        ("log:1e-3:10:5", False, [0.001, 0.01, 0.1, 1.0, 10.0]),
        ("log:10:0.1:3", False, [10.0, 1.0, 0.1]),
        ("log:1:2:2", False, [1.0, 2.0]),
        ("log:1_0:.1e4:3", False, [10.0, 100.0, 1000.0]),
        ("log:1e-300:1e300:3", False, [1e-300, 1.0, 1e300]),
        ("log:4:64:5", True, [4, 8, 16, 32, 64]),
        ("log:1:8:7", True, [1, 2, 3, 4, 6, 8]),
    ],
)
def test_log_spacing_gives(text, whole, expected):
    values = log_spacing(text, whole)
    assert values == expected
    assert [type(value) for value in values] == [type(value) for value in expected]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "log:1e-3:10",
            "`log:1e-3:10` must be log:LOW:HIGH:COUNT; got 2 parts after log. "
            "For example log:1e-3:10:40.",
        ),
        (
            "log:1:2:3:4",
            "`log:1:2:3:4` must be log:LOW:HIGH:COUNT; got 4 parts after log. "
            "For example log:1e-3:10:40.",
        ),
        ("log:0:1:5", "`log:0:1:5` must have finite bounds above 0; got 0."),
        ("log:-1:1:5", "`log:-1:1:5` must have finite bounds above 0; got -1."),
        ("log:1:inf:5", "`log:1:inf:5` must have finite bounds above 0; got inf."),
        ("log:nan:1:5", "`log:nan:1:5` must have finite bounds above 0; got nan."),
        ("log:a:1:5", "`log:a:1:5` must have finite bounds above 0; got a."),
        ("log::1:5", "`log::1:5` must have finite bounds above 0; got nothing."),
        (
            "log:1:2:1",
            "`log:1:2:1` must have a whole number from 2 to 1000000 as its count; got 1.",
        ),
        (
            "log:1:2:2.5",
            "`log:1:2:2.5` must have a whole number from 2 to 1000000 as its count; got 2.5.",
        ),
        (
            "log:1:2:",
            "`log:1:2:` must have a whole number from 2 to 1000000 as its count; got nothing.",
        ),
        (
            "log:1:2:99999999999",
            "`log:1:2:99999999999` must have a whole number from 2 to 1000000 as its count; "
            "got 99999999999.",
        ),
    ],
)
def test_a_faulty_spacing_says_what_is_wrong(text, message):
    assert is_spacing(text)
    assert refusal(log_spacing, text) == message


@pytest.mark.parametrize("value", ["log:50", "log", "logistic", 3, None, ["log:1:2:3"], ""])
def test_other_values_are_no_spacing(value):
    assert not is_spacing(value)


# Grids


def test_the_last_axis_moves_fastest():
    assert texts(grid([LR, DEPTH])) == [
        "lr=0.1 depth=2",
        "lr=0.1 depth=4",
        "lr=1.0 depth=2",
        "lr=1.0 depth=4",
        "lr=10.0 depth=2",
        "lr=10.0 depth=4",
    ]


def test_a_grid_is_the_product_in_the_order_of_itertools():
    expected = itertools.product(*(one.texts for one in ALL))
    assert grid(ALL) == list(expected)


def test_no_axes_make_one_cell():
    assert grid([]) == [()]


def test_equal_cells_appear_once_at_their_first_place():
    assert texts(grid([axis("lr", 1.0, 0.1, 1.0), axis("depth", 2, 2)])) == [
        "lr=1.0 depth=2",
        "lr=0.1 depth=2",
    ]


def test_zipped_axes_move_together_and_keep_their_place_in_the_text():
    assert texts(grid([ACTIVATION, LR, axis("init", "he", "xavier")], ["init", "activation"])) == [
        "activation=relu lr=0.1 init=he",
        "activation=relu lr=1.0 init=he",
        "activation=relu lr=10.0 init=he",
        "activation=tanh lr=0.1 init=xavier",
        "activation=tanh lr=1.0 init=xavier",
        "activation=tanh lr=10.0 init=xavier",
    ]


def test_several_groups_are_zipped_each_for_itself():
    zipped = [["depth", "activation"], ["bias", "batch_size"]]
    assert texts(grid([DEPTH, BIAS, ACTIVATION, BATCH], zipped)) == [
        "depth=2 bias=True activation=relu batch_size=full",
        "depth=2 bias=False activation=relu batch_size=10",
        "depth=4 bias=True activation=tanh batch_size=full",
        "depth=4 bias=False activation=tanh batch_size=10",
    ]


def test_a_zip_repeats_a_value_that_its_partner_does_not():
    assert texts(grid([axis("a", 1, 1, 1), axis("b", 2, 3, 2)], ["a", "b"])) == [
        "a=1 b=2",
        "a=1 b=3",
    ]


def test_texts_without_a_name_ride_along():
    rider = Axis("", (None,), ("~data=null",))
    assert texts(grid([rider, DEPTH, rider], only="depth > 2")) == ["~data=null depth=4 ~data=null"]


@pytest.mark.parametrize(
    ("zipped", "message"),
    [
        (
            ["lr", "depth"],
            "`zip` must join axes with equally many values; got 3 of lr, 2 of depth.",
        ),
        (
            ["depth", "activatoin"],
            f"`zip` must name axes of this sweep ({NAMES}); got activatoin. "
            "Did you mean activation?",
        ),
        (
            [["depth", "bias"], ["bias", "activation"]],
            "`zip` must name each axis once; got bias twice.",
        ),
        (["depth", "depth"], "`zip` must name each axis once; got depth twice."),
        (["depth"], "`zip` must join at least two axes; got [depth]."),
        ([["depth", "bias"], []], "`zip` must join at least two axes; got []."),
        (
            "depth",
            "`zip` must be a list of axes, [a,b], or a list of such lists, [[a,b],[c,d]]; "
            "got depth.",
        ),
        (
            ["lr", ["depth", "bias"]],
            "`zip` must be a list of axes, [a,b], or a list of such lists, [[a,b],[c,d]]; "
            "got [lr,[depth,bias]].",
        ),
        (
            [1, 2],
            "`zip` must be a list of axes, [a,b], or a list of such lists, [[a,b],[c,d]]; "
            "got [1,2].",
        ),
    ],
)
def test_a_zip_that_does_not_fit_says_why(zipped, message):
    assert refusal(grid, ALL, zipped) == message


@pytest.mark.parametrize("zipped", [None, []])
def test_an_empty_zip_joins_nothing(zipped):
    assert len(grid([LR, DEPTH], zipped)) == 6


def test_more_cells_than_memory_holds_are_refused_before_they_are_made():
    axes = [axis(name, *range(1000)) for name in "abc"]
    assert refusal(grid, axes) == "A sweep must have at most 10000000 cells; got 1000000000."


# Filters


@pytest.mark.parametrize(
    ("only", "holds"),
    [
        ("lr < 1", lambda c: c["lr"] < 1),
        ("lr*depth<1", lambda c: c["lr"] * c["depth"] < 1),
        ("0.1 < lr <= 10 > depth", lambda c: 0.1 < c["lr"] <= 10 > c["depth"]),
        ("lr in (0.1, 10)", lambda c: c["lr"] in (0.1, 10)),
        ("lr not in [0.1, 10]", lambda c: c["lr"] not in (0.1, 10)),
        ("lr in [depth / 20]", lambda c: c["lr"] == c["depth"] / 20),
        ("depth + 1 == 3 or lr - 1 == 9", lambda c: c["depth"] == 2 or c["lr"] == 10),
        ("depth // 3 == 1 and depth % 3 == 1", lambda c: c["depth"] == 4),
        ("depth**2 == 16", lambda c: c["depth"] == 4),
        ("2**-depth < 0.1", lambda c: c["depth"] == 4),
        ("-lr < -(1)", lambda c: c["lr"] > 1),
        ("+lr >= 1", lambda c: c["lr"] >= 1),
        ("not (lr < 1 or depth == 2)", lambda c: not (c["lr"] < 1 or c["depth"] == 2)),
        ("activation == 'relu'", lambda c: c["activation"] == "relu"),
        ('activation != "relu"', lambda c: c["activation"] != "relu"),
        ("activation in ('relu', 'elu')", lambda c: c["activation"] == "relu"),
        ("activation < 's'", lambda c: c["activation"] == "relu"),
        ("data.noise == null", lambda c: c["data.noise"] is None),
        ("None != data.noise", lambda c: c["data.noise"] is not None),
        ("data.noise != null and data.noise > 0.05", lambda c: c["data.noise"] == 0.1),
        ("lr_factor[0] * lr > 1", lambda c: c["lr_factor.0"] * c["lr"] > 1),
        ("width[0] > width[-1]", lambda c: c["width"][0] > c["width"][-1]),
        ("width == [2, 2]", lambda c: c["width"] == [2, 2]),
        ("batch_size == 'full' or batch_size > 5", lambda c: True),
        ("batch_size != 'full' and batch_size < 50", lambda c: c["batch_size"] == 10),
        ("bias", lambda c: c["bias"]),
        ("not bias or lr == 1", lambda c: not c["bias"] or c["lr"] == 1),
        ("bias == true", lambda c: c["bias"]),
        ("bias != True and false == False", lambda c: not c["bias"]),
        ("lr < inf", lambda c: True),
        ("  lr < 1  ", lambda c: c["lr"] < 1),
    ],
)
def test_a_filter_keeps_the_cells_for_which_python_finds_it_true(only, holds):
    names = [one.name for one in ALL]
    cells = itertools.product(*(zip(one.values, one.texts, strict=True) for one in ALL))
    expected = [
        tuple(text for _, text in cell)
        for cell in cells
        if holds({name: value for name, (value, _) in zip(names, cell, strict=True)})
    ]
    assert expected
    assert grid(ALL, only=only) == expected


@pytest.mark.parametrize("only", [None, "", "  "])
def test_an_empty_filter_keeps_everything(only):
    assert len(grid([LR, DEPTH], only=only)) == 6


def test_a_filter_sees_the_values_of_zipped_axes():
    cells = grid([DEPTH, LR, ACTIVATION], ["activation", "depth"], "depth == 4 and lr > 1")
    assert texts(cells) == ["depth=4 lr=10.0 activation=tanh"]


GRAMMAR = (
    "`only` must be made of axis names, numbers, texts, lists, comparisons, arithmetic, "
    "and, or, not; got "
)
ALIKE = "`only` must compare numbers with numbers and texts with texts; got "


@pytest.mark.parametrize(
    ("only", "message"),
    [
        (
            "lrr < 1",
            f"`only` must name axes of this sweep ({NAMES}); got lrr. Did you mean lr?",
        ),
        ("zzz < 1", f"`only` must name axes of this sweep ({NAMES}); got zzz."),
        (
            "data.nois > 1",
            f"`only` must name axes of this sweep ({NAMES}); got data.nois. "
            "Did you mean data.noise?",
        ),
        ("lr.real < 1", f"`only` must name axes of this sweep ({NAMES}); got lr.real."),
        (
            "lr < 1 or lrr < 1",
            f"`only` must name axes of this sweep ({NAMES}); got lrr. Did you mean lr?",
        ),
        (
            "depth[0] > 1",
            f"`only` must name axes of this sweep ({NAMES}); got depth.0. Did you mean depth?",
        ),
        (
            "activation == relu",
            "`only` must have texts in quotes; got relu. Write 'relu'.",
        ),
        (
            "lr*<1",
            "`only` must be a condition such as lr*depth < 1; got lr*<1, which cannot be read.",
        ),
        (
            "lr = 1",
            "`only` must be a condition such as lr*depth < 1; got lr = 1, which cannot be read. "
            "Write == to compare.",
        ),
        (
            "lr < 1; import os",
            "`only` must be a condition such as lr*depth < 1; got lr < 1; import os, "
            "which cannot be read.",
        ),
        ("abs(lr) < 1", GRAMMAR + "abs(lr)."),
        ("__import__('os')", GRAMMAR + "__import__('os')."),
        ("().__class__ == 1", f"`only` must name axes of this sweep ({NAMES}); got ().__class__."),
        ("[x for x in lr]", GRAMMAR + "[x for x in lr]."),
        ("(lambda: 1) == 1", GRAMMAR + "lambda: 1."),
        ("lr if bias else depth", GRAMMAR + "lr if bias else depth."),
        ("(lr := 1) == 1", GRAMMAR + "(lr := 1)."),
        ("f'{lr}' == 'a'", GRAMMAR + "f'{lr}'."),
        ("b'a' == activation", GRAMMAR + "b'a'."),
        ("1j == lr", GRAMMAR + "1j."),
        ("... == lr", GRAMMAR + "...."),
        ("lr < 1 & depth > 2", GRAMMAR + "lr < 1 & depth > 2."),
        ("lr is None", GRAMMAR + "lr is None."),
        ("~depth == 1", GRAMMAR + "~depth == 1."),
        ("{lr: 1} == 1", GRAMMAR + "{lr: 1}."),
        (
            "width[0:1] == [2]",
            f"`only` must name axes of this sweep ({NAMES}); got width[0:1]. Did you mean width?",
        ),
        ("lr < 'a'", ALIKE + "0.1 and 'a' in lr < 'a'."),
        ("activation == 1", ALIKE + "'relu' and 1 in activation == 1."),
        ("lr != '0.1'", ALIKE + "0.1 and '0.1' in lr != '0.1'."),
        ("data.noise < 1", ALIKE + "None and 1 in data.noise < 1."),
        ("batch_size > 5", ALIKE + "'full' and 5 in batch_size > 5."),
        ("bias == 1", ALIKE + "True and 1 in bias == 1."),
        ("bias < 1", ALIKE + "True and 1 in bias < 1."),
        ("width < [3]", ALIKE + "[8, 4] and [3] in width < [3]."),
        (
            "activation in 'relu'",
            "`only` must have a list after in; got 'relu' in activation in 'relu'. Write (a, b).",
        ),
        (
            "activation + 'a' == 'b'",
            "`only` must compute with numbers; got activation, which is 'relu'.",
        ),
        ("'%d' % lr == '1'", "`only` must compute with numbers; got '%d', which is '%d'."),
        ("-activation == 1", "`only` must compute with numbers; got activation, which is 'relu'."),
        ("bias * 2 > 1", "`only` must compute with numbers; got bias, which is True."),
        (
            "lr and depth > 2",
            "`only` must join conditions with and, or, not; got lr, which is 0.1.",
        ),
        ("not lr", "`only` must join conditions with and, or, not; got lr, which is 0.1."),
        (
            "lr",
            "`only` must be true or false; got lr, which is 0.1. Compare it with something.",
        ),
        (
            "lr / (depth - 2) > 1",
            "`only` must have a value for each cell; got lr / (depth - 2) > 1, "
            "which has none at lr=0.1, depth=2.",
        ),
        (
            "(-lr) ** 0.5 > 1",
            "`only` must have a value for each cell; got (-lr) ** 0.5 > 1, "
            "which has none at lr=0.1.",
        ),
        (
            "width[2] > 1",
            "`only` must have a value for each cell; got width[2] > 1, "
            "which has none at width=[8, 4].",
        ),
        (
            "lr > 100",
            "`only` must hold for at least one cell; got lr > 100, which holds for none of 384.",
        ),
        ("1" * 1001, "`only` must be at most 1000 characters; got 1001."),
        (
            "-" * 150 + "lr < 1",
            "`only` must be nested at most 100 deep; got " + "-" * 150 + "lr < 1.",
        ),
    ],
)
def test_a_filter_that_cannot_be_used_says_why(only, message):
    assert refusal(grid, ALL, only=only) == message


def test_an_unknown_name_without_any_axes_is_said_so():
    message = refusal(grid, [], only="lr < 1")
    assert message == "`only` must name axes of this sweep (none); got lr."


@pytest.mark.parametrize(
    "only",
    [
        "10**10**10**10**10 > lr",
        "9**9**9**9 < lr",
        "lr > 2**99999999999",
        "(((1 << 99999))) > lr",
        "'a' * 10**10 == activation",
        "[1] * 10**10 == width",
        "9" * 900 + " ** 999 > lr",
    ],
)
def test_a_filter_never_takes_long(only):
    start = time.process_time()
    refusal(grid, ALL, only=only)
    assert time.process_time() - start < 1


@pytest.mark.parametrize("text", ["(" * 400 + "lr" + ")" * 400, "lr\0", "lr < \\", "'", "\ud800"])
def test_what_the_parser_chokes_on_is_refused_in_a_sentence(text):
    message = refusal(Filter, text, {"lr": [1]})
    assert re.match("`only` must be a condition such as lr", message)


def test_a_filter_reads_no_name_of_python():
    for name in ("print", "__builtins__", "self", "cell", "True.real"):
        assert refusal(Filter, name, {"lr": [1]})


def test_an_odd_spelling_warns_of_nothing():
    assert len(grid([axis("a", r"\d", "d")], only=r"a == '\d'")) == 1
