"""The mixture's contract: what was asked for, what there is, and what becomes of it where there is too little.

A contract speaks of parts: of categories when there are ranges, of sources when there are shares, of everything when
there are neither. A part that is too small for the total stops the build, or its lower bound is given up, then the
total; upper bounds are kept, so that nothing comes to dominate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import ceil
from typing import Literal

import numpy as np

from schemas.categories import CATEGORIES
from schemas.errors import StageFailed
from schemas.settings import MixSettings
from schemas.settings.mixing import Share
from tasks.mixing.candidates import Candidates
from tasks.mixing.solving import bounds, largest
from tasks.mixing.splits import spread, unknown_source

Kind = Literal["category", "source", "all"]
ALL = "all"
_WHOLE = Share(Fraction(1), Fraction(1), Fraction(1))
#: Why a candidate has no part, and why one of a part was not chosen.
_WITHOUT = {"category": "category_without_range", "source": "source_without_share", "all": ""}
_OVER = {"category": "over_range", "source": "over_share", "all": "over_total"}


@dataclass(frozen=True)
class Contract:
    """What is asked of the parts `names`: `asked` as the settings have it, `shares` as it can be kept.

    `part` numbers the name that each candidate belongs to (-1: none). `remarks` say what was given up, or what limits
    the mixture, by name (`total` for the whole).
    """

    kind: Kind
    part: np.ndarray
    asked: Mapping[str, Share]
    shares: Mapping[str, Share]
    remarks: dict[str, str] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """The parts, by their numbers."""
        return tuple(self.asked)

    @property
    def without(self) -> str:
        """The reason of candidates that belong to no part."""
        return _WITHOUT[self.kind]

    @property
    def over(self) -> str:
        """The reason of candidates that their part has no room for."""
        return _OVER[self.kind]

    def add_remarks(self, more: Sequence[str]) -> None:
        """Say more of the whole."""
        if more:
            known = self.remarks.get("total")
            self.remarks["total"] = "; ".join([*([known] if known else []), *more])


def draw_contract(
    candidates: Candidates, eligible: np.ndarray, train: np.ndarray, settings: MixSettings
) -> Contract:
    """The contract as it can be kept over the eligible candidates. Raises StageFailed when it stops the build.

    `train` marks the candidates that may be repeated.
    """
    contract = _parts(candidates, settings)
    available = _count(contract, eligible)
    room = _count(contract, eligible & train)
    capacity = {name: n + (settings.repeat - 1) * room[name] for name, n in available.items()}
    contract = _without_absent(contract, candidates, available, settings)
    if settings.total is None:
        return _limits_told(contract, available, capacity)
    return _up_to_total(contract, available, capacity, settings)


def _parts(candidates: Candidates, settings: MixSettings) -> Contract:
    if settings.ranges:
        asked: Mapping[str, Share] = settings.category_shares
        numbers = [list(asked).index(name) if name in asked else -1 for name in CATEGORIES]
        part = np.asarray([*numbers, -1], np.int16)[candidates.category]
        return Contract("category", part, asked, asked)
    if settings.shares:
        asked = settings.source_shares
        homes = spread(candidates.sources, settings.shares, settings.own)
        numbers = [list(asked).index(homes[s]) if s in homes else -1 for s in candidates.sources]
        return Contract("source", np.asarray([*numbers, -1], np.int16)[candidates.source], asked, asked)
    whole = {ALL: _WHOLE}
    return Contract("all", np.zeros(len(candidates), np.int16), whole, whole)


def _count(contract: Contract, mask: np.ndarray) -> dict[str, int]:
    found = contract.part[mask]
    counts = np.bincount(found[found >= 0], minlength=len(contract.names))
    return {name: int(counts[number]) for number, name in enumerate(contract.names)}


def _without_absent(
    contract: Contract, candidates: Candidates, available: Mapping[str, int], settings: MixSettings
) -> Contract:
    """Parts of which there is nothing: refused, or left out, with the others weighted anew."""
    absent = [name for name, share in contract.shares.items() if share.low > 0 and not available[name]]
    if not absent or contract.kind == "all":
        return contract
    left = {name: share for name, share in contract.shares.items() if name not in absent}
    if settings.on_shortage == "stop" or not any(available[name] for name in left):
        raise _absence(contract, absent, candidates, available, settings.own)
    whole = sum((share.middle for share in left.values()), Fraction(0))
    anew = {name: Share(*(bound / whole for bound in share)) for name, share in left.items()}
    told = "there is none: left out, and the others are weighted anew"
    return replace(contract, shares=anew, remarks=dict.fromkeys(absent, told))


def _absence(
    contract: Contract,
    absent: Sequence[str],
    candidates: Candidates,
    available: Mapping[str, int],
    own: tuple[str, ...],
) -> StageFailed:
    name = absent[0]
    unknown = [name for name in absent if not any(spread(candidates.sources, {name: 1.0}, own))]
    if contract.kind == "source" and unknown == [name]:
        return unknown_source("mix.shares", name, candidates.sources)
    if contract.kind == "source" and unknown:
        return _unknown_sources(unknown, candidates)
    there = ", ".join(f"{part} ({n:,})" for part, n in available.items() if n) or "none of those asked for"
    return StageFailed(
        f"{told_share(contract.asked[name])} of {name} was asked for, and no example of it is left"
        + (f"; nor of {', '.join(absent[1:])}" if absent[1:] else ""),
        where="mix",
        fix=f"There is: {there}. Add some, change mix.{_setting(contract)}, or set mix.on_shortage=relax.",
    )


def _unknown_sources(names: Sequence[str], candidates: Candidates) -> StageFailed:
    """The refusal of several shares whose sources the build does not have: each, and every name that would do."""
    told = "; ".join(name.replace("+", " or ") for name in names)
    return StageFailed(
        f"mix.shares asks for {len(names)} sources of which this build has no example: {told}",
        where="mix",
        fix=f"It has: {', '.join(sorted(candidates.sources))}. Name your sources so (* stands for any ending), change "
        "mix.shares, or leave them out.",
    )


def _setting(contract: Contract) -> str:
    return "ranges" if contract.kind == "category" else "shares"


def told_share(share: Share) -> str:
    """A share for people: `20.7-24.8%`, or `40%`."""
    low, high = (f"{float(bound) * 100:.1f}".removesuffix(".0") for bound in (share.low, share.high))
    return f"{low}%" if low == high else f"{low}-{high}%"


def _limits_told(contract: Contract, available: Mapping[str, int], capacity: Mapping[str, int]) -> Contract:
    """Without a total the mixture is as large as the scarcest part allows: say which that is."""
    everything = sum(available.values())
    size = largest(contract.shares, capacity, everything)
    if size < everything:
        next_size = size + len(contract.shares) + size // 1000
        for name, share in contract.shares.items():
            if capacity[name] < share.low * next_size:
                contract.remarks.setdefault(
                    name, f"limits the mixture to some {size:,} of {everything:,} examples"
                )
    return contract


def _up_to_total(
    contract: Contract, available: Mapping[str, int], capacity: Mapping[str, int], settings: MixSettings
) -> Contract:
    total = settings.total or 0
    size = largest(contract.shares, capacity, total)
    if size >= total:
        return contract
    short = {
        name: missing
        for name, share in contract.shares.items()
        if (missing := bounds(share, total)[0] - capacity[name]) > 0
    }
    if settings.on_shortage == "stop":
        raise _shortage(contract, short, size, available, settings)
    remarks = dict(contract.remarks)
    lowered = {
        name: share._replace(low=Fraction(0)) if name in short else share
        for name, share in contract.shares.items()
    }
    reached = largest(lowered, capacity, total)
    kept = lowered if reached > size else dict(contract.shares)
    for name, missing in short.items() if contract.kind != "all" else ():
        given_up = "its lower bound was given up" if reached > size else "it limits the mixture"
        remarks[name] = f"{missing:,} examples are missing for a total of {total:,}: {given_up}"
    if reached < total:
        remarks["total"] = f"the total of {total:,} was given up: {reached:,} can be had"
    return replace(contract, shares=kept, remarks=remarks)


def _shortage(
    contract: Contract,
    short: Mapping[str, int],
    size: int,
    available: Mapping[str, int],
    settings: MixSettings,
) -> StageFailed:
    """Which part cannot be had, and what it would take."""
    total = settings.total or 0
    there = sum(available.values())
    if contract.kind == "all" or not short:
        lines = [f"{total:,} examples were asked for (mix.total) and {there:,} are there"]
        if contract.kind != "all":
            lines = [f"{total:,} examples were asked for (mix.total), and the upper bounds allow {size:,}"]
    else:
        lines = [
            f"{told_share(contract.asked[name])} of {name} in {total:,} examples cannot be met: "
            f"{available[name]:,} are there, {missing:,} are missing"
            for name, missing in list(short.items())[:3]
        ]
    needed = [
        ceil(Fraction(bounds(contract.shares[n], total)[0], available[n])) for n in short if available[n]
    ]
    if contract.kind == "all" and there:
        needed = [ceil(Fraction(total, there))]
    ways = [f"mix.total={size}"] if size else []  # a total of 0 is none
    ways += [f"mix.repeat={max(needed)}"] if needed and max(needed) <= 100 else []
    ways += ["mix.on_shortage=relax"] if there else []
    *others, last = ways or [""]
    advice = f", or set {', '.join(others)}{' or ' * bool(others)}{last}" if ways else ""
    return StageFailed("; ".join(lines), where="mix", fix=f"Add examples{advice}.")
