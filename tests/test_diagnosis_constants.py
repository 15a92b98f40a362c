"""Small numbers in a subject's functions are found wherever they stand, replaced, and put back."""

import random

import numpy as np
import pytest
from subjects import odd, truth
from subjects.asked import of_text, words, wrong

from diagnosis.constants import numbers_held, replaced
from diagnosis.diagnose import diagnose

HELD = {1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8}
SOURCE = """
TINY = 1e-8
LARGE = 0.25
class Net:
    def __init__(self):
        self.eps = 1e-7
    def value(self):
        return self.eps + 1e-6
net = Net()
def deep():
    inner = lambda: 1e-5
    return inner()
def made():
    own = 1e-3
    return lambda: own + TINY
kept = made()
def loss(x=1e-4):
    return x + TINY + net.value() + deep() + LARGE + kept()
"""


@pytest.fixture
def names():
    return truth.module(SOURCE)


def test_they_are_found_wherever_they_stand(names):
    assert set(numbers_held([names["loss"]])) == HELD
    assert numbers_held([names["loss"]], 0.1, 0.9) == [0.25]


def test_they_are_replaced_and_put_back(names):
    before = names["loss"]()
    with replaced([names["loss"]], {1e-4: 1.0, 1e-5: 2.0, 1e-6: 3.0, 1e-7: 4.0, 1e-8: 5.0}):
        assert names["loss"]() == pytest.approx(1 + 5 + (4 + 3) + 2 + 0.25 + (1e-3 + 5))
    assert names["loss"]() == before


def test_they_are_put_back_after_an_error(names):
    with pytest.raises(ZeroDivisionError), replaced([names["loss"]], {1e-8: 5.0}):
        _ = 1 / 0
    assert names["TINY"] == 1e-8


def test_what_a_logarithm_leaves_out_is_said():
    subject = truth.module(odd.SUBJECTS["focal_eps"].text)
    answer = diagnose(*(subject[name] for name in ("params", "X", "Y", "loss", "grads")))
    assert answer.kind == "healthy"
    assert any("depends on 1e-05" in note for note in answer.notes)


ADDED = """
import numpy as np
r = np.random.RandomState(24)
X = r.randn(21, 4); Y = (r.rand(21, 1) > .5)*1.
params = dict(W1=r.randn(4, 7), b1=np.zeros(7), W2=r.randn(7, 1), b2=np.zeros(1))
def f(p, X):
    h = np.tanh(X@p['W1'] + p['b1'])
    return h, 1/(1 + np.exp(-(h@p['W2'] + p['b2'])))
def loss(p, X, Y):
    a = f(p, X)[1]
    return np.mean(-Y*np.log(a + {eps}) - (1 - Y)*np.log(1 - a + {eps}))
def grads(p, X, Y):
    h, a = f(p, X); m = len(X); d = (a - Y)/m; dh = d@p['W2'].T*(1 - h*h)
    return dict(W1=X.T@dh, b1=dh.sum(0), W2=h.T@d*{times}, b2=d.sum(0))
"""


@pytest.mark.parametrize("eps", ["1e-3", "1e-4", "1e-8"])
def test_what_a_logarithm_adds_hides_no_mistake(eps):
    assert of_text(ADDED.format(eps=eps, times="1")).kind == "healthy"
    answer = of_text(ADDED.format(eps=eps, times="m/(m-1)"))
    assert (answer.kind, wrong(answer)) == ("gradient", ["W2"])
    assert words(answer)


def test_a_diagnosis_leaves_the_random_numbers_of_its_caller_alone():
    np.random.seed(0)  # noqa: NPY002
    random.seed(0)
    of_text(ADDED.format(eps="1e-8", times="1"))
    drawn = np.random.rand(), random.random()  # noqa: NPY002, S311
    np.random.seed(0)  # noqa: NPY002
    random.seed(0)
    # The program draws from a stream of its own.
    assert drawn == (np.random.rand(), random.random())  # noqa: NPY002, S311
