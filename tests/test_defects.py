import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import oracles
import pytest

from bpcore import DEFECTS, Data, Hyper, RunSpec, StackSpec, rules, train
from bpcore.batches import FullBatch
from bpcore.defects import canonical_defects, parse_defect
from bpcore.gradcheck import gradcheck_stack
from bpcore.stack import Network
from bpcore.start import start

# Three hidden layers and an output layer; every defect but two can be made in it.
SPEC = StackSpec(
    sizes=(2, 5, 4, 3, 1),
    activation="leaky_relu",
    output="sigmoid",
    loss="squared_error",
    epochs=12,
    record=(0, 5, 12),
)
TANH = replace(SPEC, activation="tanh")
RELU = replace(SPEC, activation="relu")
ENTROPY = replace(TANH, loss="binary_cross_entropy")
RUN = RunSpec(seed=1, lr=0.3, init="glorot_normal", init_scale=1.2, bias_scale=0.5)
M = 11
ALL = list(DEFECTS)
ROOT = Path(__file__).resolve().parents[1]


def data(m=M, n_out=1):
    rng = np.random.default_rng(2)
    return Data.of(rng.standard_normal((2, m)), rng.uniform(0.1, 0.9, (n_out, m)))


def backward(spec, given=None):
    """Gradients of one step, dW and db of every layer."""
    given = given or data()
    parameters = start(spec, [RUN])
    network = Network(spec, parameters, np.zeros_like(parameters.flat), given.X.shape[1])
    network.bind(*FullBatch(spec, given).arrays)
    network.forward()
    network.backward()
    grads = {}
    for layer in network.layers:
        grads[f"dW{layer.number}"] = layer.dW.copy()
        grads[f"db{layer.number}"] = layer.db.copy()
    return grads


def changed(defect, spec=SPEC):
    healthy, ill = backward(spec), backward(replace(spec, defects=(defect,)))
    return {name for name in healthy if healthy[name].tobytes() != ill[name].tobytes()}


def gradients_of(layers):
    return {f"{kind}{k}" for k in layers for kind in ("dW", "db")}


# What a mistake in layer 2 of four spoils: its delta and all below, or its own gradient only.
BELOW, OWN, EVERYWHERE = gradients_of((1, 2)), gradients_of((2,)), gradients_of((1, 2, 3, 4))
NOTHING = set()
SPOILS = {
    "derivative_at_activation@2": BELOW,
    "derivative_at_preactivation@2": BELOW,
    "derivative_of_other_activation@2": BELOW,
    "slope_one_at_kink@2": NOTHING,  # no z is exactly 0
    "loss_gradient_sign": EVERYWHERE,
    "loss_gradient_parentheses": EVERYWHERE,
    "missing_output_derivative": EVERYWHERE,
    "missing_hidden_derivative@2": BELOW,
    "leaky_slope_mismatch@2": BELOW,
    "upstream_discarded@2": BELOW,
    "error_propagated_without_slope@2": gradients_of((1,)),
    "bias_grad_mean_instead_of_sum@2": {"db2"},
    "missing_batch_mean": EVERYWHERE,
    "extra_batch_mean": EVERYWHERE,
    "sign_error@2": OWN,
    "weights_updated_before_backprop@2": gradients_of((1,)),
    "inplace_derivative_overwrites_cache@2": {"dW3"},
    "inplace_derivative_after_use@2": NOTHING,
    "cache_used_twice": NOTHING,
}
FITTING = {
    "leaky_slope_mismatch": SPEC,
    "slope_one_at_kink": SPEC,
    "loss_gradient_sign": ENTROPY,
    "loss_gradient_parentheses": ENTROPY,
}


def spec_for(defect):
    """A network in which the mistake is one: leaky ReLU has the same slope in z and a."""
    return FITTING.get(defect.partition("@")[0], TANH)


def test_the_table_of_what_is_spoiled_has_every_defect():
    assert [name.partition("@")[0] for name in SPOILS] == ALL


@pytest.mark.parametrize("defect", SPOILS)
def test_a_defect_spoils_the_gradients_it_should_and_no_other(defect):
    assert changed(defect, spec_for(defect)) == SPOILS[defect]


@pytest.mark.parametrize("defect", SPOILS)
def test_the_gradient_check_names_the_layers_that_a_defect_spoils(defect):
    spec = replace(spec_for(defect), defects=(defect,))
    [checks] = gradcheck_stack(spec, [RUN], data())
    wrong = {int(name[2:]) for name, check in checks.items() if not check.ok}
    assert wrong == {int(name[2:]) for name in SPOILS[defect]}


@pytest.mark.parametrize("defect", ALL)
def test_a_defect_leaves_the_forward_pass_alone(defect):
    spec = spec_for(defect)
    [healthy] = train(replace(spec, epochs=0, record=()), [RUN], data())
    [ill] = train(replace(spec, epochs=0, record=(), defects=(defect,)), [RUN], data())
    gradients = {"grad_norm", "update_ratio"}
    for name in set(healthy.history) - gradients:
        assert healthy.history[name].tobytes() == ill.history[name].tobytes(), name


# Mistakes that are none in a special case change no bit: the path with defects is the healthy one.


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("defect", "changes", "m"),
    [
        ("derivative_at_activation", {"activation": "relu"}, M),
        ("derivative_at_preactivation", {"activation": "relu"}, M),
        ("derivative_at_activation", {"activation": "identity"}, M),
        ("missing_hidden_derivative", {"activation": "identity"}, M),
        ("missing_batch_mean", {"activation": "tanh"}, 1),
        ("extra_batch_mean", {"activation": "sigmoid"}, 1),
        ("bias_grad_mean_instead_of_sum", {"activation": "softsign"}, 1),
        ("bias_grad_mean_instead_of_sum", {"activation": "tanh", "batch_size": 1}, M),
        ("extra_batch_mean", {"activation": "relu", "batch_size": 1, "bias": False}, M),
    ],
)
def test_a_mistake_that_makes_no_difference_changes_no_bit(defect, changes, m, dtype):
    spec = replace(SPEC, dtype=dtype, **changes)
    [healthy] = train(spec, [RUN], data(m))
    [ill] = train(replace(spec, defects=(defect,)), [RUN], data(m))
    for name in healthy.history:
        assert healthy.history[name].tobytes() == ill.history[name].tobytes(), name
    for name in healthy.params:
        assert healthy.params[name].tobytes() == ill.params[name].tobytes(), name


def test_a_network_without_defects_has_the_healthy_rules_and_one_with_a_defect_all_but_one():
    def rules_of(defects):
        spec = replace(TANH, defects=defects)
        parameters = start(spec, [RUN])
        network = Network(spec, parameters, np.zeros_like(parameters.flat), 3)
        return [layer.rules for layer in network.layers]

    assert all(made.weight_grad is rules.weight_grad for made in rules_of(()))
    assert all(made.through_activation is rules.through_activation for made in rules_of(()))
    replaced = [made.weight_grad is not rules.weight_grad for made in rules_of(("sign_error@3",))]
    assert replaced == [False, False, True, False]


# Whole trainings against programs that make the mistake.


@pytest.mark.parametrize("batch_size", [None, 4])
@pytest.mark.parametrize(
    ("defect", "activation"),
    [
        ("derivative_at_activation", "tanh"),
        ("derivative_at_activation", "sigmoid"),
        ("derivative_at_activation", "softplus"),
        ("derivative_at_activation", "gelu"),
        ("derivative_at_preactivation", "tanh"),
        ("derivative_at_preactivation", "sigmoid"),
        ("missing_output_derivative", "tanh"),
        ("missing_hidden_derivative", "tanh"),
        ("leaky_slope_mismatch", "relu"),
        ("leaky_slope_mismatch", "leaky_relu"),
        ("upstream_discarded", "sigmoid"),
        ("bias_grad_mean_instead_of_sum", "tanh"),
        ("missing_batch_mean", "tanh"),
        ("extra_batch_mean", "tanh"),
        ("sign_error", "tanh"),
        ("inplace_derivative_overwrites_cache", "sigmoid"),
        ("inplace_derivative_overwrites_cache", "relu"),
        ("weights_updated_before_backprop", "tanh"),
    ],
)
def test_a_training_with_a_defect_is_that_of_a_program_with_the_mistake(
    defect, activation, batch_size
):
    spec = replace(SPEC, activation=activation, batch_size=batch_size, defects=(defect,))
    run = replace(RUN, lr=0.05)
    [got] = train(spec, [run], data())
    first = defect == "weights_updated_before_backprop"
    expected = oracles.training(spec, run, data(), () if first else (defect,), update_first=first)
    for name, values in expected.history.items():
        # 36 steps, ten roundings each of numbers of order 10, which grow at most tenfold.
        wanted = pytest.approx(np.array(values), rel=1e-11, abs=1e-11, nan_ok=True)
        assert got.history[name] == wanted, name
    for name, p in expected.params.items():
        assert got.params[name] == pytest.approx(p, abs=1e-11), name


def test_several_defects_are_made_together_whatever_their_order():
    mistakes = ("missing_hidden_derivative", "bias_grad_mean_instead_of_sum", "sign_error")
    expected = oracles.training(TANH, RUN, data(), mistakes)
    for order in (mistakes, mistakes[::-1]):
        [got] = train(replace(TANH, defects=order), [RUN], data())
        for name, p in expected.params.items():
            assert got.params[name] == pytest.approx(p, abs=1e-11), name


def test_a_sign_error_climbs_where_the_healthy_network_descends():
    [healthy] = train(TANH, [RUN], data())
    [ill] = train(replace(TANH, defects=("sign_error",)), [RUN], data())
    assert healthy.history["loss"][-1] < healthy.history["loss"][0]
    assert ill.history["loss"][-1] > ill.history["loss"][0]
    assert ill.history["grad_norm"][0].tolist() == healthy.history["grad_norm"][0].tolist()


# Where defects can be made, and what is said where they cannot.

PLACES = {"hidden": (1, 2, 3), "output": (4,), "any": (1, 2, 3, 4), "above": (2, 3, 4)}


@pytest.mark.parametrize("name", ALL)
def test_a_defect_is_made_in_every_layer_it_can_be_made_in(name):
    assert parse_defect(name, 4) == (name, PLACES[DEFECTS[name].place])
    layers = PLACES[DEFECTS[name].named or DEFECTS[name].place]
    for k in range(1, 5):
        if k in layers:
            assert parse_defect(f"{name}@{k}", 4) == (name, (k,))
            assert parse_defect(f"{name}@{k - 5}", 4) == (name, (k,))
        else:
            message = refusal(replace, spec_for(name), defects=(f"{name}@{k}",))
            assert message == (
                f"`defects` must name a layer that {name} can be made in, here "
                f"{', '.join(map(str, layers))}; got {name}@{k}."
            )


def refusal(call, *args, **kwargs):
    with pytest.raises(ValueError, match="`defects` must") as caught:
        call(*args, **kwargs)
    return str(caught.value)


@pytest.mark.parametrize("where", ["0", "5", "-5", "", "x", "1.0", "1@2"])
def test_a_layer_that_is_none_is_refused(where):
    assert refusal(replace, SPEC, defects=(f"sign_error@{where}",)) == (
        "`defects` must name a layer that sign_error can be made in, here 1, 2, 3, 4; got "
        f"sign_error@{where}."
    )


def test_an_unknown_defect_is_refused_with_the_nearest():
    assert refusal(replace, SPEC, defects=("sign_eror",)) == (
        f"`defects` must be one of {', '.join(DEFECTS)}; got sign_eror. Did you mean sign_error?"
    )


SHALLOW = {"sizes": (2, 1)}


@pytest.mark.parametrize(
    ("defect", "changes", "reason"),
    [
        *[
            (
                "derivative_at_preactivation",
                {"activation": a},
                f"the slope of {a} has no formula in a",
            )
            for a in ("gelu", "silu")
        ],
        (
            "missing_output_derivative",
            {"loss": "binary_cross_entropy"},
            "with output=sigmoid and loss=binary_cross_entropy the error is the right delta",
        ),
        (
            "missing_output_derivative",
            {"output": "identity"},
            "with output=identity and loss=squared_error the error is the right delta",
        ),
        ("leaky_slope_mismatch", {"activation": "tanh"}, "it needs activation relu or leaky_relu"),
        ("bias_grad_mean_instead_of_sum", {"bias": False}, "it needs bias=true"),
        ("missing_batch_mean", {"reduction": "sum"}, "it needs reduction=mean"),
        (
            "weights_updated_before_backprop",
            {"optimizer": "momentum"},
            "it needs optimizer=sgd without weight_decay",
        ),
        (
            "weights_updated_before_backprop",
            {"decays": True},
            "it needs optimizer=sgd without weight_decay",
        ),
        *[
            (name, SHALLOW, f"this network has no {DEFECTS[name].place} layer for it")
            for name in ALL
            if DEFECTS[name].place in ("hidden", "above")
        ],
        (
            "slope_one_at_kink",
            {"activation": "tanh"},
            "it needs activation relu or leaky_relu or floored_relu",
        ),
        *[
            (name, {}, "it needs output=sigmoid with loss=binary_cross_entropy")
            for name in ("loss_gradient_sign", "loss_gradient_parentheses")
        ],
        *[
            (
                name,
                {"output": "softmax", "loss": "softmax_cross_entropy"},
                "the delta of output=softmax with loss=softmax_cross_entropy is no product with a "
                "slope",
            )
            for name in (
                "derivative_at_preactivation@-1",
                "derivative_of_other_activation@-1",
                "error_propagated_without_slope",
            )
        ],
    ],
)
def test_a_defect_that_does_not_fit_the_network_is_refused(defect, changes, reason):
    assert refusal(replace, SPEC, defects=(defect,), **changes) == (
        f"`defects` must fit the network; got {defect}: {reason}."
    )


def test_a_layer_of_a_network_without_any_is_refused():
    assert refusal(replace, SPEC, defects=("upstream_discarded@1",), **SHALLOW) == (
        "`defects` must name a layer that upstream_discarded can be made in, here no layer of this "
        "network; got upstream_discarded@1."
    )


@pytest.mark.parametrize(
    ("given", "canonical"),
    [
        ((), ()),
        (("sign_error", "upstream_discarded"), ("upstream_discarded", "sign_error")),
        (("sign_error@2", "sign_error@-1", "sign_error@2"), ("sign_error@2", "sign_error@4")),
        (("sign_error", "sign_error@2"), ("sign_error",)),
        (
            ("upstream_discarded@1", "upstream_discarded@3", "upstream_discarded@2"),
            ("upstream_discarded",),
        ),
        (("missing_batch_mean@-1",), ("missing_batch_mean",)),
        (
            ("derivative_at_preactivation@-1", "derivative_at_preactivation"),
            ("derivative_at_preactivation", "derivative_at_preactivation@4"),
        ),
        (("derivative_of_other_activation@-1",), ("derivative_of_other_activation@4",)),
    ],
)
def test_defects_have_one_canonical_spelling(given, canonical):
    assert canonical_defects(given, 4) == canonical
    assert canonical_defects(canonical, 4) == canonical


def test_spellings_of_the_same_defects_train_alike():
    results = [
        train(replace(TANH, defects=defects), [RUN], data())[0].params["W1"].tobytes()
        for defects in (
            ("upstream_discarded", "sign_error@-1"),
            ("sign_error@4", *(f"upstream_discarded@{k}" for k in (3, 1, 2))),
        )
    ]
    assert results[0] == results[1]


@pytest.mark.parametrize("name", ALL)
def test_a_defect_says_what_is_done_in_a_sentence(name):
    sentence = DEFECTS[name].sentence
    assert sentence[0].isupper() or sentence.startswith(("dL", "db", "dW"))
    assert sentence.endswith(".")


@pytest.mark.parametrize("name", ALL)
def test_a_defect_has_its_equation_and_its_source(name):
    assert "=" in DEFECTS[name].equation
    posts = re.findall(r"conf/case/(\d+)\.yaml", DEFECTS[name].source)
    assert posts or DEFECTS[name].source == "hand-written programs on forums; no one post"
    assert all((ROOT / "conf" / "case" / f"{post}.yaml").exists() for post in posts)


# Deltas of the output layer, from the formulas of a program that makes the mistake.


def output_delta(*defects, net=ENTROPY):
    """The output layer's delta times m, with its z, a and y."""
    spec = replace(net, defects=defects)
    parameters, given = start(spec, [RUN]), data()
    network = Network(spec, parameters, np.zeros_like(parameters.flat), M)
    network.bind(*FullBatch(spec, given).arrays)
    network.forward()
    z, a = network.top.z[0].copy(), network.top.a[0].copy()
    network.top.rules.output_delta(network.top, network.top.delta)
    return M * network.top.delta[0], z, a, given.Y


AT_OUTPUT = ("derivative_of_other_activation@-1", "derivative_at_preactivation@-1")


@pytest.mark.parametrize(
    ("defects", "formula"),
    [
        ((), lambda z, a, y: -(y / a - (1 - y) / (1 - a)) * a * (1 - a)),
        (("loss_gradient_sign",), lambda z, a, y: -(y / a + (1 - y) / (1 - a)) * a * (1 - a)),
        (("loss_gradient_parentheses",), lambda z, a, y: -(y / a - (1 - y - a)) * a * (1 - a)),
        (AT_OUTPUT[:1], lambda z, a, y: -(y / a - (1 - y) / (1 - a)) * (1 - a**2)),
        (AT_OUTPUT[1:], lambda z, a, y: -(y / a - (1 - y) / (1 - a)) * z * (1 - z)),
        (AT_OUTPUT, lambda z, a, y: -(y / a - (1 - y) / (1 - a)) * (1 - z**2)),
        (
            ("loss_gradient_sign", "loss_gradient_parentheses", *AT_OUTPUT),
            lambda z, a, y: -(y / a + (1 - y - a)) * (1 - z**2),
        ),
    ],
)
def test_an_output_delta_is_that_of_the_program_whatever_the_order_of_its_mistakes(
    defects, formula
):
    for order in (defects, defects[::-1]):
        delta, z, a, y = output_delta(*order)
        assert delta == pytest.approx(formula(z, a, y), rel=1e-13)


def test_the_slope_of_the_other_function_at_the_wrong_variable_composes():
    grads = backward(
        replace(TANH, defects=("derivative_of_other_activation", "derivative_at_activation"))
    )
    relu_backward = backward(replace(TANH, defects=("derivative_of_other_activation",)))
    # tanh keeps signs, so ReLU's slope is the same at z and at a.
    assert all(grads[name].tobytes() == relu_backward[name].tobytes() for name in grads)
    spec = replace(RELU, defects=("derivative_of_other_activation@3",))
    parameters, given = start(spec, [RUN]), data()
    network = Network(spec, parameters, np.zeros_like(parameters.flat), M)
    network.bind(*FullBatch(spec, given).arrays)
    network.forward()
    network.backward()
    third, top = network.layers[2], network.layers[3]
    expected = top.W[0].T @ top.delta_units[0] * (1 - third.a_units[0] ** 2)
    assert third.delta_units[0] == pytest.approx(expected, rel=1e-13)


def test_an_error_propagated_without_slopes_meets_each_layers_own_slope_only():
    spec = replace(RELU, output="relu", defects=("error_propagated_without_slope",))
    parameters, given = start(spec, [RUN]), data()
    network = Network(spec, parameters, np.zeros_like(parameters.flat), M)
    network.bind(*FullBatch(spec, given).arrays)
    network.forward()
    network.backward()
    error = (network.top.a[0] - given.Y) / M
    for layer in reversed(network.layers):
        delta = error * (layer.z_units[0] > 0)
        assert layer.dW[0] == pytest.approx(delta @ layer.inputs[-1, :-1].T, rel=1e-12, abs=1e-15)
        error = layer.W[0].T @ error


def test_a_slope_of_one_at_the_kink_shows_only_where_z_is_exactly_zero():
    given, run = data(), replace(RUN, bias_scale=0.0)
    given.X[:, 0] = 0.0
    spec = replace(RELU, sizes=(2, 5, 1), output="identity")
    [healthy] = train(replace(spec, epochs=1, record=()), [run], given)
    [ill] = train(replace(spec, epochs=1, record=(), defects=("slope_one_at_kink",)), [run], given)
    step = ill.params["b1"] - healthy.params["b1"]
    W2 = train(replace(spec, epochs=0, record=()), [run], given)[0].params["W2"]
    # At x = 0 all five units are at 0, and the output is its bias, 0.
    assert step == pytest.approx(run.lr / M * given.Y[0, 0] * W2[0], rel=1e-10)
    assert healthy.params["W1"].tobytes() == ill.params["W1"].tobytes()


def test_a_cache_used_twice_is_harmless_unless_a_helper_has_written_into_it():
    late = "inplace_derivative_after_use"
    right = backward(RELU)
    for harmless in ((late,), ("cache_used_twice",)):
        grads = backward(replace(RELU, defects=harmless))
        assert all(right[name].tobytes() == grads[name].tobytes() for name in right)
    together = backward(replace(RELU, defects=(late, "cache_used_twice")))
    early = backward(replace(RELU, defects=("inplace_derivative_overwrites_cache",)))
    assert {name for name in right if right[name].tobytes() != together[name].tobytes()}
    assert all(early[name].tobytes() == together[name].tobytes() for name in right)


def test_weights_updated_first_under_rates_of_layers():
    spec = replace(TANH, defects=("weights_updated_before_backprop",), hyper=Hyper())
    run = replace(RUN, lr_factor=(1.0, 0.5, 2.0, 0.1))
    [got] = train(spec, [run], data())
    expected = oracles.training(spec, run, data(), update_first=True)
    for name, p in expected.params.items():
        assert got.params[name] == pytest.approx(p, abs=1e-11), name
