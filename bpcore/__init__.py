"""Small neural networks in NumPy, trained many at a time and measured while they train."""

from bpcore.activations import ACTIVATIONS
from bpcore.defects import DEFECTS
from bpcore.initializers import INITIALIZERS
from bpcore.losses import LOSSES, OUTPUTS, PAIRINGS, REFUSED
from bpcore.optimizers import OPTIMIZERS, Hyper
from bpcore.probes import PROBES
from bpcore.recording import epochs_to_record
from bpcore.results import Outcome, RunResult, StackResult
from bpcore.spec import ENGINE_VERSION, Data, RunSpec, StackSpec
from bpcore.training import stack_size, train, train_stack

__all__ = [
    "ACTIVATIONS",
    "DEFECTS",
    "ENGINE_VERSION",
    "INITIALIZERS",
    "LOSSES",
    "OPTIMIZERS",
    "OUTPUTS",
    "PAIRINGS",
    "PROBES",
    "REFUSED",
    "Data",
    "Hyper",
    "Outcome",
    "RunResult",
    "RunSpec",
    "StackResult",
    "StackSpec",
    "epochs_to_record",
    "stack_size",
    "train",
    "train_stack",
]
