"""The corpus: shards in the order of the mixture, by split and phase, cut by bytes, readable by what people use."""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from schemas.categories import CATEGORIES
from schemas.errors import StageFailed
from schemas.ledger import draw_ledger
from schemas.parts import Part
from schemas.settings import MixSettings, Phase, load_build_settings
from schemas.tables import CORPUS, MIXTURE, SPLITS
from tasks.checks import StageSuite
from tests.schemas.rows import an_id, table
from tests.tasks.mixing.made import NO_SPLITS, example, mix, pool, table_of, tally_of

TEXT = 20_000  # bytes per example: some three fit into the smallest shard
SMALL = MixSettings(validation=0.2, test=0.2, shard_bytes=1 << 16)
ROWS = [example(number, size=TEXT) for number in range(40)]
VARIED = pool({("a", name): 90 for name in CATEGORIES} | {("b", "technical"): 300, ("b", None): 20})
EMERGENT = MixSettings.model_validate(
    load_build_settings("emergent").mix.model_dump()
    | {"validation": 0.1, "test": 0.1, "tokenizer": "estimate", "shard_bytes": 1 << 16}
)


def as_bytes(parts: Sequence[Part]) -> list[bytes]:
    written = []
    for part in parts:
        for name, data in part.tables.items():
            file = io.BytesIO()
            pq.write_table(data, file)
            written.append(f"{name} {part.label}".encode() + file.getvalue())
    return written


def shards_of(parts: Sequence[Part]) -> list[Part]:
    return [part for part in parts if set(part.tables) & set(SPLITS)]


def write(parts: Sequence[Part], folder: Path) -> dict[str, list[str]]:
    """The shards as files, under the names that they ask for; paths by split."""
    files: dict[str, list[str]] = {}
    for part in shards_of(parts):
        ((split, data),) = part.tables.items()
        path = folder / f"{part.label}-0123456789abcdef.parquet"
        pq.write_table(data, path)
        files.setdefault(split, []).append(str(path))
    return files


@pytest.mark.parametrize("wanted", [SMALL, EMERGENT], ids=["plain", "curriculum"])
def test_same_seed_same_bytes_however_the_examples_lie(wanted: MixSettings) -> None:
    rows = VARIED if wanted.phases else ROWS
    first = as_bytes(mix(rows, wanted))
    assert as_bytes(mix(rows, wanted)) == first
    assert as_bytes(mix(rows[::-1], wanted, parts=3)) == first
    assert as_bytes(mix(rows, wanted.model_copy(update={"seed": 43}))) != first


def test_shards_hold_the_examples_as_they_are_in_the_order_of_the_mixture() -> None:
    parts = mix(ROWS, SMALL, parts=4)
    listed = table_of(parts, "mixture").to_pandas()
    assert table_of(parts, "mixture").schema.equals(MIXTURE)
    by_id = {row["example_id"]: row for row in ROWS}
    for split in SPLITS:
        data = table_of(parts, split)
        assert data.schema.equals(CORPUS)
        rows = listed[listed["split"] == split].sort_values("order")
        assert data["example_id"].to_pylist() == list(rows["example_id"])
        assert list(rows["order"]) == list(range(data.num_rows))
        for row in data.to_pylist():
            known = by_id[row["example_id"]]
            assert row["messages"] == known["messages"]
            assert row["conversation_id"] == known["conversation_id"]
            assert (row["source"], row["phase"], row["language"], row["category"]) == (
                "claude",
                1,
                "ro",
                None,
            )


def test_shards_are_cut_by_bytes_and_say_which_of_how_many_they_are() -> None:
    shards = shards_of(mix(ROWS, SMALL))
    names = [part.label for part in shards]
    assert names.count("train-00000-of-00007") == 1
    for split in SPLITS:
        sizes = [part.tables[split].num_rows for part in shards if split in part.tables]
        own = [f"{split}-{n:05d}-of-{len(sizes):05d}" for n in range(len(sizes))]
        assert [name for name in names if str(name).startswith(split)] == own
        assert all(size in (3, 4) for size in sizes[:-1])
    whole = mix(ROWS, SMALL.model_copy(update={"shard_bytes": 1 << 30}))
    assert [part.label for part in shards_of(whole)] == [f"{split}-00000-of-00001" for split in SPLITS]


def test_an_example_larger_than_a_shard_has_one_of_its_own() -> None:
    rows = [example(number, size=200_000) for number in range(3)]
    shards = shards_of(mix(rows, MixSettings(shard_bytes=1 << 16, **NO_SPLITS)))
    assert [part.tables["train"].num_rows for part in shards] == [1, 1, 1]


def test_twins_stay_out_and_the_ledger_balances() -> None:
    removed, keeper = ROWS[1]["example_id"], ROWS[0]["example_id"]
    twins = [{"example_id": e, "keeper_id": keeper, "cluster_id": "x"} for e in (removed, keeper)]
    parts = mix(ROWS, SMALL.model_copy(update={"total": 30}), twins=twins)
    tally = tally_of(parts)
    assert removed not in table_of(parts, "mixture")["example_id"].to_pylist()
    assert (tally["rows:mixture"], tally["set_aside:over_total"], tally["rows:left_out"]) == (30, 9, 9)
    assert draw_ledger("mix", tally, 39).unaccounted == 0
    assert [tally[name] for name in ("straddling", "foreign_chars")] == [0, 0]


def test_text_that_is_not_the_examples_own_is_counted() -> None:
    rows = [{**row, "chars": row["chars"] - 2} for row in ROWS[:5]]
    assert tally_of(mix(rows, MixSettings(**NO_SPLITS)))["foreign_chars"] == 10


def test_labels_say_the_category_where_the_build_has_them() -> None:
    rows = [example(n, category="tool") for n in range(3)]
    labels = table(
        "labels",
        *(
            {"example_id": r["example_id"], "method": "x", "category": c}
            for r, c in zip(rows, ("ethical", None, "factual"), strict=True)
        ),
    )
    parts = mix(rows, MixSettings(**NO_SPLITS), labels=labels)
    found = {row["example_id"]: row["category"] for row in table_of(parts, "train").to_pylist()}
    assert [found[row["example_id"]] for row in rows] == ["ethical", None, "factual"]
    with pytest.raises(StageFailed, match="the category 'poetry', which there is not"):
        mix([example(1, category="poetry")], MixSettings())


def test_the_curriculum_reads_its_phases_from_files_of_their_own(tmp_path: Path) -> None:
    parts = mix(VARIED, EMERGENT, parts=3)
    files = [Path(path).name for path in write(parts, tmp_path)["train"]]
    assert files[0].startswith("train-phase1-00000-of-")
    assert {name.split("-")[1] for name in files} == {f"phase{n}" for n in range(1, 6)}
    listed = table_of(parts, "mixture").to_pandas()
    assert not listed.duplicated(["example_id", "phase"]).any()
    data = table_of(parts, "train").to_pandas()
    categories = data.groupby("phase")["category"].agg(set).to_dict()
    assert categories[1] == {"technical", "factual"}
    assert categories[2] == {"analytical", "ethical"}
    assert categories[3] == {"empathetic", "creative"}
    assert categories[4] == categories[5] == set(CATEGORIES)
    fluency, tuning = (list(data.loc[data["phase"] == phase, "example_id"]) for phase in (4, 5))
    assert set(fluency) == set(tuning)
    assert fluency != tuning, "shuffled anew"
    tally = tally_of(parts)
    assert draw_ledger("mix", tally, len(VARIED)).unaccounted == 0
    assert tally["examples:train"] == len(set(data["example_id"])) < tally["rows:train"] == len(data)


def test_shares_recounted_by_duckdb_from_the_shards(tmp_path: Path) -> None:
    parts = mix(VARIED, EMERGENT, parts=3)
    write(parts, tmp_path)
    shares = EMERGENT.category_shares
    for chosen in ("*", "train-phase4-*", "validation-*", "test-phase5-*"):
        count = f"select category, count(distinct example_id) n from '{tmp_path}/{chosen}.parquet' group by 1"
        counts = dict(duckdb.sql(count).fetchall())
        size = sum(counts.values())
        assert set(counts) == set(CATEGORIES)
        for name, share in shares.items():
            assert share.low * size - 3 < counts[name] < share.high * size + 3
    told = {
        row["name"]: row["got"] for row in table_of(parts, "targets").to_pylist() if row["kind"] == "category"
    }
    assert told == dict(
        duckdb.sql(
            f"select category, count(distinct example_id) from '{tmp_path}/*.parquet' group by 1"
        ).fetchall()
    )


def test_portions_are_what_the_shards_hold(tmp_path: Path) -> None:
    parts = mix(VARIED, EMERGENT)
    write(parts, tmp_path)
    told = table_of(parts, "portions").to_pandas()
    query = """select phase, source, category, count(*) "rows", sum(ceil(list_sum(list_transform(messages,
        lambda m: octet_length(encode(m.content)))) / 4))::int tokens
        from '{}/train-*.parquet' group by all order by all"""
    counted = duckdb.sql(query.format(tmp_path)).df()
    own = told[(told["phase"] > 0) & (told["split"] == "train")].sort_values(["phase", "source", "category"])
    columns = ["phase", "source", "category", "rows", "tokens"]
    assert own[columns].to_dict("records") == counted[columns].to_dict("records")
    once = told[told["phase"] == 0]
    assert once["examples"].sum() == sum(tally_of(parts)[f"examples:{split}"] for split in SPLITS)


def test_datasets_and_pandas_read_the_shards_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    parts = mix(VARIED, EMERGENT)
    files = write(parts, tmp_path)
    loaded = datasets.load_dataset("parquet", data_files=files, cache_dir=str(tmp_path / "cache"))
    listed = table_of(parts, "mixture").to_pandas()
    assert set(loaded) == set(SPLITS)
    for split in SPLITS:
        rows = listed[listed["split"] == split].sort_values(["phase", "order"])
        assert loaded[split]["example_id"][:] == list(rows["example_id"])
    read = pd.concat(pd.read_parquet(path) for path in files["train"])
    assert list(read["example_id"]) == loaded["train"]["example_id"][:]


def test_where_all_is_too_long_the_refusal_says_that_nothing_is_left_to_train_on() -> None:
    tally = tally_of(mix(ROWS, SMALL.model_copy(update={"tokenizer": "estimate", "max_tokens": 1})))
    checked = StageSuite("mix", len(ROWS)).check_summary(tally)
    assert [(one.name, one.error) for one in checked.results if not one.success] == [
        ("there is something to train on", None)
    ]


def test_an_empty_corpus_has_accounts_and_no_shard() -> None:
    parts = mix([], SMALL)
    assert table_of(parts, "mixture").equals(MIXTURE.empty_table())
    assert not shards_of(parts)


def phased(*phases: Phase, **more: Any) -> MixSettings:
    return MixSettings(phases=phases, **NO_SPLITS, **more)


def test_phases_have_shares_sizes_and_an_order_of_their_own() -> None:
    rows = [
        example(n, category=category, size=20 + 2 * n)
        for category, size in (("tool", 60), ("factual", 30), ("creative", 9))
        for n in range(size)
    ]
    parts = mix(
        rows,
        phased(
            Phase(name="two_to_one", shares={"tool": 1, "factual": 2}, order="shortest_first"),
            Phase(name="small", categories=("tool", "creative"), size=23, order="longest_first"),
            Phase(name="half", fraction=0.5),
            repeat=2,
        ),
    )
    data = table_of(parts, "train").to_pandas()
    data["length"] = [len(messages[1]["content"]) for messages in data["messages"]]
    first, second, third = (data[data["phase"] == phase] for phase in (1, 2, 3))
    assert first["category"].value_counts().to_dict() == {"factual": 30, "tool": 15}
    assert first["length"].is_monotonic_increasing
    assert second["category"].value_counts().to_dict() == {"tool": 20, "creative": 3}
    assert second["length"].is_monotonic_decreasing
    assert third["category"].value_counts().to_dict() == {"tool": 30, "factual": 15, "creative": 5}
    tally = tally_of(parts)
    assert tally["set_aside:over_phase"] == 99 - len(set(data["example_id"])) > 0


def test_repeated_examples_stand_apart_and_each_is_listed() -> None:
    rows = pool({("a", None): 30})
    parts = mix(rows, MixSettings(total=75, repeat=3, **NO_SPLITS))
    listed = table_of(parts, "mixture")["example_id"].to_pylist()
    assert listed == table_of(parts, "train")["example_id"].to_pylist()
    assert sorted(np.unique(listed, return_counts=True)[1]) == [2] * 15 + [3] * 15
    neighbours = sum(one == other for one, other in pairwise(listed))
    assert neighbours < 8
    assert tally_of(parts)["examples:train"] == 30


def test_what_no_phase_reads_is_set_aside_and_an_empty_phase_stops_the_build() -> None:
    rows = pool({("a", "tool"): 5, ("a", "creative"): 4, ("a", None): 2})
    tally = tally_of(mix(rows, phased(Phase(name="one", categories=("tool",)))))
    assert (tally["rows:train"], tally["set_aside:in_no_phase"]) == (5, 6)
    wanted = [Phase(name="one", categories=("tool",)), Phase(name="two", categories=("ethical", "factual"))]
    with pytest.raises(
        StageFailed, match=r"phase 'two' has nothing to read: .* no example of ethical or factual"
    ):
        mix(rows, phased(*wanted))
    assert tally_of(mix(rows, phased(*wanted, on_shortage="relax")))["rows:train"] == 5


def test_a_share_that_a_phase_cannot_have_stops_the_build_or_is_told() -> None:
    rows = pool({("a", "tool"): 8, ("a", "creative"): 4})
    one = Phase(name="one", shares={"tool": 1, "ethical": 1})
    two = Phase(name="two", categories=("creative", "factual"))
    with pytest.raises(
        StageFailed, match="phase 'one' asks for a share of ethical: the mixture has no example of"
    ):
        mix(rows, phased(one, two))
    parts = mix(rows, phased(one, two, Phase(name="three", shares={"ethical": 1}), on_shortage="relax"))
    assert table_of(parts, "targets").to_pylist()[-1]["remark"].split("; ") == [
        "phase 'one' has no example of ethical for training: the others are weighted anew",
        "phase 'two' has no example of factual for training",
        "phase 'three' has no example of ethical for training: the phase is left out",
    ]
    assert tally_of(parts)["rows:train"] == 12


def test_shares_of_a_phase_that_a_held_out_split_lacks_are_told_and_stop_nothing() -> None:
    rows = pool({("a", "tool"): 40, ("a", "creative"): 40})
    tools = {row["example_id"]: "test" if row["category"] == "tool" else "train" for row in rows[:50]}
    frozen = tools | {row["example_id"]: "train" for row in rows[20:]}
    wanted = phased(Phase(name="one", shares={"tool": 1, "creative": 1}))
    parts = mix(rows, wanted, frozen=frozen)
    assert table_of(parts, "targets").to_pylist()[-1]["remark"] == (
        "phase 'one' has no example of creative for test: the others are weighted anew"
    )


def test_tokens_are_counted_with_the_tokenizer_that_was_chosen() -> None:
    def words(texts: Sequence[str]) -> np.ndarray:
        return np.array([len(text.split()) for text in texts])

    rows = pool({("a", "tool"): 5, ("b", "factual"): 4})
    wanted = MixSettings(tokenizer="inputs/0.json", max_tokens=4, **NO_SPLITS)
    rows[0]["messages"][0]["content"] = "one two three four five"
    parts = mix(rows, wanted, parts=2, counter=words)
    told = table_of(parts, "portions").to_pandas().groupby(["phase", "source"])["tokens"].sum().to_dict()
    assert told == {
        (0, "a"): 16,
        (0, "b"): 16,
        (1, "a"): 16,
        (1, "b"): 16,
    }  # question of three words, answer of one
    assert table_of(parts, "left_out").to_pylist() == [
        {"example_id": rows[0]["example_id"], "reason": "too_long"}
    ]


def test_ids_that_are_none_are_refused() -> None:
    with pytest.raises(StageFailed, match="no 128-bit id"):
        mix([{**ROWS[0], "example_id": an_id(1).upper()}], SMALL)
