"""Many samples: a part of them stands for all, unless the program is something else on a part."""

import numpy as np
import pytest
from subjects.asked import of_text, subject_of, words, wrong

from diagnosis import few_samples, wrong_gradient
from diagnosis.diagnose import examine, quiet
from diagnosis.model import read

SAMPLES = 400
NET = """
import numpy as np
rng = np.random.RandomState(0)
N = {samples}
X, Y = rng.randn(N, 5), np.eye(3)[np.sort(rng.randint(0, 3, N))]
params = dict(W1=rng.randn(5, 6), b1=0.1 * rng.randn(6), W2=rng.randn(6, 3), b2=0.1 * rng.randn(3))
def forward(p, X):
    a = np.tanh(X @ p["W1"] + p["b1"])
    e = np.exp(a @ p["W2"] + p["b2"])
    return a, e / e.sum(1, keepdims=True)
def loss(p, X, Y):
    return -np.sum(Y * np.log(forward(p, X)[1])) / {loss_m}
def grads(p, X, Y):
    a, o = forward(p, X)
    d = (o - Y) / {grads_m}
    h = d @ p["W2"].T * {slope}
    return dict(W1=X.T @ h, b1=h.sum(0), W2=a.T @ d, b2=d.sum(0))
"""
HIDDEN = ["missing_hidden_derivative"]
RIGHT = {"samples": SAMPLES, "loss_m": "len(X)", "grads_m": "len(X)", "slope": "(1 - a**2)"}


@pytest.fixture
def slow(monkeypatch):
    """Take every loss for one that takes long."""
    monkeypatch.setattr(few_samples, "LONG", -1.0)


def text(**changes):
    return NET.format(**RIGHT | changes)


@pytest.mark.parametrize("samples", [50, SAMPLES])
def test_a_part_is_taken_of_many_samples_of_a_long_loss_only(samples, monkeypatch):
    subject = subject_of(text(samples=samples))
    assert not few_samples.takes_long(subject)
    monkeypatch.setattr(few_samples, "LONG", -1.0)
    assert few_samples.takes_long(subject) == (samples == SAMPLES)
    part = few_samples.part_of(subject)
    if samples != SAMPLES:
        assert part is None
        return
    assert (part.samples, part.of) == (53, SAMPLES)
    assert part.subject.X.shape == (53, 5)
    # Evenly spread: data are sorted by class here, and all three are there.
    assert set(np.argmax(part.subject.Y, axis=1)) == {0, 1, 2}
    assert subject.X.shape == (SAMPLES, 5)


@pytest.mark.parametrize(
    ("changes", "expected", "arrays"),
    [
        ({}, [], []),
        ({"grads_m": "1"}, ["missing_batch_mean"], ["W1", "b1", "W2", "b2"]),
        ({"grads_m": "len(X) ** 2"}, ["extra_batch_mean"], ["W1", "b1", "W2", "b2"]),
        ({"slope": "(1 - a)"}, ["unexplained"], ["W1", "b1"]),
        ({"slope": "1"}, HIDDEN, ["W1", "b1"]),
        # The program's own number of samples, on one side or on both.
        ({"grads_m": "N"}, [], []),
        ({"loss_m": "N"}, [], []),
        ({"loss_m": "N", "grads_m": "N", "slope": "1"}, HIDDEN, ["W1", "b1"]),
        ({"grads_m": "N", "slope": "1"}, HIDDEN, ["W1", "b1"]),
        ({"grads_m": "len(X) * (1 + o**2)"}, ["unexplained"], ["W1", "b1", "W2", "b2"]),
        ({"grads_m": "-len(X)"}, ["sign_error"], ["W1", "b1", "W2", "b2"]),
    ],
)  # fmt: skip
def test_what_a_part_shows_is_what_all_samples_show(changes, expected, arrays, slow):
    answer = of_text(text(**changes))
    assert (words(answer), wrong(answer)) == (expected, arrays)
    assert any("53 of them" in note for note in answer.notes)
    assert answer.samples == SAMPLES
    assert next(iter(answer.model.factors)) == SAMPLES


def test_the_model_of_all_samples_has_their_loss(slow):
    for changes in ({}, {"loss_m": "1", "grads_m": "1"}, {"loss_m": "N", "grads_m": "N"}):
        subject = subject_of(text(**changes))
        model = of_text(text(**changes)).model
        point = subject.start
        value = model.value(read(model.layout, [point]))[0]
        assert np.isclose(value, subject.losses([point])[0], rtol=1e-9)


def test_a_program_with_arrays_of_all_samples_is_looked_at_on_all(slow):
    own = text(slope="1").replace("np.tanh(X @", "np.tanh(0 * np.zeros((N, 6)) + X @")
    answer = of_text(own)
    assert (words(answer), wrong(answer)) == (["missing_hidden_derivative"], ["W1", "b1"])
    assert any("hand over a few dozen" in note for note in answer.notes)


def test_a_program_that_uses_its_own_data_is_looked_at_on_all(slow):
    own = text(slope="1").replace("def loss(p, X, Y):", "def loss(p, _, __):")
    answer = of_text(own)
    assert wrong(answer) == ["W1", "b1"]
    assert any("hand over a few dozen" in note for note in answer.notes)


def test_where_no_array_is_right_a_number_of_all_samples_is_no_mistake_of_a_part(slow, monkeypatch):
    answer = of_text(text(grads_m="N ** 2"))
    monkeypatch.setattr(few_samples, "LONG", np.inf)
    assert words(answer) == words(of_text(text(grads_m="N ** 2")))
    assert any("hand over a few dozen" in note for note in answer.notes)


def test_a_mistake_of_all_samples_alone_is_not_lost_on_a_part(slow):
    """Rows after the hundredth are left out of the gradient."""
    own = text().replace("return dict(W1=X.T @ h", "return dict(W1=X[:100].T @ h[:100]")
    answer = of_text(own)
    assert (answer.kind, wrong(answer)) == ("gradient", ["W1"])


@pytest.mark.parametrize("used", ["100", "N - 1"])
def test_rows_left_out_of_all_arrays_are_not_lost_on_a_part(used, slow):
    """On a part all its rows are used, and all arrays are right."""
    left = text().replace("a, o = forward(p, X)\n    d", f"X, Y = X[:{used}], Y[:{used}]\n    d")
    left = left.replace("d = (o", "a, o = forward(p, X)\n    d = (o")
    answer = of_text(left)
    assert (answer.kind, wrong(answer)) == ("gradient", ["W1", "b1", "W2", "b2"])


def penalized(loss, grads, **changes):
    made = text(**changes).replace("dict(W1=X.T @ h", f"dict(W1=X.T @ h + {grads} * p['W1']")
    end = f"/ {changes.get('loss_m', 'len(X)')}\n"
    assert end in made
    return made.replace(end, f"{end[:-1]} + {loss} * np.sum(p['W1']**2)\n", 1)


@pytest.mark.parametrize(
    ("loss", "grads", "changes"),
    [
        # On a part the penalty is another one in the gradient than in the loss: little of either.
        ("0.0005 / len(X)", "0.001 / N", {}),
        # On a part the gradient is a share of the loss's but for its penalty.
        ("0.5e-5", "1e-5", {"grads_m": "N"}),
        ("0.005 / len(X)", "0.01 / len(X)", {}),
        ("0.005", "0.01", {}),
        ("0.005 / N", "0.01 / N", {"loss_m": "N", "grads_m": "N"}),
    ],
)
def test_a_right_program_with_a_penalty_is_right(loss, grads, changes, slow):
    program = penalized(loss, grads, **changes)
    answer = of_text(program)
    assert (answer.kind, wrong(answer)) == ("healthy", [])
    subject = subject_of(program)
    point = subject.start
    value = answer.model.value(read(answer.model.layout, [point]))[0]
    assert np.isclose(value, subject.losses([point])[0], rtol=1e-9)
    assert answer.samples == SAMPLES


def test_samples_in_columns_and_labels_in_a_row(slow):
    columns = text().replace("X, Y = rng.randn(N, 5)", "X, Y = rng.randn(5, N)")
    columns = columns.replace("def loss(p, X, Y):", "def loss(p, X, Y):\n    X = X.T")
    columns = columns.replace("def grads(p, X, Y):", "def grads(p, X, Y):\n    X = X.T")
    part = few_samples.part_of(subject_of(columns))
    assert part.subject.X.shape == (5, 53)
    assert part.subject.Y.shape == (53, 3)


ONLINE = """
import numpy as np
rng = np.random.RandomState(0)
X = rng.randn(200, 3)
Y = np.stack([X[:, 0] * X[:, 1] > 0, X[:, 2] > 0], 1) * 1.0
params = dict(W1=rng.randn(5, 3), b1=rng.randn(5), W2=rng.randn(2, 5), b2=rng.randn(2))
s = lambda z: 1 / (1 + np.exp(-z))
def forward(p, x):
    h = s(p["W1"] @ x + p["b1"])
    return h, s(p["W2"] @ h + p["b2"])
def loss(p, X, Y):
    return np.mean([0.5 * np.sum((forward(p, x)[1] - y) ** 2) for x, y in zip(X, Y)])
def grads(p, X, Y):
    q = {k: v.copy() for k, v in p.items()}
    for x, y in zip(X, Y):
        h, o = forward(q, x)
        d = (o - y) * o * (1 - o)
        e = q["W2"].T @ d * h * (1 - h)
        q["W2"] -= 0.3 * np.outer(d, h); q["b2"] -= 0.3 * d
        q["W1"] -= 0.3 * np.outer(e, x); q["b1"] -= 0.3 * e
    return {k: (p[k] - q[k]) / 0.3 for k in p}
"""


def test_two_hundred_single_steps_are_right_whatever_their_sum_is():
    answer = of_text(ONLINE)
    assert (answer.kind, wrong(answer), answer.each_sample) == ("healthy", [], True)
    assert any("with a rate of 0.3;" in effect for effect in answer.side_effects)


def test_two_hundred_single_steps_along_a_wrong_slope_are_wrong():
    answer = of_text(ONLINE.replace("* h * (1 - h)\n", "* h\n"))
    assert (answer.kind, answer.each_sample) == ("gradient", False)


def test_samples_too_many_for_memory_are_not_searched(monkeypatch):
    monkeypatch.setattr(wrong_gradient, "LARGEST", 1)
    answer = of_text(text(slope="1"))
    assert (words(answer), wrong(answer)) == (["unexplained"], ["W1", "b1"])
    assert any("too many samples to look for the mistake" in note for note in answer.notes)


def test_a_bias_that_is_as_wrong_as_its_weights_has_no_mistake_of_its_own(monkeypatch):
    monkeypatch.setattr(wrong_gradient, "LARGEST", 1)
    monkeypatch.setattr(wrong_gradient, "MANY", 1)
    answer = of_text(text(slope="a", grads_m="1", samples=50))
    assert {f.defect: f.arrays for f in answer.findings} == {
        "unexplained": ("W1", "b1"),
        "missing_batch_mean": ("W2", "b2"),
    }


def test_weights_of_classes_are_said_of_all_samples(slow):
    """Each part has other weights, which are those of its classes."""
    weighted = text().replace("Y * np.log", "len(Y) / (3 * Y.sum(0)) * Y * np.log")
    weighted = weighted.replace(
        "d = (o - Y)", "w = Y @ (len(Y) / (3 * Y.sum(0)))\n    d = w[:, None] * (o - Y)"
    )
    answer = of_text(weighted)
    assert (answer.kind, wrong(answer)) == ("healthy", [])
    assert "weighted by class over 400 rows" in str(answer)


@pytest.mark.parametrize("left", ["X, Y = X[:N // 2], Y[:N // 2]", "pass"])
def test_a_loss_rounded_to_float32_tells_too_little_of_a_part(left, slow):
    rounded = text().replace("return -np.sum(Y", "return np.float32(-np.sum(Y")
    rounded = rounded.replace(
        "/ len(X)\ndef grads(p, X, Y):", f"/ len(X))\ndef grads(p, X, Y):\n    {left}"
    )
    answer = of_text(rounded)
    assert answer.kind == ("healthy" if left == "pass" else "gradient")
    assert any("hand over a few dozen" in note for note in answer.notes)


def test_rows_left_out_beside_another_mistake_are_not_lost_on_a_part(slow):
    program = text().replace(
        "def grads(p, X, Y):", "def grads(p, X, Y):\n    X, Y = X[:N // 2], Y[:N // 2]"
    )
    answer = of_text(program.replace("(o - Y)", "(o - Y) * o * (1 - o)"))
    assert wrong(answer) == ["W1", "b1", "W2", "b2"]
    assert words(answer) != ["softmax_extra_derivative"]
    assert not any("53 of them" in note for note in answer.notes)


def test_a_mistake_of_the_output_alone_is_found_on_a_part(slow):
    answer = of_text(text().replace("(o - Y)", "(o - Y) * o * (1 - o)"))
    assert words(answer) == ["softmax_extra_derivative"]
    assert any("53 of them" in note for note in answer.notes)


def test_steps_of_a_sum_are_as_short_as_all_samples_need(slow):
    """A rate that is best on a part makes a sum of eight times as many terms diverge."""
    sums = {"loss_m": "1", "grads_m": "1", "slope": "1"}
    curves = of_text(text(**sums), fix=True).curves
    assert curves.on_a_part
    assert curves.mended[-1] < 0.9 * curves.mended[0]
    assert np.max(curves.mended) < 1.5 * curves.mended[0]


def test_steps_of_a_diagnosis_are_told():
    told = []
    examine(subject_of(text(slope="1")), fix=True, tell=told.append)
    assert told == [
        "checking the gradient",
        "looking for the network",
        "looking for the mistakes",
        "training with the true gradient",
    ]
    assert quiet("nothing") is None
