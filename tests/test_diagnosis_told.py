"""What a reader is told: repairs that fit, one word for one mistake, nothing twice, hints."""

import re
import shlex

import pytest
from subjects import odd
from subjects.asked import of_text

import diagnose as entry
from diagnosis import Answer, diagnose_file, report
from diagnosis.template import TEMPLATE
from tests.conftest import ROOT

# Twelve samples in rows, one hidden layer of tanh, a sigmoid output, squared error.
NET = """
import numpy as np
rng = np.random.RandomState(0)
m = 12
X = rng.randn(m, 3); Y = rng.rand(m, 2)
params = dict(W1=rng.randn(3, 5) * .7, b1=np.zeros(5), W2=rng.randn(5, 2) * .7, b2=np.zeros(2))
def fwd(p, X):
    h = np.tanh(X @ p["W1"] + p["b1"])
    return h, 1 / (1 + np.exp(-(h @ p["W2"] + p["b2"])))
def loss(p, X, Y):
    {own_m}
    return float(.5 * np.sum((fwd(p, X)[1] - Y) ** 2) / {loss_by})
def grads(p, X, Y):
    m = len(X)
    h, o = fwd(p, X)
    d2 = (o - Y) * o * (1 - o) / {delta_by}
    d1 = d2 @ p["W2"].T * (1 - h * h)
    return dict(W1=X.T @ d1 / {grad_by}, b1={b1}, W2=h.T @ d2 / {grad_by}, b2={b2})
"""


def net(bias, *, loss_by="1", delta_by="1", grad_by="1", own_m="m = len(X)"):
    """Return a program whose db are `bias` of the deltas."""
    return NET.format(
        loss_by=loss_by, delta_by=delta_by, grad_by=grad_by, own_m=own_m,
        b1=bias.replace("delta", "d1"), b2=bias.replace("delta", "d2"),
    )  # fmt: skip


SUMMED = {}
MEAN_IN_DELTA = {"loss_by": "m", "delta_by": "m"}
MEAN_IN_GRADS = {"loss_by": "m", "grad_by": "m"}


@pytest.mark.parametrize(
    ("bias", "where", "repair", "mended"),
    [
        (
            "delta.mean(axis=0)",
            SUMMED,
            "Sum delta over samples where the mean is taken.",
            "delta.sum(axis=0)",
        ),
        (
            "m * delta.sum(axis=0)",
            SUMMED,
            "Sum delta over samples, without a factor of m.",
            "delta.sum(axis=0)",
        ),
        (
            "delta.sum(axis=0)",
            MEAN_IN_GRADS,
            "Divide the sum of delta by m, once, as the loss does.",
            "delta.sum(axis=0) / m",
        ),
        (
            "delta.mean(axis=0)",
            MEAN_IN_DELTA,
            "Sum delta over samples if it holds the 1/m already; else take its mean.",
            "delta.sum(axis=0)",
        ),
    ],
)
def test_the_repair_of_a_bias_goes_the_way_the_bias_errs(bias, where, repair, mended):
    [finding] = of_text(net(bias, **where)).findings
    assert finding.defect == "bias_grad_mean_instead_of_sum"
    assert finding.fix == finding.as_dict()["fix"] == repair
    # What the repair says, done by hand.
    assert of_text(net(mended, **where)).kind == "healthy"


@pytest.mark.parametrize(
    ("where", "mended"),
    [
        (SUMMED, "np.sum(delta, axis=0)"),
        (MEAN_IN_DELTA, "np.sum(delta, axis=0)"),
        (MEAN_IN_GRADS, "np.mean(delta, axis=0)"),
    ],
)
def test_a_mean_without_an_axis_is_one_mistake(where, mended):
    [finding] = of_text(net("np.mean(delta)", **where)).findings
    assert (finding.defect, finding.arrays) == ("bias_grad_missing_axis", ("b1", "b2"))
    assert finding.evidence == "Here, it is a mean without an axis."
    assert ("sum or mean" in finding.fix) == ("mean" in mended)
    assert of_text(net(mended, **where)).kind == "healthy"


def test_a_sum_without_an_axis_that_also_lacks_the_mean_is_two():
    answer = of_text(net("np.sum(delta)", **MEAN_IN_GRADS))
    assert [f.defect for f in answer.findings] == [
        "bias_grad_missing_axis",
        "bias_grad_mean_instead_of_sum",
    ]


def test_a_number_of_samples_written_into_the_loss_hides_no_mistake():
    answer = of_text(net("delta.sum(axis=0)", own_m="pass", **MEAN_IN_GRADS))
    [finding] = answer.findings
    assert finding.defect == "bias_grad_mean_instead_of_sum"
    assert finding.fix == "Divide the gradient of the bias by m."
    assert "summed over 12 rows, times 0.5/12" in report.text(answer)


CONVOLUTION = odd.SUBJECTS["conv"].text
FACTS = {
    # 10 samples of 8 inputs; a convolution is no network that is known.
    "all ten times": ("(o-Y)/len(X)", "o-Y", "missing_batch_mean", ("K", "c", "W", "b"), ""),
    "all twice": ("(o-Y)/len(X)", "2*(o-Y)/len(X)", "loss_gradient_mismatch",
                  ("K", "c", "W", "b"), ""),
    "one twice": ("W=a.T@g", "W=2*a.T@g", "unexplained", ("W",), ""),
    "one eight times": ("W=a.T@g", "W=8*a.T@g", "unexplained", ("W",), ""),
    "a mean": ("b=g.sum(0)", "b=g.mean(0)", "bias_grad_mean_instead_of_sum", ("b",),
               "Sum delta over samples where the mean is taken."),
    "a sum": ("b=g.sum(0)", "b=10*g.sum(0)", "bias_grad_mean_instead_of_sum", ("b",),
              "Divide the gradient of the bias by m."),
}  # fmt: skip


@pytest.mark.parametrize("name", FACTS)
def test_without_a_model_one_factor_is_named_if_it_can_only_mean_one_thing(name):
    right, wrong, word, arrays, repair = FACTS[name]
    assert CONVOLUTION.count(right) == 1
    answer = of_text(CONVOLUTION.replace(right, wrong))
    assert answer.model is None
    [finding] = answer.findings
    assert (finding.defect, finding.arrays, finding.repair) == (word, arrays, repair)


def test_the_delta_of_half_the_squared_error_is_that_of_another_loss():
    # (a - y) a (1 - a) beside a cross-entropy: half of what squared error gives, and the right
    # delta with one more slope.
    text = net("delta.sum(0)", delta_by="1").replace("rng.rand(m, 2)", "1. * (rng.rand(m, 2) > .5)")
    entropy = "-np.sum(Y * np.log(fwd(p, X)[1]) + (1 - Y) * np.log(1 - fwd(p, X)[1]))"
    answer = of_text(text.replace(".5 * np.sum((fwd(p, X)[1] - Y) ** 2)", entropy))
    (finding,) = answer.findings
    assert finding.defect == "loss_gradient_mismatch"
    assert "the delta of squared error" in finding.why
    assert [a.defects for a in finding.alternatives] == [("derivative_of_other_activation",)]


def test_a_bias_that_errs_by_m_and_two_does_not_accuse_the_loss():
    answer = of_text(net("2 * delta.sum(axis=0)", **MEAN_IN_GRADS))
    assert {f.defect for f in answer.findings} == {
        "bias_grad_mean_instead_of_sum",
        "bias_grad_wrong_formula",
    }


@pytest.mark.parametrize(
    "name", ["huber_pre", "dropout_bad", "bn_bad", "conv_bad", "zero_init", "lr_large", "relu_out"]
)
def test_nothing_is_said_twice(name):
    said = report.text(of_text(odd.SUBJECTS[name].text)).split("\n", 2)[2]
    sentences = re.split(r"(?<=[.;:])\s+", " ".join(said.split()))
    assert len(sentences) > 3
    assert len(sentences) == len(set(sentences))


def test_several_findings_say_once_how_exactly_they_agree():
    said = report.text(of_text(net("np.sum(delta)", **MEAN_IN_GRADS)))
    assert len(re.findall(r"With these 2 changes together in a model of your network", said)) == 1


def test_the_first_sentence_is_the_verdict():
    assert report.headline(Answer("x", "gradient")) == (
        "Your gradient is wrong: what grads returns is not the derivative of your loss."
    )
    assert report.headline(Answer("x", "healthy")) == (
        "Nothing wrong found: what grads returns is the derivative of your loss."
    )
    steps = of_text(odd.SUBJECTS["online"].text)
    assert report.headline(steps) == (
        "Nothing wrong found: the steps that your program takes after each sample are right."
    )


@pytest.mark.parametrize(
    ("bias", "shapes"),
    [
        ("delta.sum(axis=0, keepdims=True)", ["(1, 5)", "(1, 2)"]),
        ("delta.sum(axis=0)[:, None]", ["(5, 5)", "(2, 2)"]),
    ],
)
def test_a_gradient_whose_shape_would_spread_over_the_parameter_is_told(bias, shapes):
    answer = of_text(net(bias))
    own = [("b1", "(5,)"), ("b2", "(2,)")]
    assert answer.kind == "healthy"
    assert [e.partition(" has the shape ")[0] for e in answer.side_effects] == [
        "grads['b1']",
        "grads['b2']",
    ]
    for effect, (name, shape), stepped in zip(answer.side_effects, own, shapes, strict=True):
        assert f"params['{name}'] the shape {shape}" in effect
        assert effect.endswith(f"params['{name}'] - lr * grads['{name}'] has the shape {stepped}")


@pytest.mark.parametrize("bias", ["delta.sum(axis=0)", "np.asarray(delta.sum(axis=0)).tolist()"])
def test_a_gradient_of_the_right_shape_is_not_remarked(bias):
    assert of_text(net(bias)).side_effects == []


def test_the_template_asks_for_what_is_still_to_be_filled_in(tmp_path):
    path = tmp_path / "net.py"

    def told(text):
        path.write_text(text, encoding="utf-8")
        answer = diagnose_file(str(path))
        assert answer.status == 2
        return answer.error

    assert told(TEMPLATE).startswith("Fill in params, X and Y: put your own arrays")
    data = TEMPLATE.replace("X = ...", "X = np.ones((3, 2))")
    assert told(data).startswith("Fill in params and Y: ")
    data = data.replace("Y = ...", "Y = np.ones(3); params['w'] = np.ones(2)")
    assert told(data) == "Fill in loss: let it call your own code, as its comments show."
    gap = "    raise NotImplementedError"
    loss = data.replace(gap, "    return float(np.sum(X @ params['w'] - Y))", 1)
    assert told(loss) == "Fill in grads: let it call your own code, as its comments show."


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("f32", "nothing to repair in the gradient, so no repaired training is shown"),
        (
            "conv_bad",
            "no repaired training is shown: it needs the true gradient, and your network is none "
            "of those known",
        ),
    ],
)
def test_fix_says_why_there_is_no_repaired_training(name, why):
    text = odd.SUBJECTS[name].text
    assert why in of_text(text, fix=True).notes
    assert why not in of_text(text).notes


def test_options_are_not_abbreviated(capsys):
    with pytest.raises(SystemExit) as ended:
        entry.main(["--js"])
    assert ended.value.code == 2
    assert "unrecognized arguments: --js" in capsys.readouterr().err


PAGE = (ROOT / "docs" / "diagnose.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"```text\n\$ python diagnose\.py (.*)\n((?:.*\n)*?)```", PAGE)


@pytest.mark.parametrize(("arguments", "printed"), SHOWN, ids=[a for a, _ in SHOWN])
def test_the_page_shows_what_is_printed_today(arguments, printed, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    entry.main(shlex.split(arguments))

    def plain(text):
        # What is left to rounding differs from machine to machine.
        return re.sub(r"\d(\.\d+)?e-1\d", "rounding", text)

    assert plain(capsys.readouterr().out) == plain(printed)


PENALIZED = {
    "of the author": ("W1 + W2", "0.4 * {n}", "the gradient of W1 holds 0.4 times W1, that of the "
                      "loss 0.2 times"),
    "forgotten": ("W1 + W2", "0", "the gradient of W2 lacks its penalty's, 0.2 times W2"),
    "not in the loss": ("W1", "0.2 * {n}", "the gradient of W2 holds 0.2 times W2, the loss has no "
                        "penalty there"),
}  # fmt: skip


@pytest.mark.parametrize("name", PENALIZED)
def test_a_penalty_is_told_in_the_names_of_the_author(name):
    arrays, slope, said = PENALIZED[name]
    penalty = " + ".join(f"np.sum(p['{n}'] ** 2)" for n in arrays.split(" + "))
    text = net("delta.sum(0)").replace("/ 1)\n", f"+ .1 * ({penalty}))\n", 1)
    for n in ("W1", "W2"):
        term = slope.format(n=f"p['{n}']")
        text = text.replace("@ d1 / 1" if n == "W1" else "@ d2 / 1",
                            f"@ d{n[1]} + {term}")  # fmt: skip
    (finding,) = of_text(text).findings
    assert finding.defect == "l2_gradient_wrong"
    assert said in finding.why


def test_an_error_taken_through_the_weights_without_its_slope_is_to_have_it():
    # What people write after a famous program in 11 lines: l1_error = l2_error.dot(syn1.T).
    text = net("delta.sum(0)").replace("d1 = d2 @ p", "d1 = (o - Y) @ p")
    (finding,) = of_text(text).findings
    assert (finding.defect, finding.arrays) == ("missing_output_derivative", ("W1", "b1"))
    assert "the error times the slope there" in finding.fix
    assert "train with the loss" not in finding.fix


def test_a_minus_y_of_a_softmax_before_a_binary_cross_entropy_is_of_the_other_one():
    # Its dL/da times the diagonal a (1 - a) is a - y as well, and few people write that.
    text = (
        net("delta.sum(0)")
        .replace(
            'return h, 1 / (1 + np.exp(-(h @ p["W2"] + p["b2"])))',
            "e = np.exp(h @ p['W2'] + p['b2']); return h, e / e.sum(1, keepdims=True)",
        )
        .replace("rng.rand(m, 2)", "np.eye(2)[rng.randint(0, 2, m)]")
    )
    entropy = "-np.sum(Y * np.log(fwd(p, X)[1]) + (1 - Y) * np.log(1 - fwd(p, X)[1]))"
    text = text.replace(".5 * np.sum((fwd(p, X)[1] - Y) ** 2)", entropy)
    text = text.replace("rng.randn(5, 2) * .7, b2=np.zeros(2)", "rng.randn(5, 3), b2=np.zeros(3)")
    text = text.replace("np.eye(2)[rng.randint(0, 2, m)]", "np.eye(3)[rng.randint(0, 3, m)]")
    (finding,) = of_text(text.replace("(o - Y) * o * (1 - o)", "(o - Y)")).findings
    assert finding.defect == "loss_gradient_mismatch"
    assert [a.defects for a in finding.alternatives] == [("softmax_jacobian_diagonal",)]
    assert "Which loss did you mean" in finding.alternatives[0].tell_apart


def test_a_logarithm_to_base_2_is_named():
    text = net("delta.sum(0)", delta_by="1").replace("rng.rand(m, 2)", "1. * (rng.rand(m, 2) > .5)")
    entropy = "-np.sum(Y * np.log2(fwd(p, X)[1]) + (1 - Y) * np.log2(1 - fwd(p, X)[1]))"
    text = text.replace(".5 * np.sum((fwd(p, X)[1] - Y) ** 2)", entropy)
    (finding,) = of_text(text.replace("(o - Y) * o * (1 - o)", "(o - Y)")).findings
    assert finding.defect == "loss_gradient_mismatch"
    assert "logarithms to base 2" in finding.why


RAW = """
import numpy as np
r = np.random.RandomState(0)
X = r.uniform(-3, 3, 50); Y = np.sin(X)
params = dict(w=r.randn(10), b=r.randn(10), v=r.randn(10) / 10, c=0.)
def f(p, X): h = np.tanh(np.outer(X, p["w"]) + p["b"]); return h, h @ p["v"] + p["c"]
def loss(p, X, Y): return float(np.mean((f(p, X)[1] - Y) ** 2))
def grads(p, X, Y):
    h, o = f(p, X); e = 2 * (o - Y) / len(X); dh = np.outer(o - Y, p["v"]) * (1 - h * h)
    return dict(w=X @ dh, b=dh.sum(0), v=h.T @ e, c=e.sum())
"""


def test_the_error_alone_taken_down_lacks_the_factor_of_the_loss():
    (finding,) = of_text(RAW).findings
    assert (finding.defect, finding.arrays) == ("missing_batch_mean", ("w", "b"))
    assert "without the 2/m of the loss" in finding.why


def test_an_answer_shows_itself(capsys):
    answer = diagnose_file(str(ROOT / "examples" / "a_class.py"))
    print(answer)
    assert capsys.readouterr().out == report.text(answer) + "\n"
    assert answer._repr_markdown_() == report.markdown(answer)
