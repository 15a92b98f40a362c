"""The short way from override texts to configurations: Hydra's own result, a thousand times faster.

Hydra composes every job from its files. Most jobs of a sweep differ only in *plain* values: new
values for keys that exist. So jobs are grouped by everything else (their *structural* overrides:
group choices, additions, deletions, mappings, links), Hydra composes each group once, and plain
values are set on the result. Whatever is doubtful is composed by Hydra in full, and one job of
each pattern of keys is composed both ways: if the two differ, Hydra's way is taken for all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig

from sweeps.config import SweepConfig
from sweeps.plain import REFUSED, Composition, Part, on_one_path, part_of, resolved
from sweeps.refusals import explain, no_key

Load = Callable[[list[str]], DictConfig]
_Looks = tuple[tuple[str, bool], ...]  # of each override of a job: its key, plain by its text


@dataclass(frozen=True)
class Cell:
    """One job of a sweep and its configuration.

    Attributes:
        overrides: The job's override texts as given.
        config: The resolved task configuration as plain containers, without `hydra`. The
            mapping is the cell's own; mappings and lists inside it are shared with other
            cells and must be read only.
    """

    overrides: tuple[str, ...]
    config: dict[str, Any]


@dataclass(frozen=True)
class Problem:
    """One job of a sweep that has no configuration, and a sentence that says why."""

    overrides: tuple[str, ...]
    message: str


def register() -> None:
    """Make the typed schema known to Hydra under the name conf/config.yaml lists, `schema`."""
    ConfigStore.instance().store(name="schema", node=SweepConfig)


def compose(
    load: Load, jobs: Sequence[Sequence[str]], groups: Iterable[str] = ()
) -> list[Cell | Problem]:
    """Compose each job as Hydra would.

    Args:
        load: Hydra's own composition of one job, `load_sweep_config` of the master configuration.
        jobs: The override texts of each job.
        groups: Config groups known beforehand (`hydra.runtime.choices` of the master
            configuration); spares compositions that would only find them out.

    Returns:
        A cell for each job, in the order of `jobs`, or a problem where Hydra refuses the job.
    """
    return _Composer(load, groups).compose([tuple(job) for job in jobs])


def values_of(overrides: Sequence[str]) -> dict[str, Any]:
    """Return the value each override text sets, by key; None for a deletion.

    The values are parsed but not converted: `lr=1` gives a whole number. Lists and mappings are
    shared between calls and must be read only.

    >>> values_of(("lr=0.1", "data=moons", "+note='a b'", "~bias"))
    {'lr': 0.1, 'data': 'moons', 'note': 'a b', 'bias': None}
    """
    return {part.key: part.value for part in map(part_of, overrides)}


@dataclass
class _Family:
    """Jobs that differ only in plain values: same structural texts, same plain keys in order."""

    structure: tuple[str, ...]
    keys: tuple[str, ...]
    indices: list[int]
    plain: list[list[Part]]


class _Composer:
    """One call of `compose`: the groups it learned of, and what Hydra has composed for it."""

    def __init__(self, load: Load, groups: Iterable[str]) -> None:
        self._load = load
        self._groups = set(groups)
        self._compositions: dict[tuple[str, ...], Composition | Problem] = {}
        self._full: dict[tuple[str, ...], Cell | Problem] = {}
        self._checked: set[tuple[str, ...]] = set()

    def compose(self, jobs: list[tuple[str, ...]]) -> list[Cell | Problem]:
        parts = [tuple(map(part_of, job)) for job in jobs]
        results: dict[int, Cell | Problem] = {}
        pending: list[tuple[Iterable[int], frozenset[str]]] = [(range(len(jobs)), frozenset())]
        while pending:
            indices, structural = pending.pop()
            for family in self._families(indices, parts, structural):
                more = self._not_plain(family)
                if more:
                    pending.append((family.indices, structural | more))
                else:
                    cells = self._family(family, [jobs[index] for index in family.indices])
                    results.update(zip(family.indices, cells, strict=True))
        return [results[index] for index in range(len(jobs))]

    def _families(
        self, indices: Iterable[int], parts: list[tuple[Part, ...]], structural: frozenset[str]
    ) -> list[_Family]:
        families: dict[Any, _Family] = {}
        flags: dict[_Looks, list[bool]] = {}
        for index in indices:
            job = parts[index]
            looks = tuple((part.key, part.plain) for part in job)
            if looks not in flags:
                flags[looks] = self._flags(looks, structural)
            pairs = list(zip(job, flags[looks], strict=True))
            structure = tuple(part.text for part, plain in pairs if not plain)
            family = families.get((looks, structure))
            if family is None:
                keys = tuple(part.key for part, plain in pairs if plain)
                family = families[looks, structure] = _Family(structure, keys, [], [])
            family.indices.append(index)
            family.plain.append([part for part, plain in pairs if plain])
        return list(families.values())

    def _flags(self, looks: _Looks, structural: frozenset[str]) -> list[bool]:
        """Tell which overrides of a job are plain, from its keys.

        Of two overrides on one path the order matters, so both are structural. A group choice
        is applied before any value, wherever it stands.
        """
        keys = [key for key, _ in looks]
        return [
            plain
            and key not in self._groups | structural
            and not any(
                on_one_path(key, other)
                for place, other in enumerate(keys)
                if place != at and other not in self._groups
            )
            for at, (key, plain) in enumerate(looks)
        ]

    def _not_plain(self, family: _Family) -> frozenset[str]:
        """Return the keys that turn out to be groups, or to hold mappings or links."""
        if len(family.indices) == 1 or not family.keys:
            return frozenset()
        composition = self._composition(family.structure)
        if isinstance(composition, Problem):
            return frozenset()
        self._groups |= composition.groups
        return frozenset(
            key for key in family.keys if key in self._groups or composition.is_inner(key)
        )

    def _composition(self, structure: tuple[str, ...]) -> Composition | Problem:
        if structure not in self._compositions:
            try:
                self._compositions[structure] = Composition(self._load(list(structure)))
            except REFUSED as error:
                self._compositions[structure] = Problem(structure, explain(error))
        return self._compositions[structure]

    def _in_full(self, job: tuple[str, ...]) -> Cell | Problem:
        """Compose a job Hydra's own way."""
        if job not in self._full:
            try:
                self._full[job] = Cell(job, resolved(self._load(list(job))))
            except REFUSED as error:
                self._full[job] = Problem(job, explain(error))
        full = self._full[job]
        return Cell(job, dict(full.config)) if isinstance(full, Cell) else full

    def _family(self, family: _Family, jobs: list[tuple[str, ...]]) -> list[Cell | Problem]:
        if len(jobs) > 1 and family.keys:
            composition = self._composition(family.structure)
            if isinstance(composition, Problem) or not all(map(composition.has, family.keys)):
                fault = self._common_fault(composition, family, jobs[0])
                if fault:
                    return [Problem(job, fault) for job in jobs]
            elif not composition.opaque:
                cells = self._short(composition, family, jobs)
                if cells:
                    return cells
        return [self._in_full(job) for job in jobs]

    def _common_fault(
        self, composition: Composition | Problem, family: _Family, job: tuple[str, ...]
    ) -> str | None:
        """Return why all jobs of a family fail, if they do for a reason that is no value's."""
        full = self._in_full(job)
        if isinstance(full, Cell):
            return None
        if isinstance(composition, Problem):
            return composition.message if full.message == composition.message else None
        unknown = next(key for key in family.keys if not composition.has(key))
        return no_key(unknown, composition.config)

    def _short(
        self, composition: Composition, family: _Family, jobs: list[tuple[str, ...]]
    ) -> list[Cell | Problem] | None:
        """Set the plain values of a family's jobs; None if Hydra's own way comes out different."""
        cells: list[Cell | Problem | None] = []
        for job, config in zip(jobs, composition.configure(family.plain), strict=True):
            if config is None:
                cells.append(None)
            else:
                cells.append(Problem(job, config) if isinstance(config, str) else Cell(job, config))
        if not self._same(family, composition, jobs, cells):
            return None
        return [cell or self._in_full(job) for job, cell in zip(jobs, cells, strict=True)]

    def _same(
        self,
        family: _Family,
        composition: Composition,
        jobs: list[tuple[str, ...]],
        cells: list[Cell | Problem | None],
    ) -> bool:
        """Compose one job of a pattern of keys both ways, the first time it comes up."""
        if family.keys in self._checked and not composition.links:
            return True
        self._checked.add(family.keys)
        at = max(range(len(cells)), key=lambda at: (isinstance(cells[at], Cell), -at))
        ours, hydras = cells[at], self._in_full(jobs[at])
        if isinstance(ours, Cell) and isinstance(hydras, Cell):
            # repr tells 1 from 1.0 and from True, and finds NaN equal to itself.
            return repr(ours.config) == repr(hydras.config)
        return ours is None or type(ours) is type(hydras)
