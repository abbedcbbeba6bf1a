"""Which windows a phase reads: all once, those of a corpus phase, those of a member with some of the others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.tribal.preparing import Prepared, prepare
from models.tribal.schedule import learned_windows, plan_phases, validation_rows
from schemas.errors import SettingsError, StageFailed
from schemas.settings.tribal import TribalPreset
from tests.models.tribal.training.conftest import WriteShard, conversations
from tests.models.tribal.training.test_documents import changed


def with_phases(prepared: Prepared, *phases: dict[str, Any], **changes: Any) -> Prepared:
    rows = [{"learning_rate": 0.01, **phase} for phase in phases]
    preset = changed(prepared.preset, **{"phases": rows, "max_steps": None, **changes})
    return replace(prepared, preset=preset)


def owners(prepared: Prepared, rows: Any) -> list[int]:
    return [int(prepared.train.windows[number, 0]) for row in rows for number in row]


def test_without_phases_every_window_with_loss_is_read_once(prepared: Prepared) -> None:
    (phase,) = plan_phases(prepared)
    assert sorted(number for row in phase.rows for number in row) == learned_windows(prepared.train)
    assert phase.plan.rows == len(phase.rows)
    assert sorted(n for row in phase.validation for n in row) == learned_windows(prepared.validation)


def test_windows_without_loss_are_left(prepared: Prepared) -> None:
    learned = set(learned_windows(prepared.train))
    batch = prepared.collator(prepared.train)([[n] for n in range(len(prepared.train.windows))])
    carrying = set(np.flatnonzero((batch["labels"] >= 0).any(1).numpy()).tolist())
    assert learned == carrying
    assert len(learned) < len(prepared.train.windows), "the corpus should have a window without loss"


def test_a_members_phase_reads_her_conversations_and_a_share_of_others(prepared: Prepared) -> None:
    made = with_phases(prepared, {"name": "sora", "member": "SORA".lower(), "replay": 0.4})
    (phase,) = plan_phases(made)
    sora = made.members.index("sora")
    lengths = made.train.lengths
    own = other = 0
    for row in phase.rows:
        for number in row:
            speaks = sora in made.train.documents.speakers(int(made.train.windows[number, 0]))
            own, other = own + speaks * lengths[number], other + (not speaks) * lengths[number]
    everything = [n for n in learned_windows(made.train)
                  if sora in made.train.documents.speakers(int(made.train.windows[n, 0]))]  # fmt: skip
    assert own == lengths[everything].sum()
    assert other / (own + other) == pytest.approx(0.4, abs=0.03)
    measured = {int(made.validation.windows[n, 0]) for row in phase.validation for n in row}
    assert measured
    assert all(sora in made.validation.documents.speakers(number) for number in measured)


def test_a_corpus_phase_is_read_as_often_as_the_corpus_has_it(
    preset: TribalPreset, write_shard: WriteShard, tmp_path: Path
) -> None:
    rows = conversations(0, 30)
    shard = write_shard(tmp_path / "train.parquet", [*rows, rows[0]], [1] * 20 + [2] * 10 + [2])
    again = write_shard(tmp_path / "again" / "train.parquet", rows, [2] * 30)
    made = with_phases(
        prepare(preset, {"train": [shard, again]}),
        {"name": "all"}, {"name": "two", "corpus_phase": 2}, {"name": "one", "corpus_phase": 1},
    )  # fmt: skip
    everything, two, one = plan_phases(made)
    learned = [int(made.train.windows[n, 0]) for n in learned_windows(made.train)]
    assert sorted(owners(made, everything.rows)) == sorted(learned)
    twice = [owner for owner in learned if 20 <= owner < 30]
    assert sorted(owners(made, two.rows)) == sorted(
        [owner for owner in learned if owner < 30] + twice + [owner for owner in learned if owner == 30]
    )
    assert set(owners(made, one.rows)) == set(range(20))


def test_a_phase_with_nothing_to_read(prepared: Prepared) -> None:
    with pytest.raises(StageFailed, match="phase nothing has nothing to read"):
        plan_phases(with_phases(prepared, {"name": "nothing", "corpus_phase": 7}))


def test_replay_without_other_conversations(
    preset: TribalPreset, write_shard: WriteShard, tmp_path: Path
) -> None:
    rows = [row for n, row in enumerate(conversations(0, 60)) if n % 4 == 1]
    made = prepare(changed(preset, vocab_size=300), {"train": [write_shard(tmp_path / "t.parquet", rows)]})
    with pytest.raises(SettingsError, match="replay, but there are no other conversations"):
        plan_phases(with_phases(made, {"name": "sora", "member": "sora", "replay": 0.3}))


def test_max_steps_cuts_the_last_phases_short(prepared: Prepared) -> None:
    made = with_phases(prepared, {"name": "a", "epochs": 2}, {"name": "b", "epochs": 9}, {"name": "c"})
    a, b, c = (phase.plan.steps for phase in plan_phases(made))
    assert a == -(-len(plan_phases(made)[0].rows) // 4) * 2
    short = with_phases(
        made, {"name": "a", "epochs": 2}, {"name": "b", "epochs": 9}, {"name": "c"}, max_steps=a + 5
    )
    assert [phase.plan.steps for phase in plan_phases(short)] == [a, 5, 0]
    assert min(b, c) > 0


def test_at_most_a_thousand_windows_are_measured(prepared: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.tribal.schedule.VALIDATION_WINDOWS", 7)
    chosen = sorted(number for row in validation_rows(prepared) for number in row)
    learned = learned_windows(prepared.validation)
    assert len(chosen) == 7
    assert chosen[0] == learned[0]
    assert chosen[-1] > learned[-1] * 0.7
