"""What the check of arrays may claim: neither an acquittal nor an accusation that was not seen."""

import numpy as np
import pytest
from subjects import truth, writer
from subjects.asked import of_text

from diagnosis import diagnose, report

BASE = """
import numpy as np
rng = np.random.default_rng(1)
X = rng.standard_normal((2, 60)); Y = (X[:1] * X[1:] > 0).astype(float)
params = {"W1": rng.standard_normal((6, 2)), "b1": np.zeros((6, 1)),
          "W2": rng.standard_normal((1, 6)), "b2": np.zeros((1, 1))}
def forward(p, X):
    z1 = p["W1"] @ X + p["b1"]; a1 = np.tanh(z1); z2 = p["W2"] @ a1 + p["b2"]
    return z1, a1, z2, 1 / (1 + np.exp(-z2))
def back(p, X, d2, slope=lambda z, a: 1 - a**2):
    z1, a1 = forward(p, X)[:2]; d1 = p["W2"].T @ d2 * slope(z1, a1)
    return {"W1": d1 @ X.T, "b1": d1.sum(1, keepdims=True),
            "W2": d2 @ a1.T, "b2": d2.sum(1, keepdims=True)}
def entropy(p, X, Y):
    a = forward(p, X)[3]; return float(-np.mean(Y * np.log(a) + (1 - Y) * np.log(1 - a)))
def true(p, X, Y): return back(p, X, (forward(p, X)[3] - Y) / X.shape[1])
loss, grads = entropy, true
"""
REGRESSION = """
def loss(p, X, Y): return 0.5 * float(np.mean((forward(p, X)[2] - Y) ** 2))
def grads(p, X, Y): return back(p, X, (forward(p, X)[2] - Y) / X.shape[1])
"""
FLOAT32 = """
params = {k: v.astype(np.float32) for k, v in params.items()}
def cut(p, X): return {k: np.asarray(v, np.float32) for k, v in p.items()}, X.astype(np.float32)
def loss(p, X, Y):
    a = forward(*cut(p, X))[3]; Y = Y.astype(np.float32)
    return float(-np.mean(Y * np.log(a) + (1 - Y) * np.log(1 - a)))
def grads(p, X, Y):
    p, X = cut(p, X); d = (forward(p, X)[3] - Y.astype(np.float32)) / np.float32(60 + MORE)
    return {k: v.astype(np.float32) for k, v in back(p, X, d).items()}
"""


def scaled(loss, grads):
    """Return BASE with another loss and gradient, in terms of the right ones."""
    return f"""
def loss(p, X, Y): L = entropy(p, X, Y); return {loss}
def grads(p, X, Y):
    g = true(p, X, Y); return {grads}
"""


def each(value):
    return f"{{k: {value} for k, v in g.items()}}"


ONE_NAN = "np.where((v == v.max()) & (p['b1'][0] > 0), np.nan, v)"
WHOLE = "np.sqrt(sum((w**2).sum() for w in g.values()))"
ALL = {"W1", "b1", "W2", "b2"}


def answer_to(more):
    return of_text(BASE + more)


def arrays(answer, verdict):
    return {name for name, check in answer.checks.items() if check.verdict == verdict}


TINY = """
def loss(p, X, Y): return 0.5 * float(np.mean((1e-7 * forward(p, X)[2] - 1e-7 * X[:1]) ** 2))
def grads(p, X, Y):
    d = 1e-7 * (1e-7 * forward(p, X)[2] - 1e-7 * X[:1]) / 60
    return back(p, X, d, slope=lambda z, a: 1)
"""


@pytest.mark.parametrize(
    ("more", "wrong"),
    [
        pytest.param(scaled("L", each("1e-9 * np.sign(v)")), ALL, id="signs"),
        pytest.param(scaled("1e-12 * L", each("3e-12 * v")), ALL, id="tiny loss"),
        pytest.param(scaled("1e6 + L", each("1.01 * v")), ALL, id="loss with an offset"),
        pytest.param(scaled("1e200 * L", each("1.01e200 * v")), ALL, id="huge loss"),
        pytest.param(FLOAT32.replace("MORE", "-1"), ALL, id="m - 1 in float32"),
        pytest.param(TINY, {"W1", "b1"}, id="tiny outputs"),
        pytest.param(scaled("L", each(ONE_NAN)), ALL, id="one NaN"),
    ],
)
def test_a_wrong_gradient_is_called_wrong_whatever_the_size_of_the_loss(more, wrong):
    answer = answer_to(more)
    assert (answer.kind, arrays(answer, "wrong")) == ("gradient", wrong)


@pytest.mark.parametrize(
    "more",
    [
        pytest.param(
            scaled("1e200 * L", each("1e200 * v")), id="huge loss", marks=pytest.mark.campaign
        ),
        pytest.param(scaled("1e-12 * L", each("1e-12 * v")), id="tiny loss"),
        pytest.param(scaled("1e6 + L", "g"), id="loss with an offset", marks=pytest.mark.campaign),
        pytest.param(FLOAT32.replace("MORE", "0"), id="float32"),
        pytest.param("\nY = 1e9 * rng.random((1, 60))" + REGRESSION, id="targets of 1e9"),
        pytest.param("\nY = 1.7e9 + 1e7 * rng.random((1, 60))" + REGRESSION, id="times"),
        pytest.param("\nY = 3e8 * rng.standard_normal((1, 60))" + REGRESSION, id="of both signs"),
    ],
)
def test_a_right_gradient_is_called_right_whatever_the_size_of_the_loss(more):
    answer = answer_to(more)
    assert (answer.kind, arrays(answer, "ok")) == ("healthy", ALL)
    assert max(check.error for check in answer.checks.values()) < 1e-4
    assert report.headline(answer) == report.KINDS["healthy"]


@pytest.mark.parametrize("more", ["1e8 * rng.random((1, 60))", "1e9 * rng.random((1, 60))"])
def test_of_huge_targets_no_other_network_is_invented(more):
    answer = answer_to(f"\nY = {more}" + REGRESSION)
    assert (answer.model.hidden, answer.model.output_name) == (("tanh",), "identity")


def test_where_rounding_hides_the_variation_no_network_is_named():
    answer = answer_to("\nY = 1e14 * rng.random((1, 60))" + REGRESSION)
    assert answer.model is None
    assert answer.kind != "gradient"


@pytest.mark.parametrize(
    ("grads", "said"),
    [
        (each(f"v * min(1, 1e-3 / {WHOLE})"), "norm is clipped or normalized to 0.001"),
        (each(f"v / {WHOLE}"), "norm is normalized to 1"),
        (each("v * min(1, 1e-3 / np.linalg.norm(v))"), "norm of each array is clipped or norm"),
        (each("np.clip(v, -0.05, 0.05)"), "entries are clipped to [-0.05, 0.05]"),
    ],
)
def test_a_clipped_gradient_is_no_derivative_and_no_mistake(grads, said):
    answer = answer_to(scaled("L", grads))
    clipped = arrays(answer, "clipped")
    assert (answer.kind, answer.findings) == ("healthy", [])
    assert min(answer.checks[name].error for name in clipped) > 0.01
    assert said in report.headline(answer)
    assert "is the derivative" not in report.text(answer)


def test_a_clipped_gradient_may_be_wrong_besides():
    wrong = "\ng0 = lambda p, X, Y: back(p, X, (forward(p, X)[3] - Y) / 60, lambda z, a: 1 - z**2)"
    grads = "{k: np.clip(v, -1e-2, 1e-2) for k, v in g0(p, X, Y).items()}"
    assert answer_to(wrong + scaled("L", grads)).kind == "gradient"


def test_signs_are_told():
    notes = answer_to(scaled("L", each("1e-3 * np.sign(v)"))).notes
    assert any("0.001 or minus that: signs" in note for note in notes)


@pytest.mark.parametrize(
    ("more", "empty"),
    [
        (scaled("L", each("0 * v")), ALL),
        (REGRESSION + "def grads(p, X, Y): return {k: 0 * v for k, v in p.items()}", ALL),
        (scaled("L", "{**g, 'W2': 0 * g['W2'], 'b2': 0 * g['b2']}"), {"W2", "b2"}),
        (scaled("L * abs(L)**.1", each("0 * v")), ALL),
    ],
)
def test_zeros_are_told_and_not_explained(more, empty):
    answer = answer_to(more)
    assert [f.defect for f in answer.findings] == ["unexplained"]
    assert arrays(answer, "wrong") == empty
    assert "0 everywhere" in answer.findings[0].why


def test_a_sum_that_cancels_is_explained_though_it_is_next_to_nothing():
    more = """
Y = np.eye(3)[rng.integers(3, size=60)].T
params |= {"W2": rng.standard_normal((3, 6)), "b2": np.zeros((3, 1))}
def softmax(z): e = np.exp(z - z.max(0)); return e / e.sum(0)
def loss(p, X, Y): return -float(np.mean(np.sum(Y * np.log(softmax(forward(p, X)[2])), 0)))
def grads(p, X, Y):
    d = (softmax(forward(p, X)[2]) - Y) / X.shape[1]; return {**back(p, X, d), "b2": d.sum()}
"""
    assert [f.defect for f in answer_to(more).findings] == ["bias_grad_missing_axis"]


HIDDEN = (
    "\ndef grads(p, X, Y): return back(p, X, (forward(p, X)[3] - Y) / len(X.T), lambda z, a: SLOPE)"
)


@pytest.mark.parametrize(
    ("slope", "said"),
    [
        ("0.5 * (1 - a**2)", "0.5 times what comes from the layer above"),
        ("3 * (1 - a**2)", "3 times what comes from the layer above"),
        ("1 - a", "1 - a stands in the place of the slope 1 - a^2"),
        ("(1 - a)**2", "(1 - a)^2 stands in the place of the slope 1 - a^2"),
        ("1 + a**2", "1 + a^2 stands in the place of the slope 1 - a^2"),
    ],
)
def test_a_slope_of_no_word_is_told_as_it_is(slope, said):
    answer = answer_to(HIDDEN.replace("SLOPE", slope))
    assert [f.defect for f in answer.findings] == ["unexplained"]
    assert arrays(answer, "wrong") == {"W1", "b1"}
    assert said in answer.findings[0].why


NOISY = """
def loss(p, X, Y): L = entropy(p, X, Y); return L + 1e-3 * np.sin(1e9 * p["W1"].sum() * L)
"""


def test_what_noise_hides_is_not_called_the_derivative():
    answer = answer_to(NOISY)
    assert answer.kind in ("healthy", "unknown")
    assert report.headline(answer) != report.KINDS["healthy"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            '\nY = np.array([["a", "b"] * 30])',
            "`Y` must be an array of numbers; got dtype <U1. Put",
        ),
        (scaled("L", each("v.astype(complex)")), "got dtype complex128. Where the imaginary part"),
    ],
)
def test_what_is_no_real_number_is_named_with_its_type(more, said):
    assert said in answer_to(more).error


def test_a_json_answer_says_what_was_not_checked():
    answer = answer_to(NOISY.replace("1e-3", "1e-1"))
    checks = answer.as_dict()["gradcheck"]
    assert answer.status == 2
    assert all(not c["ok"] for c in checks.values() if c["verdict"] == "not checked")
    assert np.isfinite([c.error for c in answer.checks.values()]).all()


# Small gradients below saturated outputs, a sum that cancels, and losses that stay on one step of
# float32 over all close points.
@pytest.mark.parametrize("seed", [6, 32, 29, 39])
def test_right_programs_computed_in_float32_are_called_right(seed):
    names = truth.module(writer.write(writer_net(900_000 + 7 * seed)))

    def single(value):
        return np.asarray(value, np.float32)

    def of(p):
        return {name: single(a) for name, a in p.items()}

    answer = diagnose(
        of(names["params"]),
        single(names["X"]),
        single(names["Y"]),
        lambda p, X, Y: float(single(names["loss"](of(p), single(X), single(Y)))),
        lambda p, X, Y: of(names["grads"](of(p), single(X), single(Y))),
    )
    assert (answer.kind, arrays(answer, "wrong")) == ("healthy", set())


def writer_net(seed):
    return writer.make_net(np.random.default_rng(seed))
