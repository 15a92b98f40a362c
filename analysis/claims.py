"""What people assert in a thread, judged by the contrast that it asserts.

| kind | asserts | supported | refuted |
| --- | --- | --- | --- |
| blames | the factors are why it fails | all are guilty | one is innocent or latent, or neither \
mending it alone nor spoiling it alone can move the share by 0.2 |
| cures | mending exactly these makes it train | clearly most runs train then, and more than as \
posted | clearly most do not, or the share cannot have moved by 0.2 |
| clears | the factors have nothing to do with it | all are innocent | one is guilty or latent |
| works | the program as posted trains | clearly most runs do | clearly most do not |
| shows | its runs have the symptom | clearly most have | clearly most have not |
| lacks | its runs do not have the symptom | clearly most have not | clearly most have |

Anything else is undecided. A claim is judged in the scenarios it names, else in those that show
the complaint or may, else, where none clearly does, in all; and only where its factors are as
posted. It is supported, or refuted, where all of these say so. Those where the mended program
clearly does not train, so that nothing can follow, have no say as long as they are fewer than the
others. What is open in one scenario leaves the claim open: more replicates could turn it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from analysis.endings import MEASURED, SCALARS
from analysis.forum import Measured, posted_factors, within
from analysis.shares import Estimate, paired_difference, share, side_of_half
from analysis.verdicts import MOVES, moves
from sweeps.records import one_of

Verdict = tuple[str, Estimate]
Claim = Mapping[str, Any]


def _word(holds: bool | None) -> str:
    return "undecided" if holds is None else "supported" if holds else "refuted"


def _effect(row: Any, name: str) -> Estimate:
    return Estimate(row[name], row[f"{name}_low"], row[f"{name}_high"])


def _blames(claim: Claim, scenario: Measured) -> Verdict:
    rows = scenario.judgment.factors.set_index("factor").loc[claim["factors"]]
    effects = [(_effect(row, "alone"), _effect(row, "in_mended")) for _, row in rows.iterrows()]
    cannot = any(alone.high < MOVES and other.high < MOVES for alone, other in effects)
    weakest = min((alone for alone, _ in effects), key=lambda effect: effect.value)
    if not scenario.judgment.decided:
        return "undecided", weakest
    if (rows["verdict"] == "guilty").all():
        return "supported", weakest
    refuted = rows["verdict"].isin(["innocent", "latent"]).any() or cannot
    return _word(False if refuted else None), weakest


def _cures(claim: Claim, scenario: Measured) -> Verdict:
    runs = scenario.runs.sort_values("replicate")
    exactly = runs[list(scenario.posted)].eq([f in claim["factors"] for f in scenario.posted])
    cured = runs.loc[exactly.all(axis=1), "trains"].to_numpy(bool)
    before = scenario.as_posted().sort_values("replicate")["trains"].to_numpy(bool)
    gain, reached = paired_difference(cured, before), share(cured)
    if not scenario.judgment.decided:
        return "undecided", reached
    if side_of_half(reached) is False or gain.high < MOVES:
        return "refuted", reached
    return _word(True if side_of_half(reached) and moves(gain) else None), reached


def _clears(claim: Claim, scenario: Measured) -> Verdict:
    rows = scenario.judgment.factors.set_index("factor").loc[claim["factors"]]
    effects = [_effect(row, "alone") for _, row in rows.iterrows()]
    strongest = max(effects, key=lambda effect: abs(effect.value))
    if rows["verdict"].isin(["guilty", "latent"]).any():
        return "refuted", strongest
    return _word(True if (rows["verdict"] == "innocent").all() else None), strongest


def _works(claim: Claim, scenario: Measured) -> Verdict:  # noqa: ARG001
    posted = scenario.judgment.posted
    return _word(side_of_half(posted) if scenario.judgment.decided else None), posted


def _shows(claim: Claim, scenario: Measured) -> Verdict:
    found = share(within(scenario.as_posted(), claim["symptom"]).to_numpy(bool))
    return _word(side_of_half(found)), found


def _lacks(claim: Claim, scenario: Measured) -> Verdict:
    found = share(within(scenario.as_posted(), claim["symptom"]).to_numpy(bool))
    has = side_of_half(found)
    return _word(None if has is None else not has), found


KINDS: Mapping[str, Callable[[Claim, Measured], Verdict]] = MappingProxyType(
    {
        "blames": _blames,
        "cures": _cures,
        "clears": _clears,
        "works": _works,
        "shows": _shows,
        "lacks": _lacks,
    }
)


# What a claim of a kind is about, without which there is nothing to judge.
ABOUT: Mapping[str, str] = MappingProxyType(
    {
        "blames": "factors",
        "cures": "factors",
        "clears": "factors",
        "shows": "symptom",
        "lacks": "symptom",
    }
)


def problems(case: Mapping[str, Any]) -> list[str]:
    """Say what keeps a case from being judged, a sentence each, before anything is trained."""
    found = [
        f"A factor must have a name of its own; got {name}, which is a column of every run."
        for name in case["factors"]
        if name in (*SCALARS, *MEASURED, "trains", "complaint")
    ]
    found += _strange_bounds("complaint", case["complaint"])
    for at, claim in enumerate(case["claims"]):
        key = f"case.claims.{at}"
        found += _strange_bounds(f"{key}.symptom", claim["symptom"])
        if claim["kind"] not in KINDS:
            found.append(one_of(f"{key}.kind", claim["kind"], KINDS))
        elif (about := ABOUT.get(claim["kind"])) and not claim[about]:
            found.append(
                f"`{key}.{about}` must say what the claim is about, as its kind is "
                f"{claim['kind']}; got nothing."
            )
        found += _nowhere(key, claim, case)
    return found


def _nowhere(key: str, claim: Claim, case: Mapping[str, Any]) -> list[str]:
    """Say where a claim is to be judged though its factors are not as posted there."""
    wanted = set(claim["factors"])
    lacking = {
        name: [factor for factor in claim["factors"] if factor not in posted]
        for name, scenario in case["scenarios"].items()
        if not wanted <= set(posted := posted_factors(case, scenario))
    }
    if not claim["scenarios"] and len(lacking) == len(case["scenarios"]) > 0:
        return [f"`{key}.factors` must be as posted together in some scenario; got none."]
    return [
        f"`{key}.scenarios` must be ones where the claim's factors are as posted; got {name}, "
        f"where {' and '.join(lacking[name])} {'is' if len(lacking[name]) == 1 else 'are'} mended."
        for name in claim["scenarios"]
        if name in lacking
    ]


def _strange_bounds(key: str, bounds: Mapping[str, Any] | None) -> list[str]:
    known = (*MEASURED, "trains")
    strange = [one_of(key, name, known) for name in bounds or () if name not in known]
    return strange + [
        f"`{key}.{name}` must be two numbers, low and high, null for none; got {pair}."
        for name, pair in (bounds or {}).items()
        if not _is_range(pair)
    ]


def _is_range(pair: Any) -> bool:
    if not isinstance(pair, list) or len(pair) != 2:
        return False
    given = [end for end in pair if end is not None]
    numbers = all(isinstance(end, int | float) and not isinstance(end, bool) for end in given)
    return numbers and not any(map(math.isnan, given)) and given == sorted(given)


def judged(claim: Claim, scenarios: Sequence[Measured]) -> dict[str, Any]:
    """Return the verdict on a claim, and its numbers in each scenario it was judged in."""
    numbers, said = [], []
    for scenario in _fitting(claim, scenarios):
        verdict, estimate = KINDS[claim["kind"]](claim, scenario)
        where = {"scenario": scenario.name, "data": scenario.data, "verdict": verdict}
        numbers.append({**where, **estimate._asdict()})
        if verdict != "undecided" or _may_yet_decide(claim, scenario):
            said.append(verdict)
    agreed = len(set(said)) == 1 and 2 * len(said) > len(numbers)
    return {"verdict": said[0] if agreed else "undecided", "numbers": numbers}


def _may_yet_decide(claim: Claim, scenario: Measured) -> bool:
    """Tell whether more replicates could decide: never where the mended program does not train."""
    without = ABOUT.get(claim["kind"]) == "symptom"
    return without or side_of_half(scenario.judgment.mended) is not False


def _fitting(claim: Claim, scenarios: Sequence[Measured]) -> list[Measured]:
    possible = [s for s in scenarios if set(claim["factors"]) <= set(s.posted)]
    if claim["scenarios"]:
        return [s for s in possible if s.name in claim["scenarios"]]
    if not any(s.complains for s in possible):
        return possible
    return [s for s in possible if s.complains is not False]
