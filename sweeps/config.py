"""What a run is and what was asked for: the typed schema behind `conf/config.yaml`.

The dataclasses are what Hydra checks the command line against, and the one place where a key,
its default and its help line stand. They are not frozen because OmegaConf cannot compose into
frozen ones. `sweeps.resolve` turns a composed configuration into runs of the core.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

LAYERS_WITH_FACTORS = 16


def _key(help_: str, default: Any) -> Any:
    """Declare a key with its help line; lists get a fresh copy."""
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata={"help": help_})
    return field(default=default, metadata={"help": help_})


@dataclass
class DataConfig:
    """One data set: which, how much of it, and how it is prepared. Null means: its own default."""

    name: str = _key("data set; set by choosing data=NAME", "xor")
    samples: int | None = _key("samples drawn or kept, before the test split", None)
    noise: float | None = _key("standard deviation of the noise on drawn points", None)
    classes: int | None = _key("number of classes (spirals, blobs)", None)
    path: str | None = _key("file (table) or directory (mnist)", None)
    target: str | None = _key("name of the target column (table)", None)
    task: str = _key("auto, classification or regression (table)", "auto")
    one_hot: bool | None = _key("one output unit a class; null: when the network needs it", None)
    target_low: float = _key("number that stands for 'not this class'", 0.0)
    target_high: float = _key("number that stands for 'this class'", 1.0)
    standardize: bool = _key("features to mean 0 and deviation 1, measured on training data", True)
    test_fraction: float = _key("share of the samples held out for loss_test, accuracy_test", 0.0)
    seed: int = _key("seed of drawing, shuffling and splitting; apart from the run's seed", 0)


@dataclass
class FactorConfig:
    """A suspected cause of a case: a toggle between two bundles of overrides.

    Attributes:
        level: posted or mended; the one that a cell has.
        posted: what is as in the post.
        mended: what is as it should be; left out, the case's own keys are right.
        open: whether the post leaves it open, so that it is only one of several possibilities.
        suspect: who suspects what, for readers.
        cure: what mending it means, for readers.
    """

    level: str = "posted"
    posted: dict[str, Any] = field(default_factory=dict)
    mended: dict[str, Any] = field(default_factory=dict)
    open: bool = False
    suspect: str = ""
    cure: str = ""


@dataclass
class ScenarioConfig:
    """A way to fill what a post leaves open.

    Attributes:
        posted: the factors that are as posted in it, the others mended; null: those not open.
        setting: one of the case's settings; null: its first.
        about: for readers.
    """

    posted: list[str] | None = None
    setting: str | None = None
    about: str = ""


@dataclass
class ClaimConfig:
    """What someone in a thread asserts, as a contrast that can be measured.

    Attributes:
        kind: blames, cures, clears, works or shows; see analysis/claims.py.
        factors: what it is about.
        scenarios: where it is judged; empty: in those that show the complaint.
        symptom: of kind shows, conditions as in `CaseConfig.complaint`.
        by: who, for readers.
        claim: in their sense, for readers.
    """

    kind: str = "blames"
    factors: list[str] = field(default_factory=list)
    scenarios: list[str] = field(default_factory=list)
    symptom: dict[str, Any] = field(default_factory=dict)
    by: str = ""
    claim: str = ""


@dataclass
class CaseConfig:
    """A forum post as an experiment: a file of conf/case.

    Attributes:
        data, setting: the chosen ones of a cell; null: the first.
        datasets, settings: bundles of overrides by name.
        factors: suspected causes by name.
        scenarios: ways to fill what the post leaves open.
        complaint: column of analysis.endings to its bounds [low, high], null for none; a run that
            is within all of them shows what the asker complains of. Empty: the asker says nothing.
        claims: what the thread asserts.
        title, source, asks, gives, leaves_open: for readers.
    """

    data: str | None = None
    setting: str | None = None
    datasets: dict[str, dict[str, Any]] = field(default_factory=dict)
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    factors: dict[str, FactorConfig] = field(default_factory=dict)
    scenarios: dict[str, ScenarioConfig] = field(default_factory=dict)
    complaint: dict[str, Any] = field(default_factory=dict)
    claims: list[ClaimConfig] = field(default_factory=list)
    title: str = ""
    source: str = ""
    asks: str = ""
    gives: str = ""
    leaves_open: str = ""


@dataclass
class RunConfig:
    """What one run is. Everything here, resolved, is part of the run's identity."""

    activation: str = _key(
        "of the hidden layers: relu, leaky_relu, floored_relu, elu, softplus, gelu, silu, tanh, "
        "softsign, sigmoid or identity",
        "relu",
    )
    depth: int | None = _key("number of hidden layers; null: 2, or as many as width lists", None)
    width: Any = _key("units in each hidden layer: a number, or a list of them", 10)
    init: str = _key(
        "auto (the activation's usual one), normal, uniform, glorot_normal, glorot_uniform, "
        "he_normal, he_uniform, lecun_normal, orthogonal, constant or zeros",
        "auto",
    )
    init_scale: float = _key("multiplies the initial weights", 1.0)
    init_low: float = _key("lower end of init=uniform, before init_scale", -1.0)
    init_high: float = _key("upper end of init=uniform, before init_scale", 1.0)
    bias_scale: float = _key("multiplies the initial biases; 0 starts them at zero", 0.0)
    scale_factor: list[float] = _key(
        "a further factor on the initial weights of each layer, input first",
        [1.0] * LAYERS_WITH_FACTORS,
    )
    lr: float = _key("learning rate", 0.1)
    lr_factor: list[float] = _key(
        "a further factor on the learning rate of each layer, input first",
        [1.0] * LAYERS_WITH_FACTORS,
    )
    optimizer: str = _key("sgd, momentum, nesterov, rmsprop or adam", "sgd")
    momentum: float = _key("momentum of momentum and nesterov", 0.9)
    beta1: float = _key("decay of adam's first moment", 0.9)
    beta2: float | None = _key("decay of the squares; null: 0.999 adam, 0.9 rmsprop", None)
    epsilon: float = _key("added to the root in adam and rmsprop", 1e-8)
    batch_size: Any = _key("full, or samples a step", "full")
    epochs: int = _key("passes over the training data; 0 records the start", 1000)
    loss: str = _key(
        "auto (the usual one of the data), binary_cross_entropy, softmax_cross_entropy or "
        "squared_error",
        "auto",
    )
    reduction: str = _key("mean or sum of the loss over samples", "mean")
    output: str = _key(
        "auto (the usual one of the loss), sigmoid, softmax, identity, relu or tanh", "auto"
    )
    bias: bool = _key("whether layers have biases", True)
    weight_decay: float = _key("adds weight_decay * W to the gradient of each W", 0.0)
    seed: int = _key("first half of the seed pair (seed, replicate) of a run", 0)
    dtype: str = _key("float64 or float32", "float64")
    defects: list[str] = _key("mistakes to train with: name, name@layer", [])
    probes: Any = _key("usual, none, or a list of probes", "usual")
    record: Any = _key("log:N, every, every:N, last:N, ends, or a list of epochs", "log:30")
    data: DataConfig = field(default_factory=DataConfig)


@dataclass
class SweepConfig(RunConfig):
    """What was asked for: a run's keys and how the sweep over them is made, kept and shown."""

    case: CaseConfig | None = None
    replicates: int = _key("trainings of each cell, numbered from first_replicate", 10)
    first_replicate: int = _key("number of the first; with replicates=1, one run by itself", 0)
    name: str | None = _key("name of the sweep; null: from its axes and runs", None)
    report: bool = _key("write a report of a sweep when it ends, to reports/NAME", True)
    store: str = _key("directory of the results", "store")
    zip: list[Any] = _key("axes that move together: [a,b], or [[a,b],[c,d]]", [])
    only: str | None = _key("keep only cells for which this holds, as \"'lr*depth<1'\"", None)
    plan: bool = _key("say what would run and how long; train nothing", False)
    jobs: int = _key("worker processes; 0: one a core", 0)
    save_params: str | None = _key("file (.npz) for the parameters of a single cell", None)
