"""The words that sweeps train with: the operators of the search give the same gradients."""

from dataclasses import replace

import numpy as np
import pytest
from subjects import odd
from subjects.asked import of_text

from bpcore import DEFECTS, Data, RunSpec, StackSpec
from bpcore.batches import FullBatch
from bpcore.defects import check_defects
from bpcore.stack import Network, views
from bpcore.start import start
from diagnosis.diagnose import diagnose, examine
from diagnosis.groups import group_at
from diagnosis.identify import Identifier
from diagnosis.kept import Kept
from diagnosis.probing import Probes
from diagnosis.search import Search
from diagnosis.subject import given
from diagnosis.words import WORDS

RUN = RunSpec(lr=0.3)
M = 11


def spec_for(word):
    """Return a network that can have the defect, every layer of another width."""
    spec = StackSpec(sizes=(3, 5, 4, 2), activation="tanh", output="sigmoid", loss="squared_error")
    if word == "leaky_slope_mismatch":
        spec = replace(spec, activation="relu")
    return spec


def functions(spec):
    """Return params, X, Y, loss and grads of one network of `bpcore`, as a subject has them."""
    rng = np.random.default_rng(5)
    X = rng.standard_normal((3, M))
    Y = rng.random((2, M))
    parameters = start(spec, [RUN])
    grads_flat = np.zeros_like(parameters.flat)

    def network(params, X, Y):
        for k, Wb in enumerate(views(parameters.flat, spec.sizes, bias=spec.bias)):
            Wb[0] = params[f"Wb{k + 1}"]
        made = Network(spec, parameters, grads_flat, X.shape[1])
        made.bind(*FullBatch(spec, Data.of(X, Y)).arrays)
        made.forward()
        return made

    def loss(params, X, Y):
        return float(network(params, X, Y).loss()[0])

    def grads(params, X, Y):
        network(params, X, Y).backward()
        cut = views(grads_flat, spec.sizes, bias=spec.bias)
        return {f"Wb{k + 1}": Wb[0].copy() for k, Wb in enumerate(cut)}

    cut = views(parameters.flat, spec.sizes, bias=spec.bias)
    params = {f"Wb{k + 1}": Wb[0].copy() for k, Wb in enumerate(cut)}
    return params, X, Y, loss, grads


def possible(word):
    try:
        check_defects([word], spec_for(word))
    except ValueError:
        return False
    return True


# Where an entry has both a rule to train with and an operator of the search.
BOTH = [word for word in DEFECTS if word in WORDS and possible(word)]


@pytest.mark.parametrize("word", BOTH)
def test_a_defect_that_sweeps_train_with_is_recognized_to_the_last_digits(word):
    spec = replace(spec_for(word), defects=(word,))
    subject = given(*functions(spec))
    probes = Probes(subject, np.random.default_rng(0))
    model = next(Identifier(subject, probes).models())
    group = group_at(model, subject, probes.points(4))
    best = Search(model, [group]).run()[0]
    found = [m for m in (*best.W, *best.b) if m is not None]
    assert max(m.rest for m in found) < 1e-12
    assert best.lost == 0
    answer = examine(subject)
    named = {f.defect for f in answer.findings}
    others = [set(a.defects) for f in answer.findings for a in f.alternatives]
    assert named == {word} or {word} in others


def test_a_right_network_of_sweeps_is_healthy():
    assert diagnose(*functions(spec_for(""))).kind == "healthy"


def test_units_that_look_alike_at_a_stage_are_not_followed_all_at_once(monkeypatch):
    """With biases below 6, ReLU and ReLU up to 6 are one: 2^5 networks of five layers."""
    tried = []
    real = Identifier._longer

    def counted(self, batch, y, k, below, known):
        tried.append(known.names)
        return real(self, batch, y, k, below, known)

    monkeypatch.setattr(Identifier, "_longer", counted)
    model = of_text(odd.SUBJECTS["zero_first"].text).model
    assert model.hidden == ("relu",) * 5
    assert len(tried) == 6


def test_what_is_kept_is_made_once_and_only_as_far_as_somebody_asks():
    made = []

    def numbers():
        for n in range(4):
            made.append(n)
            yield n

    kept = Kept(numbers())
    assert next(iter(kept)) == 0
    assert made == kept.made == [0]
    assert list(kept) == list(kept) == made == [0, 1, 2, 3]
