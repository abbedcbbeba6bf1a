"""Every row of the training split is trained on or counted, in its phase; a corpus without loss stops the run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from models.lora.corpus import load_split
from models.lora.preparing import Split, check_ends, check_phases, check_share, prepare_split
from models.lora.rendering import IGNORED
from models.lora.template import agree
from schemas.errors import StageFailed, UsageError
from schemas.settings import LoraPreset
from tests.models.lora.families import FAMILIES, family_tokenizer

WriteShard = Callable[..., Path]


def say(role: str, content: str, trainable: bool = False) -> dict[str, Any]:
    return {"role": role, "author": None, "intensity": None, "content": content, "trainable": trainable}


def pair(number: int, trainable: bool = True, words: int = 2) -> list[dict[str, Any]]:
    return [say("user", f"ask {number}"), say("assistant", f"say {number} " * words, trainable)]


def prepared(
    preset: LoraPreset,
    write_shard: WriteShard,
    folder: Path,
    rows: Any,
    phases: Any = (),
    family: str = "qwen-2.5",
) -> Split:
    tokenizer = family_tokenizer(family)
    dataset = load_split([write_shard(folder / "train.parquet", rows, phases)], folder / "cache")
    return prepare_split(dataset, preset, agree(tokenizer, None, {}), tokenizer)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_every_row_is_trained_on_or_counted(
    preset: LoraPreset, write_shard: WriteShard, tmp_path: Path, family: str
) -> None:
    rows = [
        pair(0), pair(1, trainable=False), pair(2, words=300), [*pair(3), *pair(4, words=300), *pair(5)],
        [say("assistant", "Opening.", True), *pair(6)],
    ]  # fmt: skip
    split = prepared(preset, write_shard, tmp_path, rows, family=family)
    counts = split.total()
    assert counts.rows == 5 == counts.examples + counts.set_aside.total()
    assert counts.set_aside == {"nothing_to_train": 1, "too_long": 1}
    opening = int(not agree(family_tokenizer(family), None, {}).opens_with_reply)
    assert counts.replies_too_long == 2
    assert (counts.replies_left_out, counts.replies) == (opening, 5 - opening)
    windows = split.windows
    assert windows is not None
    assert counts.windows == len(windows) > counts.examples - 1
    assert set(windows["example_id"]) == {"train-0", "train-3", "train-4"}
    assert counts.tokens == sum(len(ids) for ids in windows["input_ids"])
    assert counts.trained_tokens == sum(label != IGNORED for labels in windows["labels"] for label in labels)
    assert counts.longest == max(len(ids) for ids in windows["input_ids"]) <= preset.max_length


def test_a_conversation_that_the_template_refuses_is_counted(
    preset: LoraPreset, write_shard: WriteShard, tmp_path: Path
) -> None:
    twice = [say("user", "a"), say("assistant", "b", True), say("assistant", "c", True)]
    split = prepared(preset, write_shard, tmp_path, [pair(0), twice], family="mistral")
    counts = split.total()
    assert (counts.examples, counts.set_aside, counts.replies_left_out) == (1, {"refused_by_template": 1}, 2)


def with_phases(preset: LoraPreset, count: int) -> LoraPreset:
    phases = [{"name": f"p{n}", "learning_rate": 1e-3, "epochs": 1} for n in range(1, count + 1)]
    return LoraPreset.model_validate({**preset.model_dump(), "phases": phases})


def test_rows_go_to_their_phase_and_one_example_may_be_in_two(
    preset: LoraPreset, write_shard: WriteShard, tmp_path: Path
) -> None:
    write_shard(tmp_path / "train.parquet", [pair(0), pair(1), pair(2)], [1, 2, 3])
    again = write_shard(tmp_path / "more" / "train.parquet", [pair(0)], [3])
    tokenizer = family_tokenizer("qwen-3")
    shards = [tmp_path / "train.parquet", again]
    template = agree(tokenizer, None, {})
    split = prepare_split(load_split(shards, tmp_path / "c"), with_phases(preset, 3), template, tokenizer)
    assert [list(split.phase(n)["example_id"]) for n in (1, 2, 3)] == [
        ["train-0"],
        ["train-1"],
        ["train-2", "train-0"],
    ]
    assert [split.counts[n].examples for n in (1, 2, 3)] == [1, 1, 2]
    whole = prepare_split(load_split(shards, tmp_path / "c"), preset, template, tokenizer)
    assert list(whole.phase(1)["example_id"]) == ["train-0", "train-1", "train-2"]
    assert whole.total().set_aside == {"in_another_phase_too": 1}


def test_an_example_that_the_mixture_repeats_is_read_as_often(
    preset: LoraPreset, write_shard: WriteShard, tmp_path: Path
) -> None:
    first = write_shard(tmp_path / "train.parquet", [pair(0), pair(1)], [1, 1])
    again = write_shard(tmp_path / "more" / "train.parquet", [pair(0)], [1])
    tokenizer = family_tokenizer("qwen-3")
    rows = load_split([first, again], tmp_path / "c")
    split = prepare_split(rows, preset, agree(tokenizer, None, {}), tokenizer)
    assert list(split.phase(1)["example_id"]) == ["train-0", "train-1", "train-0"]
    assert split.total().set_aside == {}


def test_phases_that_do_not_fit(preset: LoraPreset, write_shard: WriteShard, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the corpus has a phase 3, the preset only 2"):
        prepared(with_phases(preset, 2), write_shard, tmp_path, [pair(0), pair(1)], [1, 3])
    flat = prepared(with_phases(preset, 2), write_shard, tmp_path / "flat", [pair(0), pair(1)], [1, 1])
    with pytest.raises(UsageError, match="the preset has 2 phases, the corpus only one"):
        check_phases(flat, with_phases(preset, 2))


def test_next_to_no_loss_stops_the_run(preset: LoraPreset, write_shard: WriteShard, tmp_path: Path) -> None:
    masked = prepared(preset, write_shard, tmp_path, [pair(0, trainable=False), pair(1, trainable=False)])
    assert masked.windows is None
    with pytest.raises(StageFailed, match=r"nothing to train on.*2 nothing_to_train"):
        check_share(masked.total(), preset)
    long = preset.model_copy(update={"max_length": 10_000})
    thin = [[say("user", "w " * 3000), say("assistant", "x", True)]]
    split = prepared(long, write_shard, tmp_path / "thin", thin)
    with pytest.raises(StageFailed, match=r"only 0\.\d+% of the tokens carry loss"):
        check_share(split.total(), long)


def test_a_reply_without_its_end_mark_is_noticed() -> None:
    check_ends([IGNORED, 5, 9, IGNORED, 6, 9], 9)
    for labels in ([IGNORED, 5, 6], [5, IGNORED, 6, 9]):
        with pytest.raises(StageFailed, match="lost its end mark"):
            check_ends(labels, 9)
