"""What moved between two builds: the object that `vatra diff --json` prints, and what its page is drawn from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, Field

from schemas.settings.mixing import Phase

#: How far both builds have come, and so what is compared: where messages went, the verdicts, or only what was read.
Level = Literal["placements", "verdicts", "messages"]


class Move(BaseModel):
    """Rows that went from one state to another.

    A state is `kept`, `masked:slop`, `dropped:too_short`, `train`, `left_out:exact_duplicate`, ...; null: the row
    is not in that build. Equal states: the row has the same id and standing, and another text.
    """

    before: str | None
    after: str | None
    count: int
    by_role: dict[str, int] = {}
    ids: list[str] = Field([], description="The first few by id, not all.")


class Moves(BaseModel):
    """The ledger of moves: every row of either build is unchanged or in exactly one move."""

    before: int = 0
    after: int = 0
    unchanged: int = 0
    moved: list[Move] = []

    @property
    def unaccounted(self) -> tuple[int, int]:
        """Rows of the earlier and of the later build that no class holds: (0, 0) when the ledger balances."""
        left = self.before - self.unchanged - sum(m.count for m in self.moved if m.before is not None)
        come = self.after - self.unchanged - sum(m.count for m in self.moved if m.after is not None)
        return left, come


class SettingChange(BaseModel):
    """A setting that differs; `key` is dotted."""

    key: str
    before: Any
    after: Any


#: Settings that are a table of numbers by name: what differs of one is told in one line.
_TABLES = ("mix.ranges", "mix.shares", "mix.weights")
#: A phase that leaves all as it is by default.
_PHASE = Phase(name="x").model_dump(mode="json")


def group_changes(changes: Sequence[SettingChange]) -> list[SettingChange]:
    """The same changes for people: of ranges, shares and weights one for all names that differ."""
    found: list[SettingChange] = []
    for change in changes:
        table = next((name for name in _TABLES if change.key.startswith(f"{name}.")), None)
        if table is None:
            found.append(change)
            continue
        if not found or found[-1].key != table:
            found.append(SettingChange(key=table, before={}, after={}))
        name = change.key.removeprefix(f"{table}.")
        for side, value in ((found[-1].before, change.before), (found[-1].after, change.after)):
            if value is not None:
                side[name] = value
    return found


def setting_text(value: Any) -> str:
    """A setting's value as people write it: plain words, numbers by name, patterns and phases by name, else JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(isinstance(v, dict) and "pattern" in v for v in value):
        return ", ".join(str(v.get("name", v["pattern"])) for v in value)
    if (
        isinstance(value, list)
        and value
        and all(isinstance(v, dict) and set(v) == set(_PHASE) for v in value)
    ):
        return ", ".join(_phase_text(phase) for phase in value)
    if isinstance(value, dict) and all(_are_numbers(v) for v in value.values()):
        return ", ".join(f"{name} {_number_text(number)}" for name, number in value.items()) or "not set"
    return "not set" if value is None else json.dumps(value, ensure_ascii=False, default=str)


def _phase_text(phase: dict[str, Any]) -> str:
    """A phase by its name, with what it does not leave as it is by default."""
    told = [", ".join(phase["categories"])] if phase["categories"] else []
    told += [
        f"{name} {setting_text(value)}"
        for name, value in phase.items()
        if name not in ("name", "categories") and value != _PHASE[name]
    ]
    return f"{phase['name']} ({'; '.join(told)})" if told else str(phase["name"])


def _are_numbers(value: Any) -> bool:
    """Whether it is a number, or a list of some."""
    numbers = value if isinstance(value, list) else [value]
    return bool(numbers) and all(isinstance(n, int | float) and not isinstance(n, bool) for n in numbers)


def _number_text(value: Any) -> str:
    """`25`, or the bounds of a range: `25–30`."""
    bounds = [f"{bound:g}" for bound in value] if isinstance(value, list) else [f"{value:g}"]
    return "–".join(dict.fromkeys(bounds))


class InputFile(BaseModel):
    """A file that only one of the builds has read."""

    label: str
    digest: str
    bytes: int
    format: str


class StageAccount(BaseModel):
    """A stage's ledger in one build, from its manifest; an artifact (an adapter) has no rows."""

    fingerprint: str
    unit: str = "rows"
    rows_in: int = 0
    rows_out: int = 0
    set_aside: dict[str, int] = {}


class StageChange(BaseModel):
    """A stage in both builds; null where a build does not have it (or not yet). `same`: one dataset serves both."""

    stage: str
    same: bool
    before: StageAccount | None
    after: StageAccount | None


class Comparison(BaseModel):
    """Two builds side by side; `before` and `after` are their ids."""

    before: str
    after: str
    level: Level
    settings: list[SettingChange] = []
    inputs_added: list[InputFile] = []
    inputs_removed: list[InputFile] = []
    stages: list[StageChange] = []
    messages: Moves = Moves()
    examples: Moves = Moves()
    report: str | None = None


class Trial(BaseModel):
    """What other settings of the filter would do to a build: the object of `vatra stage filter --dry-run --json`.

    `outcomes` counts kept, masked and dropped messages before and after. `messages` are moves between verdicts;
    `assembled` what the assembly would make of them, where messages follow others (a question its dropped answer).
    `refused` are the expectations of the filter that the result would not meet, so that nothing would be published.
    """

    build: str
    settings: list[SettingChange]
    outcomes: dict[str, tuple[int, int]]
    messages: Moves
    assembled: Moves
    refused: list[str]
    seconds: float = Field(0.0, description="Of the trial itself, start-up left out.")


class MoveSample(BaseModel):
    """A message that moved, for the page: text around the evidence (never in the object of `--json`)."""

    message_id: str
    role: str
    before: str | None
    after: str | None
    evidence: str
    text_before: str
    text_hit: str
    text_after: str
    cut_before: bool
    cut_after: bool
