"""The mixture from the command line: presets, a frozen file, a tokenizer of one's own; the answer and the refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

QUIET = ("--set", "toxicity.scorer=none", "--set", "label.classifier=none", "--json")
TOOLS = "I will call the function for you and then tell you what it said, number {}."


@pytest.fixture(scope="module")
def chats(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty conversations that differ in more than a number."""
    path = tmp_path_factory.mktemp("chats") / "chats.jsonl"
    lines = []
    for number in range(60):
        words = " ".join(f"word{(number * 37 + n * n) % 997}" for n in range(30))
        said = [
            ("user", f"Tell me about {words}"),
            ("assistant", f"{TOOLS.format(number)} It was {words[::-1]}."),
        ]
        lines.append(json.dumps({"messages": [{"role": role, "content": text} for role, text in said]}))
    path.write_text("\n".join(lines), "utf-8")
    return path


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tokenizer.json that cuts at spaces."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    made = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    folder = tmp_path_factory.mktemp("tokenizer")
    made.save(str(folder / "tokenizer.json"))
    return folder


def corpus(home: Path, split: str) -> str:
    return f"'{home}/datasets/mix/*/{split}-*.parquet'"


def test_phases_tokens_and_frozen_ids(
    run_vatra: Callable[..., Any], chats: Path, tokenizer: Path, home: Path, tmp_path: Path
) -> None:
    plain = run_vatra("build", chats, "--home", home, *QUIET)
    assert plain.code == 0, plain.errors
    assert "mixture" not in plain.object, "nothing was asked of it"
    query = f"select example_id, conversation_id from {corpus(home, 'train')} order by 1"
    (example, _), (_, conversation), *_ = duckdb.sql(query).fetchall()
    frozen = tmp_path / "frozen.csv"
    frozen.write_text(f"id,split\n{example},test\n{conversation},validation\n", "utf-8")
    own = tmp_path / "mine.yaml"
    phases = "[{name: first, size: 20}, {name: all_of_it, order: longest_first}]"
    own.write_text(f"mix: {{frozen: frozen.csv, tokenizer: {tokenizer}, phases: {phases}, seed: 7}}", "utf-8")
    second = run_vatra("stage", "mix", "--home", home, "--settings", own, "--json")
    assert second.code == 0, second.errors
    told = second.object["mixture"]
    assert [phase["name"] for phase in told["phases"]] == ["first", "all_of_it"]
    assert told["phases"][0]["splits"]["train"] <= 20
    shards = f"'{home}/datasets/mix/{_fingerprint(second.object)}/*-phase*.parquet'"
    where = dict(
        duckdb.sql(
            f"select example_id, min(split) from (select *, parse_filename(filename) as file, "
            f"split_part(file, '-', 1) as split from read_parquet({shards}, filename=true)) group by 1"
        ).fetchall()
    )
    assert where[example] == "test"
    words = duckdb.sql(
        f"select sum(list_sum(list_transform(messages, lambda m: len(string_split(m.content, ' '))))) "
        f"from {shards} where phase = 2"
    ).fetchall()
    assert told["phases"][1]["tokens"] == words[0][0]
    kept = json.loads((home / "builds" / f"{second.object['build']}.json").read_text())["settings"]["mix"]
    assert kept["frozen"].startswith("inputs/")
    assert str(tmp_path) not in json.dumps(kept)
    frozen.unlink()
    again = run_vatra("stage", "mix", "--home", home, "--set", "mix.seed=8", "--json")
    assert again.code == 0, "the frozen file is kept with the build: " + again.errors


def _fingerprint(answer: dict[str, Any]) -> str:
    return str(next(stage["fingerprint"] for stage in answer["stages"] if stage["stage"] == "mix"))


@pytest.mark.parametrize(
    ("setting", "code", "words"),
    [
        ("mix.ranges={tool: [50, 60], factual: [60, 70]}", 2, ["lower bounds add up to 110%"]),
        ("mix.preset=emergent", 1, ["20.7-24.8% of technical", "mix.on_shortage=relax"]),
        ("mix.total=5000", 1, ["5,000 examples were asked for", "60 are there"]),
        ("mix.frozen=/nowhere/ids.csv", 2, ["mix.frozen", "/nowhere/ids.csv"]),
        ("mix.tokenizer=/nowhere/tokenizer", 2, ["mix.tokenizer"]),
    ],
)
def test_what_cannot_be_kept_is_one_clear_line(
    run_vatra: Callable[..., Any], chats: Path, home: Path, setting: str, code: int, words: list[str]
) -> None:
    answer = run_vatra("build", chats, "--home", home, "--set", setting, *QUIET)
    (said,) = [line for line in answer.errors.splitlines() if line.startswith("vatra: ")]
    assert answer.code == code, answer.errors
    assert "Traceback" not in answer.errors
    assert all(word in said for word in words), said
    assert not list(home.glob("datasets/mix/*/manifest.json"))
