"""A right gradient with a training that fails: its steps, and their length, under any name."""

import numpy as np
import pytest
from subjects import truth
from subjects.asked import of_text, subject_of, words

from diagnosis.diagnose import examine
from diagnosis.first_steps import first_steps

NET = """
import numpy as np
r = np.random.RandomState(5)
X = r.randn(64, 3); Y = (np.sin(2*X[:, :1]) + X[:, 1:2]*X[:, 2:] > 0)*1.
params = dict(W1=r.randn(3, 16)*.6, b1=np.zeros(16), W2=r.randn(16, 1)*.3, b2=np.zeros(1))
def f(p, X):
    h = np.tanh(X@p['W1'] + p['b1'])
    return h, 1/(1 + np.exp(-(h@p['W2'] + p['b2'])))
def loss(p, X, Y):
    o = np.clip(f(p, X)[1], 1e-12, 1 - 1e-12)
    return float(-np.mean(Y*np.log(o) + (1 - Y)*np.log(1 - o)))
def grads(p, X, Y):
    h, o = f(p, X); d = (o - Y)/len(X); dh = d@p['W2'].T*(1 - h*h)
    return dict(W1=X.T@dh, b1=dh.sum(0), W2=h.T@d, b2=d.sum(0))
"""
CALLS_GRADS = """
def train(params, X, Y{named}):
    p = {{k: a.copy() for k, a in params.items()}}
    v = {{k: 0*a for k, a in p.items()}}; s = {{k: 0*a for k, a in p.items()}}; L = []
    for t in range(1, 401):
        L.append(loss(p, X, Y)); g = grads(p, X, Y)
        for k in p:
            {rule}
    return p, L
"""
ON_ITS_OWN = """
class Net:
    def fit(self, params, X, Y, pace={pace}):
        p = dict(params); L = []
        for _ in range(400):
            h, o = f(p, X)
            L.append(float(-np.mean(np.log(np.clip(np.where(Y > 0, o, 1 - o), 1e-12, 1)))))
            d = (o - Y)/len(X); dh = d@p['W2'].T*(1 - h*h)
            g = dict(W1=X.T@dh, b1=dh.sum(0), W2=h.T@d, b2=d.sum(0))
            p = {{k: p[k] - pace*g[k] for k in p}}
        return p, L
def train(params, X, Y): return Net().fit(params, X, Y)
"""
PLAIN = "p[k] = p[k] - lr*g[k]"
MOMENTUM = "v[k] = .9*v[k] - lr*g[k]; p[k] = p[k] + v[k]"
NESTEROV = "old = v[k]; v[k] = .9*v[k] - lr*g[k]; p[k] = p[k] - .9*old + 1.9*v[k]"
RMSPROP = "s[k] = .9*s[k] + .1*g[k]**2; p[k] = p[k] - lr*g[k]/(np.sqrt(s[k]) + 1e-8)"
ADAM = (
    "v[k] = .9*v[k] + .1*g[k]; s[k] = .999*s[k] + .001*g[k]**2; "
    "p[k] = p[k] - lr*(v[k]/(1 - .9**t))/(np.sqrt(s[k]/(1 - .999**t)) + 1e-8)"
)
ALTERNATING = "v[k] = .9*v[k] + lr*g[k]; p[k] = p[k] - v[k] if t % 2 else p[k] + v[k]"
GROWING = "v[k] = 1.1*v[k] - lr*g[k]; p[k] = p[k] + v[k]"


def text_of(rule, rate, *, hidden):
    """Return a program whose rate has a name that tells it, or is a number in the step."""
    named = "" if hidden else f", lr={rate}"
    rule = rule.replace("lr", repr(rate)) if hidden else rule
    return NET + CALLS_GRADS.format(named=named, rule=rule)


def answer_to(text):
    answer = of_text(text)
    return words(answer) or [answer.kind]


@pytest.mark.parametrize(
    ("train", "why"),
    [
        ("def train(p, X, Y): raise ValueError('oops')", "ValueError: oops"),
        ("def train(p, X, Y, steps): return p, [1.0]", "missing 1 required positional argument"),
        ("def train(p, X, Y): return p", "`train` must return (params, losses)"),
        ("def train(p, X, Y): return p, []", "`train` must return (params, losses)"),
        ("def train(p, X, Y): return {}, [1.0]", "`train` must return (params, losses)"),
    ],
)
def test_a_training_that_cannot_be_used_is_told(train, why):
    answer = of_text(NET + train)
    assert answer.kind == "healthy"
    [note] = [n for n in answer.notes if n.startswith("train was not looked at.")]
    assert why in note


@pytest.mark.parametrize("hidden", [True, False])
@pytest.mark.parametrize(
    ("rule", "rate", "said"),
    [
        (MOMENTUM, 20.0, "learning_rate_too_large"),
        (PLAIN.replace("- lr", "+ lr"), 0.5, "optimizer_wrong"),
        (MOMENTUM.replace("+ v[k]", "- v[k]"), 0.1, "optimizer_wrong"),
    ],
)
def test_a_rate_or_a_step_is_blamed_alike_with_and_without_a_name(rule, rate, said, hidden):
    assert answer_to(text_of(rule, rate, hidden=hidden)) == [said]


@pytest.mark.parametrize(
    ("rule", "rate", "hidden", "said"),
    [
        (PLAIN, 300.0, True, "learning_rate_too_large"),
        (PLAIN, 1e-6, False, "learning_rate_too_small"),
        (PLAIN, 1e-5, True, "learning_rate_too_small"),
        (NESTEROV, 20.0, False, "learning_rate_too_large"),
        (RMSPROP, 5.0, False, "learning_rate_too_large"),
        (ALTERNATING, 0.3, True, "optimizer_wrong"),
        (GROWING, 0.1, False, "optimizer_wrong"),
        (ADAM.replace("- lr", "+ lr"), 0.01, True, "optimizer_wrong"),
        (NESTEROV, 0.1, True, "healthy"),
        (ADAM, 0.01, True, "healthy"),
    ],
)
def test_no_optimizer_that_is_right_is_blamed_for_its_rate(rule, rate, hidden, said):
    assert answer_to(text_of(rule, rate, hidden=hidden)) == [said]


@pytest.mark.parametrize(
    ("pace", "said"), [(300.0, "learning_rate_too_large"), (1e-5, "learning_rate_too_small")]
)
def test_the_rate_of_plain_steps_is_read_off_their_losses(pace, said):
    text = NET + ON_ITS_OWN.format(pace=pace)
    assert answer_to(text) == [said]


@pytest.mark.parametrize("pace", [-0.5, 0.037, 2.0])
def test_plain_steps_are_seen_as_such_from_their_losses_alone(pace):
    subject = subject_of(NET + ON_ITS_OWN.format(pace=pace))
    curve = subject.ask("train", **subject.start._asdict())["losses"]
    steps = first_steps(subject, np.asarray(curve))
    assert steps is not None
    assert steps.rate == pytest.approx(pace, rel=1e-6)
    assert (steps.plain, steps.by_grads) == (True, False)


EACH_SAMPLE = """
def train(params, X, Y, lr={rate}):
    p = dict(params); L = []
    for t in range(40):
        for i in range(len(X)):
            g = grads(p, X[i:i + 1], Y[i:i + 1]); p = {{k: p[k] {sign} lr*g[k] for k in p}}
        L.append(loss(p, X, Y))
    return p, L
"""


@pytest.mark.parametrize(
    ("sign", "rate", "uphill", "said"),
    [("-", 100.0, False, "learning_rate_too_large"), ("+", 0.1, True, "optimizer_wrong")],
)
def test_steps_of_single_samples_are_judged_by_their_own_gradients(sign, rate, uphill, said):
    # The first sample is one whose gradient points against that of all.
    text = NET + EACH_SAMPLE.format(sign=sign, rate=rate)
    against = "X = np.roll(X, -{n}, axis=0); Y = np.roll(Y, -{n}, axis=0)\n"
    for n in range(64):
        names = truth.module(NET + against.format(n=n))
        p, X, Y = names["params"], names["X"], names["Y"]
        one, all_ = names["grads"](p, X[:1], Y[:1]), names["grads"](p, X, Y)
        if sum(np.sum(one[k] * all_[k]) for k in p) < 0:
            break
    subject = subject_of(text.replace("def f(p", against.format(n=n) + "def f(p", 1))
    steps = first_steps(subject, np.zeros(0))
    assert steps is not None
    assert (steps.uphill, steps.straight) == (uphill, True)
    assert [finding.defect for finding in examine(subject).findings] == [said]


def test_a_rate_that_cannot_be_changed_is_asked_for():
    text = text_of(RMSPROP, 5.0, hidden=True).replace("g = grads(", "g = slopes(")
    answer = examine(subject_of(f"{text}slopes = grads\n"))
    assert answer.kind == "healthy"
    assert any("argument lr" in note for note in answer.notes)
