"""What a run wrote down while it went on, and what is told of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from models.lora import Preflight
from models.lora.memory import Memory
from schemas.settings.loading import load_lora_preset
from tasks.lora_log import notes_on, tell_shortfall
from tasks.training_kinds import NOVA
from tasks.training_log import STEPS, earlier_seconds, notes_on_steps
from tasks.training_page import needs_told

PHASE = {
    "number": 1, "name": "x", "learning_rate": 1e-4, "epochs": 1.0, "rows": 48, "examples": 48, "windows": 57,
    "tokens": 1, "trained_tokens": 1, "steps": 2, "set_aside": {},
}  # fmt: skip


def plan(not_reached: int, without: int) -> Preflight:
    values: dict[str, Any] = {
        "backend": "trl", "device": "CPU", "phases": [PHASE | {"windows_not_reached": not_reached}],
        "validation_windows": 0, "examples": 48 - without, "examples_not_reached": without, "steps": 2, "tokens": 1,
        "memory": dict.fromkeys(Memory.model_fields, 100), "free_bytes": None, "disk_bytes": 1, "free_disk_bytes": 9,
    }  # fmt: skip
    return Preflight.model_validate(values)


def test_what_is_not_read_is_told_before() -> None:
    told = tell_shortfall(plan(49, 40))
    assert told is not None
    assert "49 of 57 windows" in told
    assert "40 of 48 examples" in told
    assert tell_shortfall(plan(0, 0)) is None


def test_changes_that_phases_overrule_are_told() -> None:
    asked = {"epochs": 2.0, "learning_rate": 1e-4}
    (told,) = notes_on_steps(NOVA, "nova-tiny-sora", asked)
    assert told == "Without effect: epochs and learning_rate, for each of the preset's phases has its own."
    assert notes_on_steps(NOVA, "nova-tiny", asked) == []
    assert notes_on_steps(NOVA, "nova-tiny-sora", {**asked, "phases": []}) == []


def test_who_asks_for_epochs_gets_them() -> None:
    asked = {"epochs": 1.0}
    preset = load_lora_preset("demo", asked)
    assert (preset.epochs, preset.max_steps) == (1.0, None)
    assert "max_steps of 20 does not hold" in notes_on("demo", asked, preset)[0]
    both = {"epochs": 1.0, "max_steps": 3}
    assert load_lora_preset("demo", both).max_steps == 3
    assert notes_on("demo", both, load_lora_preset("demo", both)) == []
    assert notes_on("llama-3-8b", asked, load_lora_preset("llama-3-8b", asked)) == []
    named = load_lora_preset("demo", {"role_names": {"user": "Drew", "assistant": "Ada"}})
    assert "Drew and Ada stand in place" in notes_on("demo", {}, named)[0]


def test_the_time_of_all_sessions(tmp_path: Path) -> None:
    # Broken off after step 3, and after step 5 (taken up at 3 again), and done at 6.
    sessions = ((1, [0.0, 2.0, 4.0]), (3, [0.0, 1.0, 3.0]), (6, [0.0]))
    lines = [
        json.dumps({"step": first + n, "first_step": first, "seconds": seconds})
        for first, times in sessions
        for n, seconds in enumerate(times)
    ]
    (tmp_path / STEPS).write_text("\n".join([*lines[:2], '{"torn', *lines[2:]]) + "\n", "utf-8")
    assert earlier_seconds(tmp_path) == 4.0 + 3.0
    assert earlier_seconds(tmp_path / "nowhere") == 0.0


def test_measured_is_the_training_alone() -> None:
    measured = {"peak_bytes": 800 << 20, "held_bytes": 700 << 20, "seconds": 20.0}
    needs = {need.part: need for need in needs_told(plan(0, 0), plan(0, 0).memory, measured, 7.0)}
    assert needs["memory in all"].measured == 100 << 20
    assert "held 700 MiB before" in needs["memory in all"].note
    assert (needs["time"].measured, needs["time"].unit) == (27.0, "seconds")
    assert "the last one took 20 s" in needs["time"].note
