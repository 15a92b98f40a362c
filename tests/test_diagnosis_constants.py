"""Small numbers in a subject's functions are found wherever they stand, replaced, and put back."""

import pytest
from subjects import odd, truth

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
