"""What a NOVA training will read and take, before its first step."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from models.tribal.memory import TribalMemory


class LabelledTurns(BaseModel):
    """Who speaks, as far as the corpus says: turns and tokens by member, unlabelled turns by reason.

    Reasons: the role (system, user, tool), `no_author`, `not_a_member`, `no_intensity`, `masked` (a filter found that
    nobody should speak so).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    turns: dict[str, int]
    tokens: dict[str, int]
    unlabelled: dict[str, int]


class PlannedLabels(LabelledTurns):
    """With the turns of authors who are no member, by name: for this home alone, so no result holds it."""

    strangers: dict[str, int]


class PlannedTribalPhase(BaseModel):
    """One phase as planned: windows in `rows` of at most max_length tokens, and the steps over them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    name: str
    learning_rate: float
    epochs: float
    examples: int
    windows: int
    rows: int
    tokens: int
    trained_tokens: int
    steps: int
    validation_windows: int


class TribalPlan(BaseModel):
    """What a run will do and take. `hours` is null until ten steps are done; `free_bytes` where nobody says.

    `examples` are those of which it will read at least one window; `examples_set_aside` counts the others of the
    training split by reason (`nothing_to_train`, `not_reached`). `notes` are what a person should know.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    device: str
    members: tuple[str, ...]
    parameters: int
    vocab_size: int
    phases: tuple[PlannedTribalPhase, ...]
    steps: int
    examples: int
    examples_set_aside: dict[str, int]
    windows: int
    tokens: int
    trained_tokens: int
    validation_examples: int
    validation_windows: int
    labels: PlannedLabels
    memory: TribalMemory
    free_bytes: int | None
    disk_bytes: int
    free_disk_bytes: int
    notes: tuple[str, ...] = ()
    hours: float | None = None
