"""Train a sweep of small networks and remember it: `python train.py -m activation=relu,tanh`.

`python train.py --help` lists every key, the data sets and the experiments.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sweeps.commandline import prepare
from sweeps.errors import BadInput

if TYPE_CHECKING:
    from omegaconf import DictConfig

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
    [loss] = run_cells([Cell(overrides, plain)])  # type: ignore[arg-type] - a mapping has str keys
    return loss


def main() -> int:
    """Run the command line; return the exit status: 0 done, 1 our fault, 2 bad input, 130 Ctrl-C."""
    try:
        sys.argv[1:] = prepare(sys.argv[1:], CONF)
        status = _with_hydra()
    except BadInput as error:
        sys.stderr.write(f"{error}\n")
        return 2
    from sweeps import engine, summary

    for done in engine.DONE:
        summary.show(done)
    return status


def _with_hydra() -> int:
    import hydra

    from sweeps.compose import register

    register()
    app = hydra.main(config_path=str(CONF), config_name="config", version_base="1.3")(train_one)
    app()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
