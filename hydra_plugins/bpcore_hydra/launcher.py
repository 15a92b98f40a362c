"""The launcher `bpcore`: all jobs of a sweep composed, validated and trained as one batch.

Every start of Hydra imports this module, so what is heavy is imported where it is used. Hydra runs
it before it stands in `sys.modules`, where dataclasses would look up annotations kept as texts:
so they are not postponed here.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


@dataclass
class StackLauncherConf:
    """The launcher's node in the configuration; it has nothing to set."""

    _target_: str = "hydra_plugins.bpcore_hydra.launcher.StackLauncher"


ConfigStore.instance().store(
    group="hydra/launcher", name="bpcore", node=StackLauncherConf, provider="bpcore"
)


@contextmanager
def bad_input_ends_here() -> Iterator[None]:
    """Print the sentence of bad input and exit with status 2.

    Hydra would print a traceback for any exception that is not its own, add advice about
    HYDRA_FULL_ERROR even to those that are, and exit with status 1. It leaves SystemExit alone.
    """
    from sweeps.errors import BadInput

    try:
        yield
    except BadInput as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(2) from error


class StackLauncher(Launcher):
    """Composes the jobs the short way and hands them to the engine, all at once."""

    def __init__(self) -> None:
        super().__init__()
        self.config: DictConfig | None = None
        self.hydra_context: HydraContext | None = None

    def setup(
        self,
        *,
        hydra_context: HydraContext,
        task_function: TaskFunction,  # noqa: ARG002 - Hydra's interface; the engine trains instead
        config: DictConfig,
    ) -> None:
        """Keep what Hydra hands over before the launch."""
        self.config = config
        self.hydra_context = hydra_context

    def launch(
        self,
        job_overrides: Sequence[Sequence[str]],
        initial_job_idx: int,  # noqa: ARG002 - Hydra's interface
    ) -> Sequence[JobReturn]:
        """Train each job's cell and return its median final loss.

        Args:
            job_overrides: The override texts of each job.
            initial_job_idx: Unused: a cell is known by its configuration, not by a number.

        Returns:
            One result a job, in the order of the jobs and duplicates included, as sweepers
            that optimize require.
        """
        with bad_input_ends_here():
            losses = self._train(job_overrides)
        self._make_directory()
        return [
            JobReturn(
                overrides=list(overrides),
                status=JobStatus.COMPLETED,
                _return_value=loss,  # never NaN, which would end Optuna's study
            )
            for overrides, loss in zip(job_overrides, losses, strict=True)
        ]

    def _make_directory(self) -> None:
        """Make the sweep's directory, which other sweepers write to and leave to the launcher."""
        assert self.config is not None  # noqa: S101 - set by setup
        if self.config.hydra.runtime.choices["hydra/sweeper"] != "bpcore":
            Path(str(self.config.hydra.sweep.dir)).mkdir(parents=True, exist_ok=True)

    def _train(self, jobs: Sequence[Sequence[str]]) -> Sequence[float]:
        from sweeps.compose import compose
        from sweeps.engine import run_cells

        assert self.config is not None  # noqa: S101 - set by setup, as is the context
        assert self.hydra_context is not None  # noqa: S101
        load = partial(self.hydra_context.config_loader.load_sweep_config, self.config)
        groups = map(str, self.config.hydra.runtime.choices)
        return run_cells(compose(load, jobs, groups))
