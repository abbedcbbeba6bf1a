"""`vatra train lora` and what is done with an adapter, for real, on the demo base."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from flows.trainings import plan_training
from schemas.errors import UsageError
from storage.home import open_home
from tasks.lora_training import LORA_TRAINING
from tasks.training import _train
from tasks.training_kinds import LORA
from tests.flows.conftest import Answer, Built, vatra

FAST = ("--preset", "demo", "--set", "max_steps=2", "--set", "base.layers=1", "--batch-size", 2)


def of(built: Built) -> tuple[object, ...]:
    """The build by its name: other tests have made later ones in this home."""
    return "--build", built.summary["build"]


@pytest.fixture(scope="module")
def trained(built: Built) -> Answer:
    answer = vatra("train", "lora", *FAST, *of(built), "--name", "ada", "--home", built.home, "--json")
    assert answer.code == 0, answer.errors
    return answer


def test_what_comes_out(built: Built, trained: Answer) -> None:
    told = trained.object
    folder = built.home / "artifacts/lora/ada"
    assert (told["adapter"], told["cached"], told["named"]) == ("ada", False, str(folder))
    assert folder.resolve() == Path(told["folder"])
    inside = {
        str(path.relative_to(folder.resolve())) for path in folder.resolve().rglob("*") if path.is_file()
    }
    assert {
        "README.md", "lineage.parquet", "preset.json", "train.json", "adapter/adapter_model.safetensors",
        "adapter/adapter_config.json", "adapter/tokenizer.json", "adapter/template.json", "base/model.safetensors",
    } <= inside  # fmt: skip
    assert "seen.parquet" not in inside
    assert "loss " in trained.errors


def test_the_lineage_holds_what_was_read(built: Built, trained: Answer) -> None:
    lineage = pq.read_table(built.home / "artifacts/lora/ada/lineage.parquet")
    corpus = built.home / "datasets/mix" / trained.object["corpus"]
    for split in ("train", "validation"):
        shards = [
            pq.read_table(path, columns=["example_id"]) for path in sorted(corpus.glob(f"{split}-*.parquet"))
        ]
        ids = [value for shard in shards for value in shard["example_id"].to_pylist()]
        rows = lineage.filter([value == split for value in lineage["split"].to_pylist()])
        named = rows["example_id"].to_pylist()
        if split == "validation":
            assert named == ids
            continue
        # Two steps over two windows each: of four windows, and so of no more examples.
        assert 0 < len(named) == len(set(named)) == trained.object["rows_out"] <= 4
        assert set(named) < set(ids)
        assert trained.object["rows_in"] == len(set(ids))
        assert trained.object["set_aside"] == {"not_reached": len(set(ids)) - len(named)}
    assert lineage.schema.metadata[b"vatra.corpus"].decode() == trained.object["corpus"]
    assert lineage.schema.metadata[b"vatra.build"].decode() == built.summary["build"]


def test_the_page_and_the_card(built: Built, trained: Answer) -> None:
    page = Path(trained.object["report"]).read_text("utf-8")
    assert 'class="run smooth"' in page
    assert page.count('class="window"') == 20
    assert "memory in all" in page
    card = (built.home / "artifacts/lora/ada/README.md").read_text("utf-8")
    assert "**This is an AI.**" in card
    assert card.split("---\n")[2].strip().startswith("# ada\n")
    assert '"scorer": "profanity"' in card
    assert "Not everything is read" in trained.errors
    assert built.summary["build"] in card
    assert str(built.home) not in card
    log = built.home / "logs" / f"train-lora-{trained.object['fingerprint']}" / "steps.jsonl"
    assert [json.loads(line)["step"] for line in log.read_text().splitlines()] == [1, 2]


def test_the_same_again_stands_already_and_may_have_a_second_name(built: Built, trained: Answer) -> None:
    again = vatra("train", "lora", *FAST, *of(built), "--name", "ada-too", "--home", built.home, "--json")
    assert (again.code, again.object["cached"]) == (0, True)
    assert again.object["fingerprint"] == trained.object["fingerprint"]


def refused(built: Built, *arguments: object) -> str:
    answer = vatra("train", "lora", *arguments, "--home", built.home)
    assert answer.code in (1, 2), answer.out
    assert "Traceback" not in answer.errors
    assert not answer.errors.count("\n") > 12
    return answer.errors


def test_what_is_refused(built: Built, trained: Answer, tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text("description: x\nbase: {kind: pretrained, name: some/where}\ntarget_modules: [q_proj]\n")
    assert "belongs to another run" in refused(built, *FAST, "--set", "rank=2", "--name", "ada")
    assert "cannot be the name" in refused(built, *FAST, "--name", "../x")
    assert "no train preset is called 'nosuch'" in refused(built, "--preset", "nosuch")
    assert "Write --set rank=4." in refused(built, "--set", "lora.rank=4")
    assert "unknown setting rnak" in refused(built, "--set", "rnak=2")
    assert "learning_rate" in refused(built, "--set", "learning_rate=0")
    assert "there is no corpus 'ffff'" in refused(built, "--corpus", "ffff")
    assert "no build is called 'nobody'" in refused(built, "--build", "nobody")
    assert "some/where is not on this machine" in refused(built, "--preset", mine)
    assert "tensorboard is not installed" in refused(built, "--track", "tensorboard")
    assert "no layer 'c_attn'" in refused(built, *FAST, "--set", "target_modules=[c_attn]")


def test_the_plan_trains_nothing(built: Built, trained: Answer) -> None:
    before = sorted((built.home / "artifacts/train-lora").iterdir())
    longer = (*FAST, "--epochs", 3, "--set", "max_steps=null")
    answer = vatra("train", "lora", *longer, "--dry-run", "--home", built.home, "--json")
    assert answer.code == 0, answer.errors
    told = answer.object
    assert told["steps"] > 2
    assert told["memory"]["weights"] > 0
    assert "Nothing was trained" in answer.errors
    assert sorted((built.home / "artifacts/train-lora").iterdir()) == before
    assert not list((built.home / "cache").glob("plan-*"))


def test_the_plan_refuses_what_the_training_would(built: Built, trained: Answer) -> None:
    said = refused(built, *FAST, *of(built), "--set", "rank=2", "--name", "ada", "--dry-run")
    assert "belongs to another run" in said
    assert (
        "belongs"
        not in vatra(
            "train", "lora", *FAST, *of(built), "--name", "ada", "--dry-run", "--home", built.home
        ).errors
    )


def test_what_can_be_told_before_the_base_is_there(built: Built, trained: Answer) -> None:
    """`Can I?` is asked before fifteen gigabytes are fetched."""
    answer = vatra("train", "lora", "--preset", "llama-3-8b", "--dry-run", *of(built), "--home", built.home)
    assert answer.code != 0
    assert f"{built.summary['corpus']['train']:,} examples in the training split" in answer.out
    assert "on an accelerator" in answer.out
    assert "download             about 15.0 GiB" in answer.out
    assert "It is gated: accept its licence" in answer.errors
    named = vatra("train", "lora", "--preset", "qwen3-8b-ada", "--dry-run", *of(built), "--home", built.home)
    assert "The names Drew and Ada stand in place of the base's own chat format" in named.out


def test_a_preset_that_changes_under_a_planned_training_stops_it(
    built: Built, trained: Answer, tmp_path: Path
) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(
        "description: x\nbase: {kind: built, layers: 1}\ntarget_modules: [q_proj]\nmax_steps: 1\n"
    )
    run = plan_training(LORA, open_home(built.home), trained.object["corpus"], str(mine))
    mine.write_text(mine.read_text() + "learning_rate: 0.5\n")
    with pytest.raises(UsageError, match="was changed after this training was planned"):
        _train(LORA_TRAINING, run, tmp_path / "out", tmp_path / "work", "x", None)
    assert not (tmp_path / "out").exists()


def test_base_and_adapter_side_by_side(built: Built, trained: Answer) -> None:
    answer = vatra(
        *(
            "sample",
            "--adapter",
            "ada",
            "--prompt",
            "Ce mai faci?",
            "--max-tokens",
            4,
            "--home",
            built.home,
            "--json",
        )
    )
    assert answer.code == 0, answer.errors
    (one,) = answer.object["samples"]
    assert one["prompt"] == "Ce mai faci?"
    assert one["adapter"]["tokens"] <= 4
    assert "Ce mai faci?" in Path(answer.object["report"]).read_text("utf-8")


def test_merged_with_a_modelfile(built: Built, trained: Answer) -> None:
    answer = vatra("merge", "ada", "--home", built.home, "--json")
    assert answer.code == 0, answer.errors
    told = answer.object
    assert told["difference"] < 1e-4
    assert told["same_choice"] == 1.0
    folder = built.home / "artifacts/merged/ada"
    assert 'PARAMETER stop "<|end|>"' in (folder / "Modelfile").read_text("utf-8")
    assert "**This is an AI.**" in (folder / "README.md").read_text("utf-8")
    bare = vatra("merge", "ada", "--modelfile-only", "--home", built.home)
    assert "ADAPTER " in bare.out


def test_a_changed_template_is_not_used(built: Built, trained: Answer, tmp_path: Path) -> None:
    path = built.home / "artifacts/lora/ada/adapter/template.json"
    good = path.read_text("utf-8")
    values: dict[str, Any] = json.loads(good)
    path.write_text(json.dumps(values | {"system": "You are somebody else."}), "utf-8")
    try:
        for command in (("sample", "--adapter", "ada", "--prompt", "x"), ("merge", "ada", "--dtype", "bf16")):
            answer = vatra(*command, "--home", built.home)
            assert answer.code == 1
            assert "not the one that it was trained with" in answer.errors
    finally:
        path.write_text(good, "utf-8")
    assert "no adapter 'nobody'" in vatra("sample", "--adapter", "nobody", "--home", built.home).errors


def test_a_changed_adapter_is_not_used(built: Built, trained: Answer) -> None:
    folder = built.home / "artifacts/lora/ada"
    for name in ("adapter/adapter_model.safetensors", "base/model.safetensors"):
        good = (folder / name).read_bytes()
        (folder / name).write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
        try:
            for command in (
                ("sample", "--adapter", "ada", "--prompt", "x"),
                ("merge", "ada", "--dtype", "bf16"),
            ):
                answer = vatra(*command, "--home", built.home)
                assert answer.code == 1
                assert "was changed since it was made" in answer.errors
                assert name in answer.errors
        finally:
            (folder / name).write_bytes(good)
    assert not (built.home / "artifacts/merged/ada-bf16").exists()


def test_the_corpus_for_other_trainers(
    built: Built, tmp_path: Path, run_vatra: Callable[..., Answer]
) -> None:
    out = tmp_path / "axolotl"
    answer = run_vatra("export", "--format", "axolotl", "--out", out, "--home", built.home, "--json")
    assert answer.code == 0, answer.errors
    rows = [json.loads(line) for line in (out / "train.jsonl").open(encoding="utf-8")]
    corpus = next(stage["fingerprint"] for stage in built.summary["stages"] if stage["stage"] == "mix")
    shards = sorted((built.home / "datasets/mix" / corpus).glob("train-*.parquet"))
    replies, turns = 0, 0
    for messages in pq.read_table(shards)["messages"].to_pylist():
        for role, said in groupby(messages, key=lambda message: message["role"]):
            learned = [message["trainable"] for message in said]
            if role == "assistant" and all(learned):  # two voices one after the other are one turn there
                replies, turns = replies + len(learned), turns + 1
    assert replies > turns  # the examples have such ones
    assert answer.object["replies"]["train"] == replies
    assert sum(message["train"] for row in rows for message in row["messages"]) == turns


def test_a_corpus_that_did_not_pass_is_not_trained_on(built: Built, trained: Answer) -> None:
    """Neither one whose validation failed nor one whose bytes are not those of its manifest."""
    corpus = built.home / "datasets/mix" / trained.object["corpus"]
    validation = corpus / "validation.json"
    good = validation.read_text("utf-8")
    failed = json.loads(good)
    failed["success"] = failed["results"][0]["success"] = False
    validation.write_text(json.dumps(failed), "utf-8")
    try:
        assert "did not pass its expectations" in refused(built, *FAST, *of(built), "--set", "rank=3")
    finally:
        validation.write_text(good, "utf-8")
    shard = next(corpus.glob("train-*.parquet"))
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-9] + b"x" + whole[-8:])
    try:
        assert "damaged" in refused(built, *FAST, *of(built), "--set", "rank=3")
    finally:
        shard.write_bytes(whole)
