"""Adapters as people write them: data of their own, counts, types, lists, what is no number.

The expected verdicts follow from how each program is written: a right one, or one line changed.
"""

import itertools

import numpy as np
import pytest
from subjects.asked import of_text, words, wrong

from diagnosis import diagnose_file, report
from diagnosis.layouts import layouts

# One hidden layer of tanh, a sigmoid output, cross-entropy; `{X}` and `{Y}` are what grads reads.
NET = """
import numpy as np
rng = np.random.RandomState(1)
m = 40
X = rng.randn(m, 3); Y = {labels}
params = dict(W1=rng.randn(3, 5) * .7, b1=np.zeros(5), W2=rng.randn(5, 1) * .7, b2=np.zeros(1))
data, labels = X, Y
def fwd(p, X):
    h = np.tanh(X @ p["W1"] + p["b1"])
    return h, 1 / (1 + np.exp(-(h @ p["W2"] + p["b2"])))
def loss(p, X, Y):
    X, Y = {loss_data}
    o = fwd(p, X)[1]
    return float(-np.mean(Y * np.log(o) + (1 - Y) * np.log(1 - o)))
def grads(p, X, Y):
    X, Y = {grads_data}
    n = {count}
    h, o = fwd(p, X)
    d2 = (o - Y) / n
    d1 = d2 @ p["W2"].T * {slope}
    return dict(W1=X.T @ d1, b1=d1.sum(0) * {b1}, W2=h.T @ d2, b2=d2.sum(0) * {b2})
"""


def net(**changes):
    usual = {"labels": "(rng.rand(m, 1) > .5).astype(float)", "loss_data": "X, Y",
             "grads_data": "X, Y", "count": "len(X)", "slope": "(1 - h * h)", "b1": "1",
             "b2": "1"}  # fmt: skip
    return NET.format(**usual | changes)


OWN = "data, labels"


@pytest.mark.parametrize(
    ("loss_data", "grads_data", "ignoring"),
    [(OWN, "X, Y", ["loss"]), ("X, Y", OWN, ["grads"]), (OWN, OWN, ["loss", "grads"])],
)
def test_a_right_program_that_reads_its_own_data_is_right(loss_data, grads_data, ignoring):
    answer = of_text(net(loss_data=loss_data, grads_data=grads_data))
    assert (answer.kind, words(answer)) == ("healthy", [])
    said = [e for e in answer.side_effects if " ignores its arguments X and Y" in e]
    assert [e.split()[0] for e in said] == ignoring
    assert "everything was looked at with your own X and Y only" in answer.side_effects


def test_a_loss_that_reads_its_own_labels_only_compares_nothing_with_everything():
    answer = of_text(net(loss_data="X, labels"))
    assert (answer.kind, words(answer)) == ("healthy", [])
    assert any(e.startswith("loss ignores its argument Y:") for e in answer.side_effects)


@pytest.mark.parametrize(
    ("change", "word", "arrays"),
    [
        ({"slope": "(h * (1 - h))"}, "derivative_of_other_activation", ["W1", "b1"]),
        ({"b1": "n"}, "bias_grad_mean_instead_of_sum", ["b1"]),
    ],
)
def test_a_mistake_beside_data_of_its_own_is_named(change, word, arrays):
    answer = of_text(net(grads_data=OWN, **change))
    assert (words(answer), wrong(answer)) == ([word], arrays)


@pytest.mark.parametrize("kind", ["bool", "np.int8", "np.uint8", "int", "object"])
def test_labels_may_be_of_any_type(kind):
    answer = of_text(net(labels=f"(rng.rand(m, 1) > .5).astype({kind})"))
    assert (answer.error, answer.kind, words(answer)) == (None, "healthy", [])
    assert report.text(answer)


@pytest.mark.parametrize(
    ("change", "word", "arrays"),
    [
        ({"b2": "2"}, "bias_grad_wrong_formula", ["b2"]),
        ({"b1": "n"}, "bias_grad_mean_instead_of_sum", ["b1"]),
        ({"slope": "(h * (1 - h))"}, "derivative_of_other_activation", ["W1", "b1"]),
        ({"slope": "(1 - h)"}, "unexplained", ["W1", "b1"]),
    ],
)
def test_the_right_number_of_samples_written_in_is_a_note_beside_a_mistake(change, word, arrays):
    answer = of_text(net(count="m", **change))
    assert (words(answer), wrong(answer)) == ([word], arrays)
    assert any("a number of samples, 40, is written in" in note for note in answer.notes)


def test_a_wrong_number_of_samples_written_in_is_a_mistake():
    answer = of_text(net(count="(m // 2)"))
    assert words(answer) == ["wrong_batch_size"]


NO_NUMBERS = "`params`, `X` and `Y` must be finite; got NaN or infinity in "


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            'params["W1"][:] = np.nan; params["b2"][0] = np.inf',
            "params['W1'] (15 of 15 entries), params['b2'] (1 of 1 entries). "
            "Hand over the starting weights, from before any training.",
        ),
        (
            "X[0, 0] = np.nan",
            "X (1 of 120 entries). "
            "Drop these samples or fill them in: one such number spoils every loss.",
        ),
        (
            "Y[3] = np.inf",
            "Y (1 of 40 entries). "
            "Drop these samples or fill them in: one such number spoils every loss.",
        ),
    ],
)
def test_arrays_that_are_no_numbers_are_named_and_nothing_else_is_blamed(line, said):
    answer = of_text(net() + line)
    assert (answer.kind, answer.status, words(answer)) == ("unknown", 2, [])
    assert answer.error.startswith(NO_NUMBERS + said)


def test_a_wrong_gradient_is_named_although_the_start_is_no_number():
    answer = of_text(net(slope="(h * (1 - h))") + 'params["W1"][:] = np.nan')
    assert words(answer) == ["derivative_of_other_activation"]
    [note] = answer.side_effects
    assert note.startswith(NO_NUMBERS + "params['W1'] (15 of 15 entries)")


LINE = """
import numpy as np
X = np.random.RandomState(2).randn(30); Y = 2 * X + 1
params = {params}
def loss(p, X, Y): return np.mean((p["w"] * X + p["b"] - Y) ** 2)
def grads(p, X, Y):
    assert type(p["w"]) is type(params["w"])
    e = p["w"] * X + p["b"] - Y
    return {{"w": 2 * np.mean(e * X), "b": 2 * np.mean(e)}}
"""
NUMBERS = [
    '{"w": 0.3, "b": 0.0}',
    '{"w": np.float64(0.3), "b": np.float64(0)}',
    '{"w": np.array(0.3), "b": np.array(0.0)}',
]


@pytest.mark.parametrize("params", NUMBERS)
def test_params_may_be_single_numbers(params, tmp_path):
    path = tmp_path / "line.py"
    path.write_text(LINE.format(params=params), encoding="utf-8")
    for answer in (of_text(LINE.format(params=params)), diagnose_file(str(path))):
        assert (answer.kind, answer.side_effects) == ("healthy", [])


def test_a_transposed_gradient_is_called_so():
    answer = of_text(net() + "g = grads\ndef grads(p, X, Y):\n    return {n: a.T for n, a in "
                     "g(p, X, Y).items()}\n")  # fmt: skip
    assert answer.error == (
        "`grads['W1']` must have the shape of params['W1'], (3, 5); got (5, 3): it is transposed. "
        "Return its .T if that is all that is different."
    )


TRAIN = """
def train(p, X, Y, steps=300, lr={lr}):
    p, losses = dict(p), []
    for _ in range(steps):
        losses.append(loss(p, X, Y)); g = grads(p, X, Y)
        p = {{n: p[n] - lr * g[n] for n in p}}
    return p, losses + [loss(p, X, Y)]
"""
SPLIT = "((X[:, :1] * X[:, :1] + X[:, 1:2] ** 2) > 1.2).astype(float)"
APART = "(X[:, :1] > 0).astype(float)"


def test_steps_that_saturate_the_output_are_too_large_where_clipping_leaves_it_untrained():
    answer = of_text(net(labels=SPLIT) + TRAIN.format(lr=200.0))
    assert not np.isfinite(answer.curves.author).all()
    assert (answer.kind, words(answer)) == ("training", ["learning_rate_too_large"])
    assert answer.curves.mended[-1] < 0.5 * 0.69


def test_gradients_of_random_samples_are_said_to_be_random():
    drawing = (
        "g = grads\ndef grads(p, X, Y):\n    i = np.random.choice(len(X), 8)\n"
        "    return g(p, X[i], Y[i])\n"
    )
    said = "grads draws random numbers and loss does not"
    assert any(e.startswith(said) for e in of_text(net() + drawing).side_effects)
    assert not any(e.startswith(said) for e in of_text(net()).side_effects)


LISTS = {
    "list": ("[W1, b1, W2, b2]", "W1, b1, W2, b2 = p", ["W1", "b1", "W2", "b2"]),
    "tuple": ("(W1, b1, W2, b2)", "W1, b1, W2, b2 = p", ["W1", "b1", "W2", "b2"]),
    "copies": ("[W1 + 0, b1 + 0, W2 + 0, b2 + 0]", "W1, b1, W2, b2 = p", ["p0", "p1", "p2", "p3"]),
    "pairs": (
        "[(W1 + 0, b1), (W2, b2)]",
        "(W1, b1), (W2, b2) = p",
        ["p0_1", "p0_2", "p1_1", "p1_2"],
    ),
    "dict": (
        '{"W": [W1, W2], "b": [b1, b2]}',
        '(W1, W2), (b1, b2) = p["W"], p["b"]',
        ["W_1", "W_2", "b_1", "b_2"],
    ),
}


LAYERS = dict.fromkeys(LISTS, ("W1", "b1", "W2", "b2")) | {"dict": ("W1", "W2", "b1", "b2")}


def in_a_list(made, taken, slope="(1 - h * h)"):
    """Return a program whose params and gradients are `made` of W1 and the others."""
    grads = made.replace(" + 0", "")
    for name in ("W1", "b1", "W2", "b2"):
        grads = grads.replace(name, f"d['{name}']")
    text = net(slope=slope) + TRAIN.format(lr=0.5).replace("def train", "def descend")
    return text + (
        "W1, b1, W2, b2 = params.values()\n"
        f"params = {made}\nl, g = loss, grads\n"
        f"def held(p):\n    {taken}\n    return dict(W1=W1, b1=b1, W2=W2, b2=b2)\n"
        "def loss(p, X, Y): return l(held(p), X, Y)\n"
        f"def grads(p, X, Y):\n    d = g(held(p), X, Y)\n    return {grads}\n"
    )


@pytest.mark.parametrize(
    "kind",
    [k if k in ("list", "dict") else pytest.param(k, marks=pytest.mark.campaign) for k in LISTS],
)
def test_params_and_gradients_may_be_lists(kind, tmp_path):
    made, taken, names = LISTS[kind]
    path = tmp_path / "net.py"
    path.write_text(in_a_list(made, taken), encoding="utf-8")
    answer = diagnose_file(str(path))
    assert (answer.error, answer.kind, answer.side_effects) == (None, "healthy", [])
    assert list(answer.checks) == names
    path.write_text(in_a_list(made, taken, "(h * (1 - h))"), encoding="utf-8")
    answer = diagnose_file(str(path))
    assert words(answer) == ["derivative_of_other_activation"]
    arrays = dict(zip(LAYERS[kind], names, strict=True))
    assert set(wrong(answer)) == {arrays["W1"], arrays["b1"]}


def test_a_list_of_gradients_beside_a_dict_is_refused_with_what_to_write():
    answer = of_text(net() + "g = grads\ndef grads(p, X, Y): return list(g(p, X, Y).values())\n")
    assert answer.error == (
        "`grads` must return a dict with the keys of params; got list. Write return "
        "{'W1': dW1, 'b1': db1, 'W2': dW2, 'b2': db2}; python diagnose.py --template shows an "
        "adapter."
    )


FLAT = "(rng.rand(m) > .5).astype(float)"


@pytest.mark.parametrize(
    ("slope", "others"),
    [("(1 - h * h)", []), ("(h * (1 - h))", ["derivative_of_other_activation"])],
)
def test_labels_that_spread_in_the_loss_and_not_in_the_gradient_are_found(slope, others):
    answer = of_text(net(labels=FLAT, grads_data="X, Y[:, None]", slope=slope))
    assert (answer.kind, words(answer)) == ("gradient", ["label_shape_broadcast", *others])
    assert answer.model.hidden == ("tanh",)


ALL_WITH_ALL = """
import numpy as np
r = np.random.RandomState(3)
X = r.randn(12, 3); Y = X[:, 0] ** 2
params = dict(W1=r.randn(3, 8) * .5, b1=np.zeros(8), W2=r.randn(8, 1) * .5, b2=np.zeros(1))
def f(p, X): h = np.tanh(X @ p["W1"] + p["b1"]); return h, h @ p["W2"] + p["b2"]
def loss(p, X, Y): return float(np.mean((f(p, X)[1] - Y) ** 2))
def grads(p, X, Y):
    h, o = f(p, X); all_ = 2 * (o - Y) / len(X); d = all_.sum(1, keepdims=True)
    dh = d @ p["W2"].T * (1 - h * h)
    return dict(W1=X.T @ dh, b1=dh.sum(0), W2=h.T @ d, b2=d.sum(0))
"""


def test_labels_that_spread_are_named_beside_what_else_is_wrong():
    assert words(of_text(ALL_WITH_ALL)) == ["missing_batch_mean", "label_shape_broadcast"]


def test_a_gradient_with_a_column_for_every_sample_is_traced_to_the_labels(tmp_path):
    path = tmp_path / "net.py"
    path.write_text(ALL_WITH_ALL.replace("W2=h.T @ d,", "W2=h.T @ all_,"), encoding="utf-8")
    error = diagnose_file(str(path)).error
    assert error.startswith(
        "`grads['W2']` must have the shape of params['W2'], (8, 1); got (8, 12)"
    )
    assert error.endswith("Reshape the labels to (m, 1).")


def test_arrays_may_stand_from_the_output_down():
    square = np.zeros((5, 5))
    params = {"out": np.zeros((5, 1)), "out_b": np.zeros(1), "second": square, "second_b":
              np.zeros(5), "first": square, "first_b": np.zeros(5)}  # fmt: skip
    likely = itertools.islice(layouts(params, np.zeros((20, 5)), np.zeros((20, 1))), 12)
    ways = [[(layer.W.name, layer.b and layer.b.name) for layer in way.layers] for way in likely]
    assert [("first", "first_b"), ("second", "second_b"), ("out", "out_b")] in ways
