"""What is claimed to have been read is what the trainer was really given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from models.lora import curriculum, plan_run, train_lora, training
from models.lora.corpus import load_split
from models.lora.preparing import prepare_split
from models.lora.template import read_template
from schemas.settings import LoraPreset

Corpus = dict[str, list[Path]]


def all_windows(corpus: Corpus, preset: LoraPreset, out: Path, tokenizer: Any) -> list[tuple[str, list[int]]]:
    """Every window that the training split gives, by example."""
    dataset = load_split(corpus["train"], out.parent / "cache")
    split = prepare_split(dataset, preset, read_template(out / "adapter"), tokenizer)
    assert split.windows is not None
    return [(row["example_id"], row["input_ids"]) for row in split.windows]


@pytest.mark.parametrize("changes", [{"max_steps": 1}, {"max_steps": 1, "packing": True, "batch_size": 1}])
def test_the_claim_is_what_the_trainer_was_given(
    corpus: Corpus, preset: LoraPreset, tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
) -> None:  # fmt: skip
    given: list[list[int]] = []
    make = training.make_trainer

    def watched(*arguments: Any) -> Any:
        trainer = make(*arguments)
        collate = trainer.data_collator

        def collated(rows: Sequence[dict[str, Any]]) -> Any:
            given.extend(list(row["input_ids"]) for row in rows)
            return collate(rows)

        trainer.data_collator = collated
        return trainer

    monkeypatch.setattr(curriculum, "make_trainer", watched)
    short, out = preset.model_copy(update=changes), tmp_path / "out"
    alone = {"train": corpus["train"]}  # no validation: what is collated is what is trained on
    result = train_lora(short, alone, out)
    # The loader fetches one batch ahead of the step that is the last.
    read = given[: short.batch_size * short.gradient_accumulation]
    texts = [" ".join(map(str, ids)) for ids in read]
    windows = all_windows(corpus, short, out, tokenizer)
    expected = {ex for ex, ids in windows if any(" ".join(map(str, ids)) in text for text in texts)}
    assert 0 < len(expected) < 10
    assert set(pq.read_table(out / "seen.parquet")["example_id"].to_pylist()) == expected
    assert result.examples == len(expected)
    assert result.examples_set_aside == {"not_reached": 10 - len(expected)}
    assert result.windows == len(expected) == 10 - result.phases[0].windows_not_reached
    assert result.tokens == sum(len(ids) for ex, ids in windows if ex in expected)
    plan = plan_run(short, alone, tmp_path)
    assert (plan.examples, plan.examples_not_reached) == (len(expected), 10 - len(expected))


def test_an_example_in_every_phase_counts_once(
    corpus: Corpus, preset: LoraPreset, write_shard: Any, rows: Any, tmp_path: Path
) -> None:
    shard = write_shard(tmp_path / "train-00000.parquet", [*rows[:4], *rows[:2]], [1, 1, 1, 1, 2, 2])
    table = pq.read_table(shard)
    ids = [f"x-{n}" for n in (0, 1, 2, 3, 0, 1)]
    pq.write_table(table.set_column(0, table.schema.field(0), [ids]), shard)
    phases = [{"name": name, "learning_rate": 1e-3} for name in ("one", "two")]
    values = preset.model_dump(mode="json") | {"phases": phases, "max_steps": None}
    result = train_lora(LoraPreset.model_validate(values), {"train": [shard]}, tmp_path / "out")
    assert (result.examples, result.windows, result.replies) == (4, 4, 8)
    assert [phase.examples for phase in result.phases] == [4, 2]
    assert result.tokens < sum(phase.tokens for phase in result.phases)
    assert result.examples_set_aside == {}
    seen = pq.read_table(tmp_path / "out/seen.parquet")
    assert seen["windows"].to_pylist() == [1] * 6
