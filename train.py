"""Train a sweep of small networks and remember it: `python train.py -m activation=relu,tanh`.

`python train.py --help` lists every key, the data sets and the experiments.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from sweeps.commandline import prepare
from sweeps.errors import BadInput, StoreFailed
from sweeps.pipes import outlive_readers

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from sweeps.asked import Sweep

MAIN = "BPCORE_MAIN_PROCESS"  # the process that reads the command line
CONF = Path(__file__).resolve().parent / "conf"


def train_one(config: DictConfig) -> float:
    """Train the cell that Hydra hands over alone, or under a launcher of its own.

    Returns:
        The median final loss, for sweepers that minimize it; a diverged run counts as inf.
    """
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    from sweeps.compose import Cell
    from sweeps.engine import run_cells

    plain = OmegaConf.to_container(config, resolve=True)
    overrides = tuple(HydraConfig.get().overrides.task)
    # In a launcher's worker process the command line is the launcher's.
    elsewhere = os.environ.get(MAIN) != str(os.getpid())
    command = shlex.join(["python", "train.py", *overrides]) if elsewhere else None
    try:
        [loss] = run_cells([Cell(overrides, cast("dict[str, Any]", plain))], command)
    except (BadInput, StoreFailed) as error:
        # Hydra announces any other exception with a line of its own.
        raise SystemExit(_say(str(error), 2 if isinstance(error, BadInput) else 1)) from error
    return loss


def main() -> int:
    """Run the command line.

    Returns:
        The exit status: 0 done, 1 our fault, 2 bad input, 130 interrupted.
    """
    try:
        return _show(run(sys.argv[1:]))
    except BadInput as error:
        return _say(str(error), 2)
    except StoreFailed as error:
        return _say(str(error), 1)
    except KeyboardInterrupt:
        return _interrupted()


def run(arguments: Sequence[str]) -> list[str]:
    """Train what the arguments ask for; `sweeps.engine.DONE` says what became of it.

    Returns:
        The arguments as Hydra saw them.

    Raises:
        BadInput: they ask for something that cannot be.
    """
    prepared, typed = prepare(arguments, CONF), sys.argv[1:]
    sys.argv[1:] = prepared
    try:
        _with_hydra()
    finally:
        sys.argv[1:] = typed
    return prepared


def _show(arguments: Sequence[str]) -> int:
    from sweeps import engine, summary

    if engine.DONE:
        summary.show(engine.DONE[0])
        if summary.wants_report(engine.DONE[0]):
            return _report(engine.DONE[0].sweep)
    elif "--multirun" in arguments or "-m" in arguments:
        print("Trained in other processes. What is stored: python -m sweeps.store list")
    return 0


def _report(sweep: Sweep) -> int:
    """Have the report made; without it, the training is done all the same."""
    import report
    from sweeps.summary import report_command

    try:
        report.of_sweep(sweep.store, sweep.name)
    except (BadInput, StoreFailed, report.NotWritten) as error:
        return _say(
            f"{error}\nThe training is done and its {len(sweep.ids)} runs are in {sweep.store}/. "
            f"Try the report again: {report_command(sweep)} --out DIR",
            1,
        )
    return 0


def _say(text: str, status: int) -> int:
    sys.stderr.write(f"{text}\n")
    return status


def _interrupted() -> int:
    from sweeps import engine

    if not engine.DONE:
        return _say("Interrupted.", 130)
    done = engine.DONE[0]
    kept = len(engine.read(done.sweep))
    return _say(
        f"Interrupted: {kept} of {len(done.sweep.ids)} runs are in {done.sweep.store}/. "
        f"Give the same command again to {'go on' if kept < len(done.sweep.ids) else 'see them'}.",
        130,
    )


def _with_hydra() -> None:
    """Hand over to Hydra, and make sentences of its complaints about input."""
    # Hydra would print tracebacks of our sentences, and exit with 1 for bad input.
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    os.environ[MAIN] = str(os.getpid())
    import hydra
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from sweeps.compose import register
    from sweeps.refusals import explain

    register()
    app = hydra.main(config_path=str(CONF), config_name="config", version_base="1.3")(train_one)
    try:
        app()
    except (HydraException, OmegaConfBaseException) as error:
        raise BadInput(explain(error)) from error


if __name__ == "__main__":
    outlive_readers()
    raise SystemExit(main())
