"""`vatra train tribal` and what is found of a NOVA, for real, on the examples."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from schemas.errors import StoreError, UsageError
from storage.home import Home
from tasks.nova import Nova, find_nova
from tests.flows.conftest import ROOT, Answer, Built, environment, vatra

SIZE = {
    "vocab_size": 400, "layers": 1, "d_model": 32, "heads": 2, "max_length": 64, "max_steps": 8,
    "checkpoint_steps": 2, "validation_steps": 3,
}  # fmt: skip
FAST = (*(part for name, value in SIZE.items() for part in ("--set", f"{name}={value}")), "--batch-size", 2)


def of(built: Built) -> tuple[object, ...]:
    """The build by its name: other tests have made later ones in this home."""
    return "--build", built.summary["build"]


@pytest.fixture(scope="module")
def trained(built: Built) -> Answer:
    answer = vatra("train", "tribal", *FAST, *of(built), "--name", "tribe", "--home", built.home, "--json")
    assert answer.code == 0, answer.errors
    return answer


def test_what_comes_out(built: Built, trained: Answer) -> None:
    told, folder = trained.object, built.home / "artifacts/nova/tribe"
    assert (told["model"], told["cached"], told["named"]) == ("tribe", False, str(folder))
    assert (told["preset"], told["steps"], told["vocab_size"]) == ("nova-tiny", 8, 400)
    assert folder.resolve() == Path(told["folder"])
    inside = {
        str(path.relative_to(folder.resolve())) for path in folder.resolve().rglob("*") if path.is_file()
    }
    assert {
        "README.md", "lineage.parquet", "preset.json", "train.json", "curve.jsonl", "validation.jsonl",
        "evaluation.json", "model/model.safetensors", "model/config.json", "model/tokenizer.json", "manifest.json",
    } <= inside  # fmt: skip
    assert "seen.parquet" not in inside
    assert "train-tribal 8 of 8" in trained.errors
    assert "Try it   vatra nova generate --model tribe" in trained.errors
    assert not list((built.home / ".working").glob("train-tribal-*"))


def test_members_learn_from_the_authors_of_the_examples(trained: Answer) -> None:
    turns, tokens = trained.object["labels"]["turns"], trained.object["labels"]["tokens"]
    assert trained.object["members"] == ["nova", "sora", "lumin", "sophia", "samanta"]
    for name in ("nova", "sora", "lumin", "sophia"):
        assert turns[name] > 0 < tokens[name]
    assert trained.object["labels"]["unlabelled"]["user"] > 0


def test_what_may_be_passed_on_names_nobody_who_is_no_member(built: Built) -> None:
    few = (*FAST, *of(built), "--set", "max_steps=1", "--set", "members=[nova, sora]", "--name", "few")
    told = vatra("train", "tribal", *few, "--home", built.home, "--json")
    assert told.code == 0, told.errors
    folder = Path(told.object["folder"])
    for name in (
        "README.md",
        "train.json",
        "manifest.json",
        "preset.json",
        "evaluation.json",
        "model/config.json",
    ):
        assert "Sophia" not in (folder / name).read_text("utf-8"), name
    assert "Sophia" in Path(told.object["report"]).read_text("utf-8")


def test_the_lineage_holds_what_was_read(built: Built, trained: Answer) -> None:
    lineage = pq.read_table(built.home / "artifacts/nova/tribe/lineage.parquet")
    rows = lineage.to_pylist()
    read = [row for row in rows if row["split"] == "train"]
    assert len({row["example_id"] for row in read}) == len(read) == trained.object["rows_out"]
    assert sum(row["trained_tokens"] for row in read) <= trained.object["tokens"]
    assert all(row["labelled_tokens"] >= 0 for row in read)
    assert {row["labelled_tokens"] for row in rows if row["split"] == "validation"} == {None}
    assert lineage.schema.metadata[b"vatra.corpus"].decode() == trained.object["corpus"]


def test_the_page_and_the_card(built: Built, trained: Answer) -> None:
    page = Path(trained.object["report"]).read_text("utf-8")
    for told in ("Bits per byte, held out", "Loss of the next token, nats", "memory in all", " (core)</th>"):
        assert told in page
    assert 'class="run held"' in page
    card = (built.home / "artifacts/nova/tribe/README.md").read_text("utf-8")
    assert "**This is an AI.**" in card
    assert card.split("---\n")[2].strip().startswith("# tribe\n")
    assert built.summary["build"] in card
    assert str(built.home) not in card
    log = built.home / "logs" / f"train-tribal-{trained.object['fingerprint']}" / "steps.jsonl"
    assert [json.loads(line)["step"] for line in log.read_text().splitlines()] == list(range(1, 9))


def test_the_same_again_stands_already_and_may_have_a_second_name(built: Built, trained: Answer) -> None:
    again = vatra("train", "tribal", *FAST, *of(built), "--name", "too", "--home", built.home, "--json")
    assert (again.code, again.object["cached"]) == (0, True)
    assert again.object["fingerprint"] == trained.object["fingerprint"]
    assert (built.home / "reports/nova-too.html").is_file()


def test_killed_and_started_again_it_has_the_same_weights(built: Built, trained: Answer, home: Path) -> None:
    """In a home of its own, which holds the same corpus."""
    for folder in ("builds", f"datasets/mix/{trained.object['corpus']}"):
        shutil.copytree(built.home / folder, home / folder)
    given = ("train", "tribal", *FAST, "--corpus", trained.object["corpus"], "--home", home)
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.cli", *map(str, given)],
        cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        if "train-tribal 5 of 8" in line:
            break
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not list(home.glob("artifacts/train-tribal/*/manifest.json"))
    assert list((home / ".working").glob("train-tribal-*/**/checkpoint-4"))
    again = vatra(*given, "--json")
    assert again.code == 0, again.errors
    assert again.object["fingerprint"] == trained.object["fingerprint"]
    names = ("model/model.safetensors", "model/tokenizer.json", "train.json", "curve.jsonl")
    ours, theirs = Path(again.object["folder"]), Path(trained.object["folder"])
    assert [(ours / n).read_bytes() for n in names] == [(theirs / n).read_bytes() for n in names]


def refused(built: Built, *arguments: object) -> str:
    answer = vatra("train", "tribal", *arguments, "--home", built.home)
    assert answer.code in (1, 2), answer.out
    assert "Traceback" not in answer.errors
    assert answer.errors.splitlines()[-1].startswith("vatra: ")
    return answer.errors


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--set", "seed=8", "--name", "tribe"), "belongs to another run"),
        (("--name", "../x"), "cannot be the name"),
        (("--preset", "demo"), "no tribal preset is called 'demo'"),
        (("--set", "train.tribal_changes.layers=2"), "Write --set layers=2."),
        (("--set", "layer=2"), "unknown setting layer"),
        (("--corpus", "ffff"), "there is no corpus 'ffff'"),
    ],
)
def test_what_is_refused_before_anything_is_trained(
    built: Built, trained: Answer, arguments: tuple[str, ...], complaint: str
) -> None:
    build = () if "--corpus" in arguments else of(built)
    assert complaint in refused(built, *FAST, *build, *arguments)


def test_a_vocabulary_that_the_corpus_cannot_fill_is_refused_by_the_plan_too(built: Built) -> None:
    wrong = (*FAST, *of(built), "--set", "vocab_size=200000")
    told = refused(built, *wrong, "--dry-run")
    assert "vocab_size" in told
    assert "Nothing was trained" not in told


def test_the_plan_trains_nothing(built: Built, trained: Answer) -> None:
    before = sorted((built.home / "artifacts/train-tribal").iterdir())
    given = (*FAST, *of(built), "--set", "members=[nova, sora]", "--epochs", 1, "--set", "max_steps=null")
    answer = vatra("train", "tribal", *given, "--dry-run", "--home", built.home, "--json")
    assert answer.code == 0, answer.errors
    told = answer.object
    assert told["steps"] > 8
    assert told["memory"]["weights"] == 4 * told["parameters"]
    assert told["labels"]["strangers"]["Lumin"] > 0
    for line in ("member sora: ", "turns without a label: ", "speakers who are no member: Lumin"):
        assert line in answer.errors
    assert "Nothing was trained" in answer.errors
    assert sorted((built.home / "artifacts/train-tribal").iterdir()) == before
    assert not list((built.home / "cache").glob("plan-*"))
    said = refused(built, *FAST, *of(built), "--set", "seed=8", "--name", "tribe", "--dry-run")
    assert "belongs to another run" in said


@pytest.fixture
def tribe(built: Built, trained: Answer) -> Nova:
    return find_nova(Home(built.home), "tribe")


def test_a_nova_is_found_by_what_a_person_knows_of_it(built: Built, tribe: Nova) -> None:
    home = Home(built.home)
    assert tribe.fingerprint is not None
    assert find_nova(home, tribe.fingerprint[:8]).model == tribe.model == tribe.folder / "model"
    newest = max(
        (built.home / "artifacts/train-tribal").glob("*/manifest.json"), key=lambda p: p.stat().st_mtime
    )
    assert find_nova(home).fingerprint == newest.parent.name
    for folder in (tribe.folder, tribe.model):
        found = find_nova(home, str(folder))
        assert (found.model, found.fingerprint) == (tribe.model, None)
    with pytest.raises(UsageError, match=r"no NOVA 'nobody'.*There are: .*tribe"):
        find_nova(home, "nobody")


def test_what_is_no_nova_is_named(built: Built, tribe: Nova, tmp_path: Path) -> None:
    home = Home(built.home)
    with pytest.raises(UsageError, match="there is no such folder"):
        find_nova(home, str(tmp_path / "nothing"))
    with pytest.raises(UsageError, match="there is no model here"):
        find_nova(home, str(tmp_path))
    (base,) = Path(built.summary["artifacts"][0]).glob("base")
    with pytest.raises(UsageError, match="is a 'llama', not a NOVA"):
        find_nova(home, str(base))
    with pytest.raises(UsageError, match=r"no NOVA in this home yet.*vatra train tribal"):
        find_nova(Home(tmp_path))


def test_a_torn_or_altered_nova_is_not_used(built: Built, tribe: Nova) -> None:
    weights = tribe.model / "model.safetensors"
    good = weights.read_bytes()
    try:
        weights.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
        with pytest.raises(StoreError, match=r"changed since it was made.*model\.safetensors"):
            find_nova(Home(built.home), "tribe")
        for folder in (tribe.folder, tribe.model):
            with pytest.raises(StoreError, match=r"changed since it was made.*model\.safetensors"):
                find_nova(Home(built.home), str(folder))
        manifest = tribe.folder / "manifest.json"
        whole = manifest.read_bytes()
        try:
            manifest.write_bytes(whole[:-9])
            with pytest.raises(StoreError, match="manifest is damaged"):
                find_nova(Home(built.home), str(tribe.model))
        finally:
            manifest.write_bytes(whole)
        weights.unlink()
        with pytest.raises(StoreError, match="has lost a file"):
            find_nova(Home(built.home), "tribe")
        with pytest.raises(StoreError, match=r"has lost model\.safetensors"):
            find_nova(Home(built.home), str(tribe.model))
    finally:
        weights.write_bytes(good)
    assert find_nova(Home(built.home), "tribe") == tribe


def test_the_test_split_is_evaluated_and_the_page_written_again_tells_it(tribe: Nova) -> None:
    told = json.loads((tribe.folder / "evaluation.json").read_text("utf-8"))
    assert told["split"] == "test"
    assert told["language"]["tokens"] > 0
    page = tribe.write_page().read_text("utf-8")
    for line in ("on the test split", f"{told['language']['bits_per_byte']['value']:.4f}", "who speaks: AUC"):
        assert line in page


def test_one_stage_again_is_a_training_of_its_own(built: Built) -> None:
    """`stage train-tribal` over a build that has both trainings runs the one that was asked for."""
    changes = {**SIZE, "batch_size": 2}
    given: list[Any] = ["--set", f"train.tribal_changes={json.dumps(changes)}"]
    answer = vatra("stage", "train-tribal", *of(built), *given, "--home", built.home, "--json")
    assert answer.code == 0, answer.errors
    assert answer.object["stages"][-1]["stage"] == "train-tribal"
    assert "train-lora" not in [stage["stage"] for stage in answer.object["stages"]]
    missing = vatra(
        "stage", "train-tribal", *of(built), "--set", "train.tribal=null", "--home", built.home, "--json"
    )
    assert (missing.code, "Ask for it: `--set train.tribal=nova-tiny`" in missing.errors) == (2, True)
