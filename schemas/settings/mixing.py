"""Settings of the corpus's make-up: the mixture's contract, its phases, its splits."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from datetime import date
from fractions import Fraction
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, field_validator, model_validator

from schemas.categories import CATEGORIES
from schemas.settings.model import INTERNAL, Settings
from schemas.settings.presets import offer_mixtures

Units = Literal["percent", "weights"]
#: `tokenizer` in place of a file: nothing is counted, or a token is taken to be four bytes of UTF-8.
NO_TOKENIZER, ESTIMATE = "none", "estimate"
#: The largest weight, and the largest number of examples or tokens: only proportions matter, and counts of 64 bits
#: and floats hold all sums of them.
MOST = 10**12
_WEIGHTS: dict[str, Any] = {
    "additionalProperties": {"type": "number", "exclusiveMinimum": 0, "maximum": MOST}
}
#: In the name of a share: sources whose names begin so, and all that count as one's own chats.
OWN = "own*"
_RANGES: dict[str, Any] = {
    "properties": {
        name: {
            "type": "array",
            "items": {"type": "number", "minimum": 0, "maximum": MOST},
            "minItems": 2,
            "maxItems": 2,
        }
        for name in CATEGORIES
    },
    "additionalProperties": False,
}

CategoryName = Annotated[str, Field(json_schema_extra={"enum": list(CATEGORIES)})]


class Share(NamedTuple):
    """What part of the corpus something may have: from `low` to `high` (0 to 1), best at `middle`; exact fractions."""

    low: Fraction
    high: Fraction
    middle: Fraction


class Phase(Settings):
    """One phase of the curriculum: what a trainer reads, from its first file to its last, before the next phase."""

    name: str = Field(
        pattern="^[a-z][a-z0-9_]{0,40}$", description="Lower-case letters, digits and underscores."
    )
    categories: tuple[CategoryName, ...] = Field(
        (), description="The categories that the phase reads; none: the whole mixture."
    )
    shares: dict[str, float] = Field(
        {},
        description="Relative shares of its categories; none: as they stand in the mixture.",
        json_schema_extra=_WEIGHTS,
    )
    size: int | None = Field(None, ge=1, le=MOST, description="At most so many examples; empty: all of them.")
    fraction: float = Field(1.0, gt=0, le=1, description="This part of its examples (1: all).")
    order: Literal["shuffled", "shortest_first", "longest_first"] = Field(
        "shuffled", description="How its examples follow one another."
    )

    @field_validator("categories")
    @classmethod
    def _known_categories(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            check_category(name)
        return tuple(dict.fromkeys(value))

    @field_validator("shares")
    @classmethod
    def _known_shares(cls, value: dict[str, float]) -> dict[str, float]:
        for name in value:
            check_category(name)
        return _positive("shares", value)

    @model_validator(mode="after")
    def _shares_of_its_own(self) -> Phase:
        foreign = set(self.shares) ^ set(self.categories) if self.shares and self.categories else set()
        if foreign:
            raise ValueError(
                f"phase {self.name!r}: categories and shares must name the same ones, and {min(foreign)!r} stands "
                "in one of them only"
            )
        return self

    @property
    def reads(self) -> tuple[str, ...]:
        """The categories that it reads; empty: all."""
        return self.categories or tuple(self.shares)


class MixSettings(Settings):
    """Which examples, in which phase, split and order."""

    preset: str | None = Field(
        None,
        description="A mixture to start from; a setting given beside it wins. It stands for the settings from "
        "ranges to max_tokens.",
        json_schema_extra=offer_mixtures,
    )
    ranges: dict[str, tuple[float, float]] = Field(
        {},
        description='From how much to how much of each category, like {"technical": [25, 30]}; categories that are '
        "not named are left out. None: no demand.",
        json_schema_extra=_RANGES,
    )
    ranges_in: Units = Field(
        "percent",
        description="percent: ranges are meant as they stand. weights: they are relative, and are divided by the sum "
        "of their midpoints.",
    )
    shares: dict[str, float] = Field(
        {},
        description='How much of each source, relative to the others, like {"chatgpt": 2, "claude": 1}. Sources '
        "joined by + share one share, * stands in names, own* also for all declared chats of one's own, and * alone "
        "for all others; sources that are not named are left out. None: everything is taken.",
        json_schema_extra=_WEIGHTS,
    )
    own: tuple[str, ...] = Field(
        (),
        description="Declared sources that own* in shares stands for; filled in when a build is planned.",
        json_schema_extra=INTERNAL,
    )
    shares_in: Units = Field(
        "weights", description="weights: shares are relative. percent: they must add up to 100."
    )
    weights: dict[str, float] = Field(
        {},
        description="Within a category: how much of each source, relative to the others (1 for those that are not "
        "named). None: as much of each as there is.",
        json_schema_extra=_WEIGHTS,
    )
    total: int | None = Field(
        None, ge=1, le=MOST, description="So many examples in all; empty: as many as can be."
    )
    repeat: int = Field(
        1,
        ge=1,
        le=100,
        description="An example for training may stand in a phase up to so often, where the mixture needs it "
        "(1 to 100).",
    )
    on_shortage: Literal["stop", "relax"] = Field(
        "stop",
        description="When there is too little for the ranges, shares or total: stop and say what is missing, or relax "
        "them and say what was given up.",
    )
    phases: tuple[Phase, ...] = Field(
        (),
        max_length=20,
        description="The curriculum: what is read first, and what after it. None: one phase.",
    )
    tokenizer: str = Field(
        NO_TOKENIZER,
        min_length=1,
        description="What counts tokens: none, estimate (a token is four bytes), or the path of a tokenizer.json or of "
        "a folder that holds one.",
    )
    max_tokens: int | None = Field(
        None, ge=1, le=MOST, description="Longer examples are left out (counted by the tokenizer)."
    )
    validation: float = Field(
        0.05,
        ge=0,
        lt=0.5,
        description="Share of conversations held out for validation (0.05: 5%; below 0.5).",
    )
    test: float = Field(
        0.05, ge=0, lt=0.5, description="Share of conversations held out for testing (below 0.5)."
    )
    holdout_after: date | None = Field(
        None,
        description="Conversations begun on this day (UTC) or later are for testing. Those without a time are not held "
        "out by it, and are counted; when none has a time, the build stops.",
    )
    holdout_sources: tuple[str, ...] = Field((), description="Sources that are for testing only.")
    frozen: str | None = Field(
        None,
        min_length=1,
        description="A CSV or JSONL file with the columns id and split: these examples or conversations keep their "
        "splits.",
    )
    seed: int = Field(42, ge=0, description="The same seed picks the same examples on any machine.")
    shard_bytes: int = Field(
        128 << 20,
        ge=1 << 16,
        le=MOST,
        description="Bytes of text in a Parquet shard (134217728 is 128 MiB; at least 65536).",
    )

    @field_validator("ranges")
    @classmethod
    def _whole_ranges(cls, value: dict[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
        for name, (low, high) in value.items():
            check_category(name)
            if low < 0 or high <= 0 or low > high:
                raise ValueError(
                    f"the range of {name!r} goes from {low:g} to {high:g}: it must begin at 0 or above, and end above "
                    "0 and not before it begins"
                )
            if high > MOST:
                raise ValueError(f"the range of {name!r} ends at {high:g}: the most is {MOST:g}")
        return {name: value[name] for name in CATEGORIES if name in value}

    @field_validator("shares", "weights")
    @classmethod
    def _positive(cls, value: dict[str, float]) -> dict[str, float]:
        return _positive("shares", value)

    @field_validator("holdout_sources")
    @classmethod
    def _once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted(set(value)))

    @model_validator(mode="after")
    def _adds_up(self) -> MixSettings:
        _check_ranges(self.ranges, self.ranges_in)
        _check_shares(self.shares, self.shares_in)
        if self.ranges and self.shares:
            raise ValueError(
                "ranges (of categories) and shares (of sources) are two contracts, and one is kept: give ranges, and "
                "weights for the sources within a category, or shares alone"
            )
        if self.max_tokens and self.tokenizer == NO_TOKENIZER:
            raise ValueError("max_tokens needs something that counts them: tokenizer=estimate, or a file")
        _check_phases(self.phases, self.ranges)
        return self

    @property
    def category_shares(self) -> dict[str, Share]:
        """The ranges as parts of the corpus; empty without ranges."""
        exact = {name: (Fraction(str(low)), Fraction(str(high))) for name, (low, high) in self.ranges.items()}
        whole = Fraction(100)
        if self.ranges_in == "weights":
            whole = sum(((low + high) / 2 for low, high in exact.values()), Fraction(0))
        return {
            n: Share(low / whole, high / whole, (low + high) / 2 / whole) for n, (low, high) in exact.items()
        }

    @property
    def source_shares(self) -> dict[str, Share]:
        """The shares as exact parts of the corpus; empty without shares."""
        exact = {name: Fraction(str(share)) for name, share in self.shares.items()}
        whole = sum(exact.values(), Fraction(0))
        return {name: Share(*(share / whole,) * 3) for name, share in exact.items()}


#: What a preset of a mixture stands for, and what the choice of another one replaces.
CONTRACT = (
    *("ranges", "ranges_in", "shares", "shares_in", "weights", "total", "repeat", "on_shortage", "phases"),
    *("tokenizer", "max_tokens"),
)


def check_category(name: str) -> None:
    """Raise ValueError with the nearest category for a name that is none of them."""
    if name not in CATEGORIES:
        near = difflib.get_close_matches(name, CATEGORIES, n=1, cutoff=0.5)
        advice = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(CATEGORIES)}"
        raise ValueError(f"no category is called {name!r}; {advice}")


def _positive(what: str, value: dict[str, float]) -> dict[str, float]:
    wrong = [name for name, share in value.items() if not share > 0]
    if wrong:
        raise ValueError(f"the share of {wrong[0]!r} must be above 0")
    huge = next((name for name, share in value.items() if share > MOST), None)
    if huge is not None:
        raise ValueError(f"the share of {huge!r} is {value[huge]:g}: the most is {MOST:g}")
    return dict(sorted(value.items()))


def _check_ranges(ranges: Mapping[str, tuple[float, float]], units: Units) -> None:
    """In percent, ranges must leave room for a whole: their sums are told when they do not."""
    if not ranges or units == "weights":
        return
    lowest, highest = (sum(Fraction(str(pair[at])) for pair in ranges.values()) for at in (0, 1))
    weights = "; or take them as relative weights: ranges_in=weights"
    if lowest > 100:
        raise ValueError(
            f"the ranges contradict one another: their lower bounds add up to {float(lowest):g}%{weights}"
        )
    if highest < 100:
        raise ValueError(
            f"the ranges cannot add up to 100%: their upper bounds add up to {float(highest):g}%{weights}"
        )


def _check_shares(shares: Mapping[str, float], units: Units) -> None:
    total = float(sum(Fraction(str(share)) for share in shares.values()))
    if units == "percent" and shares and abs(total - 100) > 1e-6:
        raise ValueError(f"the shares add up to {total:g}%, not to 100%; or take them as shares_in=weights")
    if len(shares) > 1 and total > 1 + 1e-6 and all(share < 1 for share in shares.values()):
        raise ValueError(
            f"the shares read as parts of 1 and add up to {total:g}; let them add up to 1, or give whole numbers for "
            "relative weights"
        )


def _check_phases(phases: tuple[Phase, ...], ranges: Mapping[str, tuple[float, float]]) -> None:
    names = [phase.name for phase in phases]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise ValueError(f"two phases are called {twice!r}")
    for phase in phases:
        absent = next((name for name in phase.reads if ranges and name not in ranges), None)
        if absent:
            raise ValueError(
                f"phase {phase.name!r} reads the category {absent!r}, which no range lets into the mixture"
            )
