"""What a NOVA's run wrote down, as its page has it: steps numbered through all phases, needs estimated and measured."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from models.tribal import TribalPlan
from schemas.errors import StoreError
from tasks.nova_page import CURVE, EVALUATION, VALIDATION, evaluation_of, needs_told, phases_of, validation_of
from tasks.planning_nova import plan_lines

PHASE = {
    "learning_rate": 1e-3, "examples": 5, "windows": 6, "rows": 4, "tokens": 100, "trained_tokens": 90,
    "batch_size": 2, "gradient_accumulation": 1, "before": None, "after": None,
}  # fmt: skip


def result(*steps: int) -> Any:
    phases = [
        SimpleNamespace(number=n, name=f"phase {n}", steps=count, **PHASE) for n, count in enumerate(steps, 1)
    ]
    return SimpleNamespace(phases=phases)


def lines(path: Path, *values: dict[str, Any]) -> None:
    path.write_text("".join(json.dumps(value) + "\n" for value in values), "utf-8")


def test_steps_and_validations_are_numbered_through_all_phases(tmp_path: Path) -> None:
    """A phase without steps keeps its place; what is measured before a phase stands at its first step."""
    steps = [{"phase": 1, "step": n, "loss": 5.0, "lm_loss": 4.0, "learning_rate": 1e-3} for n in (1, 2, 3)]
    more = [{"phase": 3, "step": n, "loss": 3.0, "learning_rate": 1e-4} for n in (1, 2)]
    lines(tmp_path / CURVE, *steps, *more)
    measured = {"lm_loss": 4.0, "label_loss": None, "bits_per_byte": 3.0}
    lines(
        tmp_path / VALIDATION,
        *({"phase": 1, "step": n, **measured} for n in (0, 2, 3)),
        *({"phase": 3, "step": n, **measured} for n in (0, 2)),
    )
    phases = phases_of(result(3, 0, 2), tmp_path)
    assert [[point.step for point in phase.steps] for phase in phases] == [[1, 2, 3], [], [4, 5]]
    assert [phase.steps[0].loss for phase in phases if phase.steps] == [4.0, 3.0], (
        "the next token's, where told"
    )
    assert [phase.passes for phase in phases] == [1.5, 0.0, 1.0]
    assert [point.step for point in validation_of(result(3, 0, 2), tmp_path)] == [1, 2, 3, 4, 5]


def test_a_damaged_evaluation_is_said_and_none_is_none(tmp_path: Path) -> None:
    assert evaluation_of(tmp_path) == ()
    (tmp_path / EVALUATION).write_text("{}", "utf-8")
    with pytest.raises(StoreError, match="evaluation of a NOVA is damaged"):
        evaluation_of(tmp_path)


def plan(**more: Any) -> TribalPlan:
    values: dict[str, Any] = {
        "device": "CPU", "members": ["nova", "sora"], "parameters": 2_000_000, "vocab_size": 2048, "steps": 12,
        "phases": [{
            "number": 1, "name": "everything", "learning_rate": 1e-3, "epochs": 1.0, "examples": 5, "windows": 6,
            "rows": 4, "tokens": 100, "trained_tokens": 90, "steps": 12, "validation_windows": 3,
        }],
        "examples": 5, "examples_set_aside": {"not_reached": 2}, "windows": 6, "tokens": 100, "trained_tokens": 90,
        "validation_examples": 2, "validation_windows": 3,
        "labels": {
            "turns": {"nova": 1, "sora": 2}, "tokens": {"nova": 10, "sora": 20}, "unlabelled": {"no_author": 7},
            "strangers": {f"s{n}": 20 - n for n in range(10)},
        },
        "memory": {"weights": 1 << 20, "gradients": 1 << 20, "optimizer": 2 << 20, "activations": 1 << 20, "logits": 0},
        "free_bytes": 8 << 30, "disk_bytes": 1 << 20, "free_disk_bytes": 1 << 30,
    }  # fmt: skip
    return TribalPlan.model_validate(values | more)


def test_a_plan_says_who_speaks_and_who_is_unknown() -> None:
    told = "\n".join(plan_lines(plan(notes=("Mind this.",))))
    for said in (
        "2,000,000 weights", "member nova (core): 1 labelled turns", "member sora: 2 labelled turns, 20 tokens",
        "turns without a label: 7 no author", "speakers who are no member: s0 20, s1 19", "and 2 more",
        "set aside: 2 not reached", "Mind this.", "8.0 GiB free on CPU", "not known before ten real steps",
    ):  # fmt: skip
        assert said in told, said


def test_needs_estimated_beside_measured() -> None:
    measured = {"peak_bytes": 9 << 20, "held_bytes": 2 << 20, "seconds": 30.0, "tokens_per_second": 1234.5}
    needs = {need.part: need for need in needs_told(plan(hours=0.01), measured, earlier=10.0)}
    whole = needs["memory in all"]
    assert (whole.estimated, whole.measured) == (5 << 20, 7 << 20)
    assert (needs["time"].estimated, needs["time"].measured) == (36.0, 40.0)
    assert "taken up again" in needs["time"].note
    assert needs["speed"].measured == 1234.5
