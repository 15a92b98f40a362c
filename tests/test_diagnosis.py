"""Programs as people post them, diagnosed: written ones with known mistakes, and odd ones."""

import json
import subprocess
import sys

import numpy as np
import pytest
from subjects import odd, truth, writer
from subjects.asked import of_text, words, wrong

from diagnosis import diagnose_file
from diagnosis.words import WORDS
from tests.conftest import ROOT

EXAMPLES = ROOT / "examples"


def draw(seed, count):
    """Return a written program with so many mistakes that each change something, and its truth."""
    rng = np.random.default_rng(seed)
    while True:
        net = writer.make_net(rng)
        mistakes = writer.draw(net, rng, count) if count else []
        spoiled = truth.spoiled(net, mistakes) if mistakes else []
        if mistakes is not None and spoiled is not None:
            return net, mistakes, spoiled


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("seed", [11, 12, 13])
def test_mistakes_are_named_and_located(seed, count):
    net, mistakes, spoiled = draw(100 * count + seed, count)
    answer = of_text(writer.write(net, mistakes))
    expected = {m.word for m in mistakes}
    others = [set(a.defects) for f in answer.findings for a in f.alternatives]
    assert answer.kind == "gradient"
    assert set(wrong(answer)) == set(spoiled)
    assert set(words(answer)) == expected or expected in others
    assert (answer.model.hidden, answer.model.output_name) == (net.hidden, net.output)
    assert answer.model.loss_name == net.loss


@pytest.mark.parametrize("seed", range(6))
def test_right_programs_are_called_right(seed):
    net, _, _ = draw(900 + seed, 0)
    answer = of_text(writer.write(net))
    assert (answer.kind, set(words(answer)), set(wrong(answer))) == ("healthy", set(), set())
    assert (answer.model.hidden, answer.model.output_name) == (net.hidden, net.output)


# Each word of state, shape and training once, and what looks wrong and is right.
QUICK = [
    "huber_pre",
    "classw_unw",
    "reset",
    "integer",
    "dropout_bad",
    "bn_bad",
    "conv_bad",
    "rnn_bad",
    "lists_bad",
    "online",
    "online_no_steps",
    "clipgrad",
    "f32",
    "logeps",
    "logeps_cancels",
    "focal_eps",
    "nan_targets",
    "smoothed_labels",
    "biaspersample",
    "broadcast",
    "zero_init",
    "init_too_small",
    "columns_in_lists",
    "dropout_columns_seeded",
    "labels_of_signs",
]
# Those that keep something between calls, draw from numpy.random, or warn: in their own process.
APART = ("reset", "momentum", "momentum_mean", "matrix")


@pytest.mark.parametrize(
    "name",
    [n if n in QUICK else pytest.param(n, marks=pytest.mark.campaign) for n in odd.SUBJECTS],
)
def test_odd_programs(name):
    subject = odd.SUBJECTS[name]
    path = ROOT / "tests" / "subjects" / "odd" / f"{name}.py"
    answer = diagnose_file(str(path)) if name in APART else of_text(subject.text)
    assert (answer.kind, set(words(answer))) == (subject.kind, set(subject.words))


def test_a_seed_in_each_call_is_seen_after_a_call_of_the_subject_itself():
    # Its own last call leaves numpy.random in the state that the next call ends in.
    text = odd.SUBJECTS["dropout_bad"].text
    answer = of_text(f"{text}\nloss(params, X, Y)\n")
    assert set(words(answer)) == {"dropout_mask_missing"}


@pytest.mark.parametrize("rate", [1e-1, 1e-3, 1e-5])
def test_steps_after_each_sample_are_right_at_any_rate_that_shows(rate):
    text = odd.SUBJECTS["online_no_steps"].text.replace("lr=1e-13", f"lr={rate}")
    answer = of_text(text)
    assert answer.kind == "healthy"
    assert any(f"with a rate of {rate:g};" in effect for effect in answer.side_effects)
    assert all(check.error < 1e-7 for check in answer.checks.values())


@pytest.mark.parametrize("seed", range(4))
def test_a_sum_over_samples_is_no_step_after_each(seed):
    text = odd.SUBJECTS["online_no_steps"].text.replace("lr=1e-13", "lr=0")
    answer = of_text(text.replace("RandomState(3)", f"RandomState({seed})"))
    assert (answer.kind, set(words(answer))) == ("gradient", {"missing_batch_mean"})


def test_a_fit_of_steps_that_runs_away_acquits_nobody():
    net, mistakes, _ = draw(201_246, 2)
    answer = of_text(writer.write(net, mistakes))
    assert (answer.kind, set(words(answer))) == ("gradient", {m.word for m in mistakes})


def test_a_cut_of_a_vector_as_large_as_samples_times_units_may_be_a_bias():
    net, mistakes, spoiled = draw(77_443, 3)
    assert set(wrong(of_text(writer.write(net, mistakes)))) == set(spoiled)


ONE_WEIGHT = """
import numpy as np
X = np.array([[1.], [2.], [-1.], [.5], [3.]]); Y = np.array([[2.], [3.], [0.], [1.], [7.]])
params = dict(w=np.array([[.3]]))
def loss(p, X, Y): return float(.5 * np.mean((X @ p["w"] - Y) ** 2))
def grads(p, X, Y): return dict(w=X.T @ (X @ p["w"] - Y) / len(X) ** .2)
"""


def test_a_rate_fitted_to_one_number_acquits_nobody():
    answer = of_text(ONE_WEIGHT)
    assert (answer.kind, set(wrong(answer))) == ("gradient", {"w"})


def run(*arguments):
    return subprocess.run(
        [sys.executable, str(ROOT / "diagnose.py"), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_without_an_argument_the_shipped_example_is_diagnosed():
    done = run("--json")
    answer = json.loads(done.stdout)
    assert done.returncode == 1
    assert answer["kind"] == "gradient"
    assert [d["defect"] for d in answer["defects"]] == ["derivative_at_preactivation"]
    assert [n for n, c in answer["gradcheck"].items() if not c["ok"]] == ["W1", "b1", "W2", "b2"]
    assert answer["model"]["hidden"] == ["tanh", "tanh"]


@pytest.mark.parametrize(
    ("name", "kind", "found"),
    [
        ("a_class", "healthy", set()),
        ("only_a_step", "gradient", {"weights_updated_before_backprop"}),
    ],
)
def test_adapters_of_a_class_and_of_only_a_step(name, kind, found):
    answer = diagnose_file(str(EXAMPLES / f"{name}.py"))
    assert (answer.kind, set(words(answer))) == (kind, found)


def test_a_notebook_is_a_subject(tmp_path):
    source = (EXAMPLES / "a_class.py").read_text(encoding="utf-8")
    cells = [
        {"cell_type": "markdown", "source": ["# My network"]},
        {"cell_type": "code", "source": ["%matplotlib inline\n", "!pip list\n", "import numpy"]},
        {"cell_type": "code", "source": source.splitlines(keepends=True)},
    ]
    path = tmp_path / "net.ipynb"
    path.write_text(json.dumps({"cells": cells, "nbformat": 4}), encoding="utf-8")
    assert diagnose_file(str(path)).kind == "healthy"


def test_the_template_compiles_and_says_what_to_fill_in(tmp_path):
    done = run("--template")
    compile(done.stdout, "template.py", "exec")
    assert all(f"def {name}(params, X, Y):" in done.stdout for name in ("loss", "grads"))


def test_the_repaired_training_is_shown_beside_the_authors():
    answer = diagnose_file(str(EXAMPLES / "wrong_slope.py"), fix=True)
    curves = answer.curves
    assert len(curves.author) == len(curves.mended) == 1001
    assert curves.author[0] == pytest.approx(curves.mended[0], rel=1e-12)
    assert curves.mended[-1] < 0.1 * curves.mended[0]
    assert not curves.author[-1] < curves.mended[-1]


VOCABULARY = [
    "derivative_at_activation",
    "derivative_at_preactivation",
    "derivative_at_wrong_variable",
    "derivative_of_other_activation",
    "missing_output_derivative",
    "missing_hidden_derivative",
    "leaky_slope_mismatch",
    "upstream_discarded",
    "hidden_delta_skips_weights",
    "backprop_through_wrong_matrix",
    "dot_instead_of_elementwise",
    "weight_grad_wrong_activation",
    "weight_grad_wrong_operand",
    "weight_grad_transposed",
    "bias_grad_mean_instead_of_sum",
    "bias_grad_wrong_axis",
    "bias_grad_missing_axis",
    "bias_grad_wrong_formula",
    "missing_batch_mean",
    "extra_batch_mean",
    "wrong_batch_size",
    "l2_gradient_wrong",
    "sign_error",
    "loss_gradient_mismatch",
    "softmax_extra_derivative",
    "softmax_jacobian_diagonal",
    "softmax_jacobian_missing",
    "softmax_wrong_axis",
    "dropout_mask_missing",
    "batchnorm_backward_wrong",
    "weights_updated_before_backprop",
    "inplace_derivative_overwrites_cache",
    "inplace_activation_overwrites_cache",
    "error_aliases_output",
    "gradient_not_reset",
    "integer_dtype",
    "unexplained",
    "zero_init",
    "symmetric_init",
    "init_too_small",
    "init_too_large",
    "learning_rate_too_large",
    "learning_rate_too_small",
    "unnormalized_inputs",
    "targets_outside_output_range",
    "relu_output_dead",
    "dead_units",
    "log_of_zero",
    "label_shape_broadcast",
    "bias_per_sample",
    "shared_parameter_array",
    "optimizer_wrong",
]


def test_every_word_of_the_vocabulary_has_a_sentence_and_a_cure():
    assert sorted(WORDS) == sorted(VOCABULARY)
    assert all(w.sentence.endswith(".") and w.cure.endswith(".") for w in WORDS.values())


@pytest.mark.campaign
@pytest.mark.parametrize(
    ("count", "first", "reported"), [(1, 0.95, 0.98), (2, 0.95, 0.98), (3, 0, 0.85)]
)
def test_a_campaign_of_mistakes(count, first, reported, record_property):
    tally = {"first": 0, "reported": 0, "arrays": 0, "model": 0}
    runs = 200
    for seed in range(runs):
        net, mistakes, spoiled = draw(100_000 * count + 7 * seed, count)
        answer = of_text(writer.write(net, mistakes))
        expected = {m.word for m in mistakes}
        others = [set(a.defects) for f in answer.findings for a in f.alternatives]
        tally["first"] += set(words(answer)) == expected
        tally["reported"] += set(words(answer)) == expected or expected in others
        tally["arrays"] += set(wrong(answer)) == set(spoiled)
        tally["model"] += answer.model is not None and answer.model.hidden == net.hidden
    shares = {name: hits / runs for name, hits in tally.items()}
    print(f"\n{count} mistakes, {runs} programs: {shares}")
    assert shares["first"] >= first
    assert shares["reported"] >= reported
    assert shares["arrays"] >= 0.99
    assert shares["model"] >= 0.98


@pytest.mark.campaign
def test_a_campaign_of_right_programs():
    runs = 300
    accused = []
    for seed in range(runs):
        net, _, _ = draw(900_000 + 7 * seed, 0)
        if of_text(writer.write(net)).kind != "healthy":
            accused.append(seed)
    print(f"\n{runs} right programs, accused: {accused}")
    assert accused == []
