"""A whole build on a Ray cluster of this machine: the same bytes as without one."""

from __future__ import annotations

import json
import os
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.flows.conftest import ROOT

SENTENCE = (
    "cum merge treaba azi când ploaia vine peste oraș și lumea caută un adăpost sub streașină the river runs slowly "
    "past a mill where bread is baked each morning 🙂"
)
MARK = "taina-noastra"


def write_chats(folder: Path) -> None:
    """Three files of role/content records; a tenth of them are copies, whole or with a word changed."""
    draw, words = random.Random(5), SENTENCE.split()
    folder.mkdir()
    earlier: list[list[dict[str, str]]] = []
    for number in range(3):
        lines = []
        for _ in range(120):
            messages = [
                {"role": role, "content": f"{MARK} {' '.join(draw.choices(words, k=draw.randint(8, 120)))}."}
                for _ in range(draw.randint(1, 3))
                for role in ("user", "assistant")
            ]
            if earlier and draw.random() < 0.1:
                messages = [dict(message) for message in draw.choice(earlier)]
                messages[-1]["content"] += draw.choice(["", " altfel"])
            earlier.append(messages)
            lines.append(json.dumps({"messages": messages}, ensure_ascii=False))
        (folder / f"chats-{number}.jsonl").write_text("\n".join(lines), "utf-8")


def files(home: Path) -> dict[str, bytes]:
    root = home / "datasets"
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, run_database: Path) -> Any:
    """(home, answer) of the same build natively and on Ray, which was offline and had a user's home of its own."""
    from tests.flows.conftest import vatra

    folder = tmp_path_factory.mktemp("cluster")
    write_chats(folder / "chats")
    made = {}
    for runner in ("native", "ray"):
        home = folder / runner
        shutil.copytree(run_database, home / "prefect")
        answer = vatra(
            *("build", folder / "chats", "--home", home, "--json"),
            *("--set", "parse.part_bytes=65536", "--set", "toxicity.scorer=none", "--set", "mix.shard_bytes=65536"),
            DAFT_RUNNER=runner,
            PYTHONPATH=f"{ROOT / 'tests/offline'}{os.pathsep}{ROOT}",
            VATRA_TEST_SOCKETS=str(folder / "refused.txt"),
            HOME=str(folder / "user"),
        )  # fmt: skip
        made[runner] = (home, answer)
    return made


def test_both_succeed_and_say_the_same(both: Any) -> None:
    stages = {}
    for runner, (_, answer) in both.items():
        assert answer.code == 0, answer.errors
        stages[runner] = [{**stage, "seconds": 0} for stage in answer.object["stages"]]
    assert stages["ray"] == stages["native"]
    assert stages["ray"][0]["parts"]["computed"] > 4


def test_every_file_of_every_dataset_has_the_same_bytes(both: Any) -> None:
    native, ray = (files(both[runner][0]) for runner in ("native", "ray"))
    assert sum(name.startswith("mix/") and name.endswith(".parquet") for name in ray) > 3
    assert ray.keys() == native.keys()
    assert [name for name in ray if ray[name] != native[name]] == []


def test_copies_were_found_there(both: Any) -> None:
    stages = {stage["stage"]: stage for stage in both["ray"][1].object["stages"]}
    assert sum(stages["dedup"]["set_aside"].values()) > 10


def test_the_terminal_has_no_word_of_a_chat_and_none_of_ray(both: Any) -> None:
    _, answer = both["ray"]
    shown = answer.out + answer.errors
    assert MARK not in shown
    assert "raylet" not in shown
    assert "ray." not in shown
    assert "daft" not in shown.lower()


#: Where Ray asks which cloud it is in, its usage statistics off or not: addresses of the machine's own provider.
METADATA = {"169.254.169.254", "metadata.google.internal"}


def test_nothing_was_asked_of_another_host(both: Any) -> None:
    folder = both["ray"][0].parent
    refused = folder / "refused.txt"
    asked = set(refused.read_text("utf-8").split()) if refused.exists() else set()
    assert asked <= METADATA
    assert not (folder / "user/.ray").exists()
