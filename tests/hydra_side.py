"""Hydra as its own launchers use it; its composition of a job is the oracle of the short way."""

import copy
import shutil
from pathlib import Path

import hydra
from hydra._internal.callbacks import Callbacks
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import setup_globals
from hydra.types import HydraContext, RunMode
from omegaconf import OmegaConf, open_dict, read_write

from hydra_plugins.bpcore_hydra.sweeper import GridSweeper
from sweeps.compose import compose, register

CONF = Path(__file__).parent.parent / "conf"


class HydraSide:
    """One configuration directory, seen through Hydra."""

    def __init__(self, directory, config_name="config"):
        register()
        setup_globals()
        hydra.version.setbase("1.3")
        self.loader = ConfigLoaderImpl(create_config_search_path(str(directory)))
        self._name = config_name
        self._loaded = {}
        self._plain = {}
        self.loads = 0
        self.master = self.master_of([])

    def master_of(self, overrides):
        mode = ["hydra.mode=MULTIRUN"]
        return self.loader.load_configuration(self._name, mode + overrides, RunMode.MULTIRUN)

    def load(self, overrides):
        """Compose as a launcher does. What was composed before is copied, to save time only."""
        key = tuple(overrides)
        if key not in self._loaded:
            self.loads += 1
            try:
                self._loaded[key] = self.loader.load_sweep_config(self.master, list(overrides))
            except Exception as error:
                self._loaded[key] = error
        if isinstance(self._loaded[key], Exception):
            raise self._loaded[key]
        return copy.deepcopy(self._loaded[key])

    def composed(self, job):
        """What the task gets from Hydra's basic launcher, links resolved; the error otherwise."""
        if job not in self._plain:
            try:
                self._plain[job] = self._run(self.load(job))
            except Exception as error:
                self._plain[job] = error
        return self._plain[job]

    @staticmethod
    def _run(config):
        before = HydraConfig.instance().cfg
        HydraConfig.instance().set_config(config)
        try:
            task = copy.deepcopy(config)
            with read_write(task), open_dict(task):
                del task["hydra"]
            return OmegaConf.to_container(task, resolve=True)
        finally:
            HydraConfig.instance().cfg = before

    def sweeper(self, params=None, master=None):
        sweeper = GridSweeper(params)
        sweeper.hydra_context = HydraContext(self.loader, Callbacks())
        sweeper.config = self.master if master is None else master
        return sweeper

    def parse(self, texts):
        return OverridesParser.create(self.loader).parse_overrides(list(texts))

    def short(self, jobs):
        return compose(self.load, jobs)

    def differences(self, jobs, cells):
        """Say where cells differ from Hydra's own composition, in value, type or order."""
        for job, cell in zip(jobs, cells, strict=True):
            hydras = self.composed(tuple(job))
            ours = getattr(cell, "config", None)
            if cell.overrides != tuple(job):
                yield f"{job}: made into {cell.overrides}"
            elif isinstance(hydras, Exception):
                if ours is not None:
                    yield f"{job}: composed, but Hydra says {hydras!r}"
            elif ours is None:
                yield f"{job}: {cell.message}, but Hydra composes it"
            elif repr(ours) != repr(hydras):
                unlike = [k for k in {**ours, **hydras} if repr(ours.get(k)) != repr(hydras.get(k))]
                yield f"{job}: " + ", ".join(
                    f"{key} is {ours.get(key)!r}, Hydra says {hydras.get(key)!r}" for key in unlike
                )


def project_conf(directory):
    """Copy this project's conf/ and add experiments that set, link and choose."""
    target = Path(directory) / "conf"
    shutil.copytree(CONF, target)
    files = {
        "linked": "init_scale: ${lr}\nname: ${activation}_${depth}\ndata:\n  noise: ${lr}\n",
        "listed": "width: [8, 4]\nlr_factor: [1, 2]\ndefects: [a]\n",
        "chosen": "defaults:\n  - override /data: xor\nlr: 3\n",
    }
    for name, text in files.items():
        experiment = target / "experiment" / f"test_{name}.yaml"
        experiment.write_text(f"# @package _global_\n{text}", encoding="utf-8")
    return target
