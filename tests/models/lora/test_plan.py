"""The plan before the first step: steps, memory, disk; what does not fit is refused with what to change."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.lora import plan_run
from models.lora import preflight as planning
from models.lora.memory import estimate_memory
from models.lora.schedule import plan_phases
from models.lora.shapes import BaseShape
from models.training.schedule import Batch
from schemas.errors import StageFailed, StoreError, UsageError
from schemas.settings import LoraPreset
from schemas.settings.loading import load_lora_preset
from tests.models.lora import conftest

#: Llama 3 8B, as its config says.
LLAMA_8B = BaseShape(
    linear=6_979_321_856, other=1_050_939_392, adapter=41_943_040, layers=32, hidden=4096, inner=14336, values=1024,
    vocabulary=128_256, positions=8192,
)  # fmt: skip


def test_a_plan_says_what_will_be_read(
    preset: LoraPreset, corpus: dict[str, list[Path]], run: Any, tmp_path: Path
) -> None:
    plan = plan_run(preset, corpus, tmp_path)
    assert (plan.steps, plan.tokens, plan.validation_windows) == (6, run.result.tokens, 3)
    (phase,) = plan.phases
    assert (phase.rows, phase.examples, phase.windows, phase.steps) == (10, 10, 10, 6)
    assert (phase.tokens, phase.trained_tokens) == (run.result.tokens, run.result.trained_tokens)
    assert plan.memory.adapter == 4 * run.result.trainable_parameters
    assert plan.memory.weights == 4 * run.result.base_parameters
    assert (plan.backend, plan.hours) == ("trl", None)
    assert 0 < plan.memory.total < (plan.free_bytes or math.inf)
    before = run.watched.plans[0]
    same = {"free_bytes": None, "free_disk_bytes": 0}
    assert before.model_copy(update=same) == plan.model_copy(update=same), (
        "the run plans what the dry run says"
    )
    assert len(run.watched.peaks) == 1


def test_windows_that_the_steps_do_not_reach_are_told(
    preset: LoraPreset, corpus: dict[str, list[Path]], tmp_path: Path
) -> None:
    short = preset.model_copy(update={"max_steps": 2})
    assert plan_run(short, corpus, tmp_path).phases[0].windows_not_reached == 2


@settings(max_examples=200, derandomize=True, deadline=None, database=None)
@given(
    rows=st.lists(st.integers(0, 500), min_size=1, max_size=5),
    batch=st.integers(1, 9),
    accumulation=st.integers(1, 9),
    epochs=st.sampled_from([0.3, 1.0, 2.5, 3.0]),
    most=st.none() | st.integers(1, 300),
)
def test_steps_of_phases(
    rows: list[int], batch: int, accumulation: int, epochs: float, most: int | None
) -> None:
    phases = [{"name": f"p{n}", "learning_rate": 1e-4, "epochs": epochs} for n in range(len(rows))]
    preset = LoraPreset.model_validate(
        {
            "description": "x",
            "base": {"kind": "built"},
            "target_modules": ("q_proj",),
            "batch_size": batch,
            "gradient_accumulation": accumulation,
            "max_steps": most,
            "phases": phases,
            "warmup_ratio": 0.03,
        }
    )
    plans = plan_phases(preset, rows)
    assert sum(plan.steps for plan in plans) <= (math.inf if most is None else most)
    for plan, count in zip(plans, rows, strict=True):
        per_epoch = math.ceil(math.ceil(count / batch) / accumulation)
        assert plan.steps <= math.ceil(per_epoch * epochs)
        assert (plan.steps == 0) or plan.warmup_steps >= 1
        if most is None:
            assert plan.steps == math.ceil(per_epoch * epochs)


@given(size=st.integers(1, 64), accumulation=st.integers(1, 64))
@settings(max_examples=200, derandomize=True, deadline=None, database=None)
def test_a_halved_batch_holds_as_many_rows(size: int, accumulation: int) -> None:
    halved = Batch(size, accumulation).halved()
    if size == 1:
        assert halved is None
        return
    assert halved is not None
    assert 1 <= halved.size <= size // 2
    assert halved.size * halved.accumulation == size * accumulation
    assert size % 2 or halved.size == size // 2


@pytest.mark.parametrize(
    ("name", "gib"), [("llama-3-8b", (6, 14)), ("qwen3-8b-ada", (6, 14)), ("emergent", (17, 30))]
)
def test_the_presets_need_about_what_people_report(name: str, gib: tuple[int, int]) -> None:
    """An 8B in 4 bits trains in 8 to 14 GiB at 2048 tokens, in bf16 in 20 to 30."""
    preset = load_lora_preset(name)
    batch = Batch(preset.batch_size, preset.gradient_accumulation)
    total = estimate_memory(LLAMA_8B, preset, batch, preset.max_length, 2).total / (1 << 30)
    assert gib[0] < total < gib[1], f"{name}: {total:.1f} GiB"


#: (hidden, inner, layers, preset, batch, tokens of a window): most MiB above the imports, measured on a CPU.
MEASURED = [
    (256, 768, 4, {"dtype": "fp32", "gradient_checkpointing": True}, 4, 604, 367),
    (256, 768, 4, {"dtype": "fp32", "gradient_checkpointing": True, "quantization": "nf4"}, 4, 604, 358),
    (256, 768, 8, {"dtype": "bf16", "gradient_checkpointing": True}, 4, 604, 423),
    (512, 1536, 4, {"dtype": "fp32", "gradient_checkpointing": True}, 1, 804, 336),
    (512, 1536, 6, {"dtype": "fp32", "gradient_checkpointing": True}, 8, 804, 2231),
    (512, 1536, 6, {"dtype": "fp32"}, 8, 804, 3541),
]


@pytest.mark.parametrize(("hidden", "inner", "layers", "asked", "batch", "tokens", "peak"), MEASURED)
def test_the_estimate_is_near_what_was_measured_on_a_cpu(
    hidden: int, inner: int, layers: int, asked: dict[str, Any], batch: int, tokens: int, peak: int
) -> None:
    linear = layers * (4 * hidden * hidden + 3 * hidden * inner)
    adapter = layers * 8 * (4 * 2 * hidden + 3 * (hidden + inner))
    shape = BaseShape(
        linear=linear, other=800 * hidden, adapter=adapter, layers=layers, hidden=hidden, inner=inner, values=hidden,
        vocabulary=400, positions=1024,
    )  # fmt: skip
    base = {"kind": "pretrained", "name": "some/base"}
    values = {"description": "x", "base": base, "target_modules": ("q_proj",), "rank": 8, **asked}
    width = 2 if asked["dtype"] == "bf16" else 4
    preset = LoraPreset.model_validate(values)
    planned = estimate_memory(shape, preset, Batch(batch, 1), tokens, width, "CPU")
    assert 0.9 < planned.total / (1 << 20) / peak < 1.25
    assert estimate_memory(shape, preset, Batch(batch, 1), tokens, width, "a GPU").holes == 0


def test_too_little_memory_is_refused_with_what_to_change(monkeypatch: pytest.MonkeyPatch) -> None:
    preset = load_lora_preset("emergent").model_copy(update={"gradient_checkpointing": False})
    batch = Batch(preset.batch_size, preset.gradient_accumulation)
    monkeypatch.setattr(planning, "free_memory", lambda: ("a small GPU", 12 << 30))
    with pytest.raises(
        UsageError, match=r"needs about \d+\.\d GiB of memory, a small GPU has 12\.0"
    ) as error:
        planning.plan_memory(LLAMA_8B, preset, batch, 2048, 2)
    assert "gradient_checkpointing: true, batch_size: 1, gradient_accumulation: 32, quantization: nf4" in str(
        error.value
    )
    monkeypatch.setattr(planning, "free_memory", lambda: ("a tiny GPU", 1 << 30))
    with pytest.raises(UsageError, match="Not even this"):
        planning.plan_memory(LLAMA_8B, preset, batch, 2048, 2)
    monkeypatch.setattr(planning, "free_memory", lambda: ("somewhere", None))
    assert planning.plan_memory(LLAMA_8B, preset, batch, 2048, 2)[2] is None


def test_too_little_disk_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="are free"):
        planning.plan_disk(LLAMA_8B, 1 << 50, tmp_path)


def test_a_run_in_which_every_row_is_masked(
    preset: LoraPreset, write_shard: Callable[..., Path], tmp_path: Path
) -> None:
    rows = [[{**message, "trainable": False} for message in row] for row in conftest.conversations(0, 4)]
    shard = write_shard(tmp_path / "train.parquet", rows)
    with pytest.raises(StageFailed, match=r"nothing to train on.*4 nothing_to_train"):
        plan_run(preset, {"train": [shard]}, tmp_path / "work")
