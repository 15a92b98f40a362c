"""What a stack shares, what each of its runs has for itself, and the data they train on."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from bpcore.activations import ACTIVATIONS, Array
from bpcore.defects import check_defects
from bpcore.initializers import INITIALIZERS
from bpcore.losses import LOSSES, OUTPUTS, check_pairing
from bpcore.optimizers import OPTIMIZERS, Hyper
from bpcore.probes import PROBES
from bpcore.tables import lookup

REDUCTIONS = ("mean", "sum")
DTYPES = ("float64", "float32")

# Raised by hand whenever the numbers of a run change; part of every run's identity.
ENGINE_VERSION = 1


@dataclass(frozen=True)
class StackSpec:
    """What all runs of a stack share: everything but seeds, rates, scales and weight decay.

    Attributes:
        sizes: units of each layer, the number of inputs first: `(2, 10, 10, 1)`.
        activation: of the hidden layers.
        output: the output unit.
        loss: in nats, summed over units.
        reduction: mean or sum of the loss over the samples of a step.
        bias: whether layers have biases.
        dtype: of parameters, data and arithmetic.
        optimizer: how a step uses a gradient.
        hyper: the optimizer's constants.
        decays: whether runs of this stack have a weight decay; each has its own amount.
        batch_size: samples a step; None is the full batch, in the data's order.
        epochs: passes over the training data.
        defects: mistakes to train with, `name` or `name@layer`, in catalogue order.
        probes: what is measured.
        record: the epochs at whose start it is measured, ascending, `epochs` (the end) last;
            empty means start and end.
    """

    sizes: tuple[int, ...]
    activation: str = "relu"
    output: str = "sigmoid"
    loss: str = "binary_cross_entropy"
    reduction: str = "mean"
    bias: bool = True
    dtype: str = "float64"
    optimizer: str = "sgd"
    hyper: Hyper = field(default_factory=Hyper)
    decays: bool = False
    batch_size: int | None = None
    epochs: int = 1000
    defects: tuple[str, ...] = ()
    probes: tuple[str, ...] = tuple(PROBES)
    record: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Check names and pairings.

        Raises:
            ValueError: a name is in no table, or output and loss do not go together.
        """
        lookup(ACTIVATIONS, "activation", self.activation)
        lookup(OUTPUTS, "output", self.output)
        lookup(OPTIMIZERS, "optimizer", self.optimizer)
        for what, names in (("loss", LOSSES), ("reduction", REDUCTIONS), ("dtype", DTYPES)):
            lookup(dict.fromkeys(names), what, getattr(self, what))
        for probe in self.probes:
            lookup(PROBES, "probes", probe)
        if len(self.sizes) < 2 or min(self.sizes) < 1:
            msg = f"`sizes` must be two or more positive numbers of units; got {self.sizes}."
            raise ValueError(msg)
        if self.epochs < 0 or (self.batch_size is not None and self.batch_size < 1):
            msg = (
                "`epochs` must be 0 or more and `batch_size` 1 or more; "
                f"got {self.epochs} and {self.batch_size}."
            )
            raise ValueError(msg)
        if not self.record:
            object.__setattr__(self, "record", tuple(sorted({0, self.epochs})))
        if list(self.record) != sorted({0, *self.record, self.epochs}):
            msg = (
                f"`record` must ascend from 0 to epochs={self.epochs}; got {self.record}. "
                "epochs_to_record makes one."
            )
            raise ValueError(msg)
        check_pairing(self.output, self.loss, self.sizes[-1])
        check_defects(self.defects, self)

    @property
    def layers(self) -> int:
        """Number of layers with weights."""
        return len(self.sizes) - 1


@dataclass(frozen=True)
class RunSpec:
    """What one run has for itself.

    Attributes:
        seed: with `replicate`, the origin of every random stream of the run.
        replicate: equal replicates of different runs draw from the same streams.
        lr: learning rate.
        lr_factor: a factor on it for each layer; layers beyond have 1.
        init: initializer of all weights.
        init_scale: multiplies what the initializer draws.
        scale_factor: a further factor for each layer; layers beyond have 1.
        init_low: lower end of `init="uniform"` at scale 1.
        init_high: its upper end.
        bias_scale: multiplies the initial biases; 0 starts them at zero.
        weight_decay: `weight_decay * W` is added to the gradient of each W (not of b).
    """

    seed: int = 0
    replicate: int = 0
    lr: float = 0.1
    lr_factor: tuple[float, ...] = ()
    init: str = "he_normal"
    init_scale: float = 1.0
    scale_factor: tuple[float, ...] = ()
    init_low: float = -1.0
    init_high: float = 1.0
    bias_scale: float = 0.0
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        """Raise ValueError for an initializer that is in no table."""
        lookup(INITIALIZERS, "init", self.init)


@dataclass(frozen=True)
class Data:
    """Prepared data; samples are columns.

    Attributes:
        X: `(n_in, m)` inputs.
        Y: `(n_out, m)` targets.
        X_test: `(n_in, m_test)`; `m_test` may be 0.
        Y_test: `(n_out, m_test)`.
        midpoint: the output above which a single unit says "this class"; None for regression, where
            there is no accuracy.
    """

    X: Array
    Y: Array
    X_test: Array
    Y_test: Array
    midpoint: float | None = 0.5

    @classmethod
    def of(cls, X: Array, Y: Array, midpoint: float | None = 0.5) -> Data:
        """Wrap training data without a test split."""
        X, Y = np.asarray(X, float), np.asarray(Y, float)
        return cls(X, Y, X[:, :0], Y[:, :0], midpoint)
