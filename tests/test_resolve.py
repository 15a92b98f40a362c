"""What a run is: which configurations are one run, and which are two."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
from omegaconf import OmegaConf

from bpcore import DEFECTS, OPTIMIZERS
from sweeps import setting
from sweeps.config import SweepConfig
from sweeps.errors import BadInput
from sweeps.resolve import resolve, rounded

BASE = OmegaConf.to_container(OmegaConf.structured(SweepConfig))
XOR = {"name": "xor", "standardize": False}
MOONS = {"name": "moons", "samples": 40}


def config(**changes):
    """The schema's defaults, changed; `data` and `data_KEY` change the data's part."""
    made = copy.deepcopy(BASE)
    made["data"] |= {"name": "moons", "samples": 40} | changes.pop("data", {})
    for key, value in changes.items():
        part, _, rest = key.partition("_")
        if part == "data":
            made["data"][rest] = value
        else:
            assert key in made
            made[key] = value
    return made


def identity(**changes):
    return resolve(config(**changes))[0].id


SAME = [
    # `auto` and what it stands for
    ({}, {"init": "he_normal"}),
    ({"activation": "tanh"}, {"activation": "tanh", "init": "glorot_uniform"}),
    ({}, {"loss": "binary_cross_entropy"}),
    ({}, {"output": "sigmoid"}),
    ({}, {"output": "sigmoid", "loss": "binary_cross_entropy"}),
    ({"output": "softmax"}, {"output": "softmax", "loss": "softmax_cross_entropy"}),
    ({"output": "tanh"}, {"output": "tanh", "loss": "squared_error"}),
    ({"loss": "squared_error"}, {"loss": "squared_error", "output": "identity"}),
    (
        {"data": {"name": "blobs"}},
        {"data": {"name": "blobs"}, "output": "softmax", "loss": "softmax_cross_entropy"},
    ),
    ({}, {"data_noise": 0.2}),
    ({}, {"data_one_hot": False}),
    # ways to say the same
    ({}, {"depth": 2}),
    ({}, {"width": [10, 10]}),
    ({"depth": 0}, {"width": []}),
    ({}, {"batch_size": 40}),
    ({}, {"lr_factor": [1.0, 1.0]}),
    ({}, {"lr_factor": [1]}),
    ({"scale_factor": [2.0]}, {"scale_factor": [2.0, 1.0, 1.0]}),
    ({"lr": 1}, {"lr": 1.0}),
    ({}, {"probes": ["grad_norm", *reversed(resolve(config())[0].spec.probes)]}),
    ({"epochs": 3, "record": "every"}, {"epochs": 3, "record": [2, 1]}),
    ({"epochs": 10}, {"epochs": 10, "record": "every"}),
    # 12 significant digits
    ({"lr": 0.3}, {"lr": 0.1 + 0.2}),
    ({"init_scale": 0.3}, {"init_scale": 0.30000000000000004}),
    ({"weight_decay": 1e-300}, {"weight_decay": 1.0000000000001e-300}),
    ({"scale_factor": [0.3]}, {"scale_factor": [0.1 + 0.2]}),
    (
        {"optimizer": "adam", "epsilon": 1e-8},
        {"optimizer": "adam", "epsilon": 1e-8 * (1 + 1e-13)},
    ),
    # defects: order, repetition, numbers from the end, all layers by name
    (
        {"defects": ["sign_error@2", "upstream_discarded"]},
        {"defects": ["upstream_discarded", "sign_error@2"]},
    ),
    ({"defects": ["sign_error@3"]}, {"defects": ["sign_error@-1", "sign_error@3"]}),
    ({"defects": ["sign_error"]}, {"defects": [f"sign_error@{k}" for k in (3, 1, 2)]}),
    # constants that nothing uses
    ({}, {"momentum": 0.5}),
    ({}, {"beta1": 0.5, "beta2": 0.5, "epsilon": 0.5}),
    ({"optimizer": "momentum"}, {"optimizer": "momentum", "beta1": 0.5, "beta2": 0.5}),
    ({"optimizer": "adam"}, {"optimizer": "adam", "beta2": OPTIMIZERS["adam"].beta2}),
    ({"optimizer": "adam"}, {"optimizer": "adam", "momentum": 0.5}),
    ({"optimizer": "rmsprop"}, {"optimizer": "rmsprop", "beta1": 0.5}),
    ({"optimizer": "rmsprop"}, {"optimizer": "rmsprop", "beta2": OPTIMIZERS["rmsprop"].beta2}),
    ({"init": "normal"}, {"init": "normal", "init_low": -3.0, "init_high": 3.0}),
    ({"bias": False}, {"bias": False, "bias_scale": 1.0}),
    # keys of the sweep, not of the run
    ({}, {"replicates": 3, "name": "mine", "jobs": 1, "plan": True, "store": "elsewhere"}),
    ({}, {"report": False, "only": "lr<1", "zip": ["lr", "depth"], "save_params": "p.npz"}),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_these_are_one_run(one, other):
    first, second = resolve(config(**one))[0], resolve(config(**other))[0]
    assert first.id == second.id
    # One identity must mean one training, down to the columns that are stored.
    assert (first.spec, first.run) == (second.spec, second.run)
    assert first.setting.prepared.digest == second.setting.prepared.digest
    assert dict(first.setting.columns) == dict(second.setting.columns)


ADAM = {"optimizer": "adam"}
CHANGES = {
    "activation": {"activation": "tanh", "init": "he_normal"},
    "depth": {"depth": 3},
    "width": {"width": 9},
    "order of widths": {"width": [3, 9]},
    "other order of widths": {"width": [9, 3]},
    "init": {"init": "he_uniform"},
    "init_scale": {"init_scale": 1.00000000001},
    "init_low": {"init": "uniform", "init_low": -0.5},
    "init_high": {"init": "uniform", "init_high": 0.5},
    "uniform": {"init": "uniform"},
    "bias_scale": {"bias_scale": 0.1},
    "scale_factor": {"scale_factor": [1.0, 2.0]},
    "scale_factor of another layer": {"scale_factor": [2.0, 1.0]},
    "lr": {"lr": 0.10000000001},
    "lr_factor": {"lr_factor": [1.0, 2.0]},
    "optimizer": {"optimizer": "momentum"},
    "nesterov": {"optimizer": "nesterov"},
    "rmsprop": {"optimizer": "rmsprop"},
    "adam": ADAM,
    "momentum": {"optimizer": "momentum", "momentum": 0.8},
    "beta1": ADAM | {"beta1": 0.8},
    "beta2": ADAM | {"beta2": 0.8},
    "epsilon": ADAM | {"epsilon": 1e-7},
    "batch_size": {"batch_size": 39},
    "epochs": {"epochs": 999},
    "loss": {"loss": "squared_error", "output": "sigmoid"},
    "reduction": {"reduction": "sum"},
    "output": {"output": "softmax"},
    "bias": {"bias": False},
    "weight_decay": {"weight_decay": 1e-9},
    "seed": {"seed": 1},
    "dtype": {"dtype": "float32"},
    "defects": {"defects": ["sign_error"]},
    "place of a defect": {"defects": ["sign_error@1"]},
    "probes": {"probes": "none"},
    "record": {"record": "ends"},
    "data.name": {"data": {"name": "circles"}},
    "data.samples": {"data_samples": 41},
    "data.noise": {"data_noise": 0.21},
    "data.classes": {"data": {"name": "blobs", "classes": 3}},
    "more data.classes": {"data": {"name": "blobs", "classes": 4}},
    "data.one_hot": {"data_one_hot": True},
    "data.target_low": {"data_target_low": -1.0},
    "data.target_high": {"data_target_high": 0.9},
    "data.standardize": {"data_standardize": False},
    "data.test_fraction": {"data_test_fraction": 0.25},
    "data.seed": {"data_seed": 1},
}


def test_every_key_that_matters_makes_another_run():
    ids = {"nothing": identity()} | {name: identity(**made) for name, made in CHANGES.items()}
    assert len(set(ids.values())) == len(ids)


def test_no_key_of_a_run_was_forgotten_above():
    tried = {key for change in CHANGES.values() for key in change}
    matter = set(BASE) - {"data"} - {f.name for f in _own_fields()}
    assert matter - tried == set()
    # Path, target and task belong to tables, below.
    data_keys = {f"data_{key}" for key in BASE["data"]} - {
        *("data_name", "data_path", "data_target", "data_task", "data_classes")
    }
    assert data_keys - tried == set()


def _own_fields():
    """The keys that SweepConfig adds to RunConfig: of a sweep, not of a run."""
    import dataclasses

    from sweeps.config import RunConfig

    run = {field.name for field in dataclasses.fields(RunConfig)}
    return [field for field in dataclasses.fields(SweepConfig) if field.name not in run]


def test_identities_are_32_hex_digits_and_differ_by_replicate_and_seed():
    runs = [run for seed in (0, 1) for run in resolve(config(seed=seed, replicates=5))]
    assert len({run.id for run in runs}) == 10
    assert all(len(run.id) == 32 and int(run.id, 16) >= 0 for run in runs)
    assert [run.run.replicate for run in runs] == [0, 1, 2, 3, 4] * 2


def test_more_replicates_begin_with_the_same_runs():
    few, many = (resolve(config(replicates=n)) for n in (3, 7))
    assert [run.id for run in few] == [run.id for run in many[:3]]


def test_identity_belongs_to_the_version_of_the_core(monkeypatch):
    before = identity()
    monkeypatch.setattr(setting, "_SETTINGS", {})
    monkeypatch.setattr(setting, "ENGINE_VERSION", setting.ENGINE_VERSION + 1)
    assert identity() != before


@pytest.fixture
def table(tmp_path):
    rows = "a,b,y\n1,2,no\n2,3,yes\n3,5,no\n4,7,yes\n"
    for name in ("one.csv", "two.csv"):
        (tmp_path / name).write_text(rows, encoding="utf-8")
    return tmp_path


def of_table(path, **changes):
    return identity(data={"name": "table", "samples": None, "path": str(path), **changes})


def test_data_are_known_by_their_numbers_not_by_path_or_column_names(table):
    (table / "renamed.csv").write_text("u,v,w\n1,2,f\n2,3,t\n3,5,f\n4,7,t\n", encoding="utf-8")
    same = {
        of_table(table / "one.csv", target="y"),
        of_table(table / "two.csv", target="y", task="classification"),
        of_table(table / "renamed.csv", target="w"),
    }
    assert len(same) == 1


def test_a_run_is_another_when_its_file_was_edited(table):
    before = of_table(table / "one.csv", target="y")
    (table / "one.csv").write_text("a,b,y\n1,2,no\n2,3,yes\n3,5,no\n4,8,yes\n", encoding="utf-8")
    assert of_table(table / "one.csv", target="y") != before
    assert of_table(table / "two.csv", target="y") == before


def test_data_are_known_by_their_numbers_not_by_the_name_of_the_set(tmp_path):
    # The table holds exclusive or, as data=xor draws it.
    (tmp_path / "xor.csv").write_text("a,b,y\n0,0,0\n0,1,1\n1,0,1\n1,1,0\n", encoding="utf-8")
    drawn = identity(data={"name": "xor", "samples": None, "standardize": False})
    read = of_table(tmp_path / "xor.csv", target="y", task="classification", standardize=False)
    assert read == drawn


def test_floats_are_rounded_before_training_too():
    run = resolve(config(lr=0.1 + 0.2, init_scale=1 / 3, scale_factor=[0.1 + 0.2]))[0].run
    assert (run.lr, run.scale_factor[0]) == (0.3, 0.3)
    assert run.init_scale == 0.333333333333


@pytest.mark.parametrize("value", [0.1 + 0.2, 1 / 3, 1e-310, 123456789.123456789, 5e-324, 0.0])
def test_rounding_keeps_twelve_digits_and_is_settled_by_doing_it_once(value):
    assert rounded(rounded(value)) == rounded(value)
    assert rounded(value) == float(np.format_float_scientific(value, 11, unique=False))
    assert math.isclose(rounded(value), value, rel_tol=5e-12, abs_tol=5e-324)


def test_settings_are_shared_by_cells_that_agree_in_them():
    settings = {
        id(resolve(config(lr=lr, seed=seed))[0].setting) for lr in (1, 2) for seed in (1, 2)
    }
    assert len(settings) == 1


def test_a_file_that_changed_is_not_taken_from_the_shared_settings(table):
    data = {"name": "table", "samples": None, "path": str(table / "one.csv"), "target": "y"}
    before = resolve(config(data=data))[0].setting
    assert resolve(config(data=data))[0].setting is before
    (table / "one.csv").write_text("a,b,y\n9,2,no\n2,3,yes\n", encoding="utf-8")
    assert resolve(config(data=data))[0].setting.prepared.X.shape == (2, 2)


def test_weight_decay_alone_decides_whether_a_stack_decays():
    plain, decayed = resolve(config())[0], resolve(config(weight_decay=0.1))[0]
    assert (plain.spec.decays, decayed.spec.decays) == (False, True)
    assert plain.setting is decayed.setting


# The loss of the best constant output, by hand.
HALF = math.log(2)
PRIORS = [
    ({"data": XOR, "data_samples": None}, HALF),
    ({"data": XOR, "data_samples": None, "reduction": "sum"}, 4 * HALF),
    ({"data": {"name": "blobs", "samples": 30}}, math.log(3)),
    # Half of the targets are 0, half 1: L = (1/2) (1/2)^2.
    ({"data": XOR, "data_samples": None, "loss": "squared_error"}, 0.125),
    # Two units, each as above.
    ({"data": XOR, "data_samples": None, "loss": "squared_error", "data_one_hot": True}, 0.25),
    # Two sigmoids, one a class, each -log(1/2) a sample.
    ({"data": XOR, "data_samples": None, "output": "sigmoid", "data_one_hot": True}, 2 * HALF),
    # One sigmoid a class under softmax's loss may say 1 to every class.
    (
        {
            "data": {"name": "blobs", "samples": 30},
            "output": "sigmoid",
            "loss": "softmax_cross_entropy",
        },
        0.0,
    ),
]


@pytest.mark.parametrize(("changes", "expected"), PRIORS)
def test_prior_loss_is_that_of_the_best_constant_output(changes, expected):
    assert resolve(config(**changes))[0].setting.prior_loss == pytest.approx(expected, rel=1e-12)


def test_targets_are_coded_as_the_output_needs_them():
    assert resolve(config())[0].spec.sizes == (2, 10, 10, 1)
    assert resolve(config(output="softmax"))[0].spec.sizes == (2, 10, 10, 2)


def test_a_numeric_target_is_predicted_with_squared_error(tmp_path):
    rows = "".join(f"{k},{k * k / 7}\n" for k in range(30))
    (tmp_path / "r.csv").write_text("a,y\n" + rows, encoding="utf-8")
    data = {"name": "table", "samples": None, "path": str(tmp_path / "r.csv"), "target": "y"}
    run = resolve(config(data=data))[0]
    assert (run.spec.loss, run.spec.output) == ("squared_error", "identity")
    with pytest.raises(BadInput) as refused:
        resolve(config(data=data, loss="binary_cross_entropy"))
    assert str(refused.value) == (
        "`loss` must be squared_error for a numeric target; got binary_cross_entropy. If the "
        "numbers are classes, say data.task=classification."
    )


@pytest.mark.parametrize("defect", DEFECTS)
def test_every_defect_makes_another_run(defect):
    # A network in which most of them can be made, and those of the others.
    network = {"activation": "leaky_relu", "loss": "squared_error", "output": "sigmoid"}
    if defect.startswith("loss_gradient"):
        network["loss"] = "binary_cross_entropy"
    assert identity(**network, defects=[defect]) != identity(**network)


REFUSED = [
    (
        {"optimizer": "adm"},
        (
            "`optimizer` must be one of sgd, momentum, nesterov, rmsprop, adam; got adm. Did "
            "you mean adam?"
        ),
    ),
    (
        {"probes": ["grad_nrm"]},
        (
            "`probes` must be one of output_spread, act_mean, act_spread, dead_fraction, "
            "saturated_fraction, grad_norm, weight_norm, update_ratio; got grad_nrm. Did you "
            "mean grad_norm?"
        ),
    ),
    (
        {"width": [4, 0]},
        "`width` must be a whole number, 1 or more, or a list of them; got [4, 0].",
    ),
    ({"width": "ten"}, "`width` must be a whole number, 1 or more, or a list of them; got ten."),
    (
        {"width": 100_000},
        (
            "`width` must make networks of at most 100000000 parameters; got 100000, which "
            "makes 10000500001."
        ),
    ),
    (
        {"width": [4, 4], "depth": 3},
        (
            "`width` must list one number for each of depth=3 layers; got [4, 4]. Leave depth "
            "out, or give one width for all layers."
        ),
    ),
    ({"depth": 100_000}, "`depth` must be a whole number from 0 to 10000; got 100000."),
    ({"lr": -0.1}, "`lr` must be a finite number, 0 or more; got -0.1."),
    ({"lr": math.inf}, "`lr` must be a finite number, 0 or more; got inf."),
    (
        {"seed": 2**63},
        ("`seed` must be a whole number from 0 to 4294967295; got 9223372036854775808."),
    ),
    ({"replicates": 0}, "`replicates` must be a whole number from 1 to 10000000; got 0."),
    ({"jobs": -1}, "`jobs` must be a whole number, 0 or more; 0 means one a core; got -1."),
    ({"momentum": 1.0}, "`momentum` must be a number from 0 up to, but not including, 1; got 1.0."),
    ({"init_low": 2.0}, "`init_low` must not be above init_high=1.0; got 2.0."),
    (
        {"lr_factor": [1.0, -2.0]},
        "`lr_factor` must list finite numbers, 0 or more; got -2.0 for layer 2.",
    ),
    (
        {"lr_factor": [1.0, 1.0, 1.0, 2.0, 1.0]},
        (
            "`lr_factor` must have a factor for each of the 3 layers at most; got 5 with [2.0, "
            "1.0] for layers that are not there. Elements count from 0: lr_factor.0 is the "
            "factor of layer 1."
        ),
    ),
    (
        {"probes": "all"},
        (
            "`probes` must be usual, none or a list of output_spread, act_mean, act_spread, "
            "dead_fraction, saturated_fraction, grad_norm, weight_norm, update_ratio; got all."
        ),
    ),
    (
        {"record": "often"},
        (
            "`record` must be log:N, every, every:N, last:N, ends or a list of epochs, N a "
            "positive number; got often."
        ),
    ),
    (
        {"defects": ["sign_error@4"]},
        (
            "`defects` must name a layer that sign_error can be made in, here 1, 2, 3; got "
            "sign_error@4."
        ),
    ),
    (
        {"defects": ["weights_updated_before_backprop"], "optimizer": "adam"},
        (
            "`defects` must fit the network; got weights_updated_before_backprop: it needs "
            "optimizer=sgd without weight_decay."
        ),
    ),
    (
        {"batch_size": 0},
        (
            "`batch_size` must be full or a whole number from 1 to 40, the number of training "
            "samples; got 0."
        ),
    ),
]


@pytest.mark.parametrize(("changes", "sentence"), REFUSED)
def test_a_value_outside_its_rule_is_refused_with_key_rule_and_value(changes, sentence):
    with pytest.raises(BadInput) as refused:
        resolve(config(**changes))
    assert str(refused.value) == sentence
