"""The curriculum: which windows each phase reads, packed into rows, and how many steps it takes over them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.training.schedule import PhasePlan
from models.tribal.members import folded
from models.tribal.preparing import Prepared, Split
from models.tribal.windows import pack_windows
from schemas.errors import SettingsError, StageFailed
from schemas.settings.tribal import TribalPhase, TribalPreset

WHOLE = "everything"
#: At most so many windows are measured in a validation, taken at equal distances.
VALIDATION_WINDOWS = 1000


@dataclass(frozen=True)
class PhaseRows:
    """What a phase reads: rows of window numbers of the training split, and of the validation split."""

    plan: PhasePlan
    rows: tuple[tuple[int, ...], ...]
    validation: tuple[tuple[int, ...], ...]


def phases_of(preset: TribalPreset) -> tuple[TribalPhase, ...]:
    """The preset's phases; without any, one over everything."""
    whole = TribalPhase(name=WHOLE, learning_rate=preset.learning_rate, epochs=preset.epochs)
    return preset.phases or (whole,)


def plan_phases(prepared: Prepared) -> tuple[PhaseRows, ...]:
    """Rows and steps of each phase; `max_steps` cuts the last ones short. Raises SettingsError, StageFailed."""
    preset = prepared.preset
    left = math.inf if preset.max_steps is None else preset.max_steps
    planned = []
    for number, phase in enumerate(phases_of(preset), 1):
        rows = _packed(prepared.train, _windows(prepared, phase), preset.max_length)
        # The batch of the preset, not a halved one: so a run out of memory does not change what is learnt.
        per_epoch = math.ceil(math.ceil(len(rows) / preset.batch_size) / preset.gradient_accumulation)
        steps = int(min(left, math.ceil(per_epoch * phase.epochs)))
        left -= steps
        warmup = math.ceil(steps * preset.warmup_ratio)
        plan = PhasePlan(number, phase.name, phase.learning_rate, phase.epochs, len(rows), steps, warmup)
        planned.append(PhaseRows(plan, rows, _validation(prepared, phase)))
    return tuple(planned)


def validation_rows(prepared: Prepared, windows: Sequence[int] | None = None) -> tuple[tuple[int, ...], ...]:
    """At most VALIDATION_WINDOWS of these windows of the validation split (None: of all), packed into rows."""
    split = prepared.validation
    chosen = learned_windows(split) if windows is None else windows
    number = min(len(chosen), VALIDATION_WINDOWS)
    taken = [chosen[place * len(chosen) // number] for place in range(number)]
    return _packed(split, taken, prepared.preset.max_length)


def _windows(prepared: Prepared, phase: TribalPhase) -> list[int]:
    """Numbers of the training windows that a phase reads; one stands there as often as its example in the corpus."""
    train = prepared.train
    own = _documents(prepared, train, phase)
    times = dict.fromkeys(own, 1)
    if phase.corpus_phase is not None:
        times = {number: train.documents.phases[number][phase.corpus_phase] for number in own}
    documents = train.windows[:, 0].tolist()
    windows = [n for n in learned_windows(train) for _ in range(times.get(documents[n], 0))]
    if not windows:
        raise StageFailed(
            f"phase {phase.name} has nothing to read in the training split",
            fix="Build a corpus that has it, or take the phase out of the preset.",
        )
    return windows + _replayed(prepared, phase, windows, times)


def learned_windows(split: Split) -> list[int]:
    """Windows in which a token carries loss; the others would only be waited for. The first one never does."""
    learned = np.concatenate([[0], np.cumsum(split.documents.learn, dtype=np.int64)])
    start, stop = split.windows[:, 1], split.windows[:, 2]
    found: list[int] = np.flatnonzero(learned[stop] > learned[np.minimum(start + 1, stop)]).tolist()
    return found


def _documents(prepared: Prepared, split: Split, phase: TribalPhase) -> list[int]:
    """Conversations of a split that a phase is about."""
    documents = split.documents
    chosen = list(range(len(documents.example_ids)))
    if phase.corpus_phase is not None:
        chosen = [number for number in chosen if phase.corpus_phase in documents.phases[number]]
    if phase.member is not None:
        member = [folded(name) for name in prepared.members].index(folded(phase.member))
        chosen = [number for number in chosen if member in documents.speakers(number)]
    return chosen


def _replayed(
    prepared: Prepared, phase: TribalPhase, own: Sequence[int], documents: dict[int, int]
) -> list[int]:
    """Windows of other conversations, drawn by the seed, until they have their share of the phase's tokens."""
    if not phase.replay:
        return []
    lengths, owners = prepared.train.lengths, prepared.train.windows[:, 0]
    learned = np.array(learned_windows(prepared.train), np.int64)
    others = learned[~np.isin(owners[learned], list(documents))]
    if not len(others):
        raise SettingsError(
            f"phase {phase.name} has replay, but there are no other conversations", fix="Set replay: 0."
        )
    wanted = int(lengths[list(own)].sum()) * phase.replay / (1 - phase.replay)
    order = np.random.default_rng(prepared.preset.seed).permutation(others)
    reached = np.cumsum(lengths[order])
    return [int(number) for number in order[: int(np.searchsorted(reached, wanted)) + 1]]


def _validation(prepared: Prepared, phase: TribalPhase) -> tuple[tuple[int, ...], ...]:
    """What a phase is measured on: its own kind of conversations where the validation split has any, else all."""
    split = prepared.validation
    own, owners = set(_documents(prepared, split, phase)), split.windows[:, 0].tolist()
    return validation_rows(prepared, [n for n in learned_windows(split) if owners[n] in own] or None)


def _packed(split: Split, windows: Sequence[int], max_length: int) -> tuple[tuple[int, ...], ...]:
    lengths = split.lengths
    rows = pack_windows([int(lengths[number]) for number in windows], max_length)
    return tuple(tuple(windows[place] for place in row) for row in rows)
