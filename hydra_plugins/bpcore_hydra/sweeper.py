"""The sweeper `bpcore`: Hydra's grid, with axes that move together, a filter and log spacing.

Every start of Hydra imports this module, so what is heavy is imported where it is used. Hydra runs
it before it stands in `sys.modules`, where dataclasses would look up annotations kept as texts:
so they are not postponed here.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from hydra_plugins.bpcore_hydra.launcher import bad_input_ends_here

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override

    from sweeps.axes import Axis


@dataclass
class GridSweeperConf:
    """The sweeper's node in the configuration: `params` holds an experiment's axes."""

    _target_: str = "hydra_plugins.bpcore_hydra.sweeper.GridSweeper"
    params: Optional[dict[str, Any]] = None  # noqa: UP045 - OmegaConf cannot read X | None


ConfigStore.instance().store(
    group="hydra/sweeper", name="bpcore", node=GridSweeperConf, provider="bpcore"
)


class GridSweeper(Sweeper):
    """Expands axes into cells and hands all of them to the launcher in one batch."""

    def __init__(self, params: Mapping[str, Any] | None = None) -> None:
        self.params = dict(params or {})
        self.config: DictConfig | None = None
        self.hydra_context: HydraContext | None = None
        self.launcher: Launcher | None = None

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep what Hydra hands over before the sweep, and make the launcher."""
        self.hydra_context = hydra_context
        self.config = config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        """Launch the jobs that `params` and the command line's overrides ask for."""
        assert self.launcher is not None  # noqa: S101 - set by setup
        with bad_input_ends_here():
            jobs = self.jobs(arguments)
        results = self.launcher.launch(jobs, initial_job_idx=0)
        for result in results:
            result.return_value  # noqa: B018 - raises what Hydra's own launchers caught in the job
        return [results]

    def jobs(self, arguments: list[str]) -> list[tuple[str, ...]]:
        """Expand `params` and overrides into the override texts of each job.

        Args:
            arguments: The command line's overrides. Each replaces the one of the same key in
                `params`.

        Returns:
            What Hydra's basic sweeper would launch, with floats canonical, equal jobs once,
            `zip` and `only` obeyed.

        Raises:
            BadInput: An override, `zip` or `only` cannot be used.
        """
        from sweeps.axes import grid

        overrides = self._overrides(arguments)
        zipped, only = (self._setting(name, overrides) for name in ("zip", "only"))
        axes = [_axis(override) for override in overrides]
        return grid(axes, zipped, None if only is None else str(only))

    def _loader(self) -> Any:
        assert self.hydra_context is not None  # noqa: S101 - set by setup
        return self.hydra_context.config_loader

    def _overrides(self, arguments: list[str]) -> "list[Override]":
        """Merge `params` and arguments, in the order of Hydra's basic sweeper."""
        axes = [f"{key}={_as_text(value)}" for key, value in self.params.items()]
        params = self._parse([*self._case_axes(), *axes])
        given = self._parse(arguments)
        spelled = {_name(override): override.get_key_element() for override in given}
        merged: dict[str, Override] = {}
        for override in params:
            # `++lr=1` and `~lr` replace the axis lr too, though they stand at their own place.
            key = override.get_key_element()
            if spelled.get(_name(override), key) == key:
                merged[key] = override
        merged.update((override.get_key_element(), override) for override in given)
        return list(merged.values())

    def _case_axes(self) -> list[str]:
        """Return the axes of the case in the master configuration, if there is one."""
        case = None if self.config is None else OmegaConf.select(self.config, "case")
        if case is None:
            return []
        from sweeps.cases import axes

        return axes(case)

    def _parse(self, texts: list[str]) -> "list[Override]":
        from hydra.core.override_parser.overrides_parser import OverridesParser
        from hydra.errors import HydraException

        from sweeps.errors import BadInput
        from sweeps.refusals import explain

        try:
            return list(OverridesParser.create(self._loader()).parse_overrides(texts))
        except HydraException as error:
            raise BadInput(explain(error)) from error

    def _setting(self, name: str, overrides: "list[Override]") -> Any:
        """Return what the master configuration, or an experiment's `params`, says of `name`."""
        for override in overrides:
            if override.get_key_element() == name and not override.is_sweep_override():
                return override.value()
        value = OmegaConf.select(self.config, name) if self.config is not None else None
        return OmegaConf.to_container(value) if OmegaConf.is_config(value) else value


def _name(override: "Override") -> str:
    """Return an override's key without `+`, `++` or `~`."""
    return override.get_key_element().lstrip("+~")


def _as_text(value: Any) -> str:
    """Write a YAML value the way the command line would have it; texts are sweeps already."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def _axis(override: "Override") -> "Axis":
    """Turn an override, whether it sweeps or not, into an axis."""
    from hydra.core.override_parser.types import Transformer

    from sweeps.axes import Axis, canonical, is_spacing, log_spacing
    from sweeps.errors import BadInput
    from sweeps.helptext import KEYS, SWEEP_KEYS

    key, name = override.get_key_element(), _name(override)
    whole = name in ("width", "batch_size") or (name in KEYS and KEYS[name].type.startswith("int"))
    raw: list[Any] = []
    for value in _raw_values(override):
        raw += log_spacing(value, whole) if is_spacing(value) else [canonical(value)]
    if not raw:
        raise BadInput(f"`{name}` must have at least one value; got {override.input_line}.")
    return Axis(
        name="" if override.is_delete() or name in SWEEP_KEYS else name,
        values=tuple(override._convert_value(value) for value in raw),
        texts=tuple(f"{key}={Transformer.str(value)}" for value in raw),
    )


def _raw_values(override: "Override") -> list[Any]:
    """List an override's values as parsed, texts still with their quotes."""
    from hydra.errors import HydraException

    from sweeps.axes import MOST_VALUES
    from sweeps.errors import BadInput
    from sweeps.helptext import SWEEP_KEYS, WHOLE_SWEEPS

    name, line = _name(override), override.input_line
    if not override.is_sweep_override():
        return [override._value]
    if name in SWEEP_KEYS:
        raise BadInput(f"`{name}` must have one value for the whole sweep; got {line}.")
    if name in WHOLE_SWEEPS:  # Hydra would run them without the axes in their files
        raise BadInput(
            f"`{name}` must be one, since {name}s are swept one at a time; got {line}. "
            f"Give one command for each {name}."
        )
    no_steps = (
        f"`{name}` must have values to step through; got {line}. "
        f"Write {name}=log:LOW:HIGH:COUNT or {name}=range(START,STOP,STEP)."
    )
    if not override.is_discrete_sweep():
        raise BadInput(no_steps)
    try:
        values = list(itertools.islice(override.sweep_iterator(), MOST_VALUES + 1))
    except (HydraException, ValueError, ArithmeticError) as error:
        raise BadInput(no_steps) from error
    if len(values) > MOST_VALUES:
        raise BadInput(f"`{name}` must have at most {MOST_VALUES} values; got {line}.")
    return values
