"""Exact duplicates: which twins are found, who is kept, and that every example is either kept or set aside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.ledger import draw_ledger
from schemas.parts import Part
from schemas.settings import AssembleSettings, DedupSettings
from schemas.tables import CLUSTERS
from tasks.assembly import assemble_part
from tasks.dedup import find_duplicates
from tests.schemas.rows import MemoryDataset, conversation_tables, table


def duplicates(rows: Sequence[dict[str, Any]], exact: bool = True, parts: int = 1) -> Part:
    data = [table("examples", *rows[n::parts]) for n in range(parts)]
    (part,) = find_duplicates({"examples": MemoryDataset(data)}, DedupSettings(exact=exact, near=False))
    assert part.tables["clusters"].schema.equals(CLUSTERS)
    return part


def keepers(part: Part) -> dict[str, str]:
    return {row["example_id"]: row["keeper_id"] for row in part.tables["clusters"].to_pylist()}


def row(example: str, text: str, size: int = 1) -> dict[str, Any]:
    return {"example_id": example, "text_hash": text, "text_bytes": size}


def test_twins_in_case_space_and_diacritics_from_their_text_on() -> None:
    """With the real assemble stage, whose fold decides: the copy with diacritics has more bytes and stays."""
    texts = [
        ("Știi ce oră este?", "Este ora șapte."),
        ("stii ce ora este?", "este ora sapte."),
        ("ȘTII  ce oră\neste?", "Este  ora șapte. "),
        ("Știi ce oră este?", "Este ora opt."),
    ]
    tables = conversation_tables(*[[("user", q), ("assistant", a)] for q, a in texts])
    ids = tables["messages"]["message_id"].to_pylist()
    tables["verdicts"] = table("verdicts", *({"message_id": i, "action": "keep"} for i in ids))
    tables["signals"] = table("signals", *({"message_id": i, "language": "ro"} for i in ids))
    (assembled,) = assemble_part(tables, AssembleSettings())
    examples = assembled.tables["examples"]
    (part,) = find_duplicates({"examples": MemoryDataset([examples])}, DedupSettings())
    one, two, three, _ = examples["example_id"].to_pylist()
    assert keepers(part) == {one: three, two: three, three: three}
    assert part.tally["keepers"] == 2


def test_the_keeper_has_most_bytes_and_then_the_smallest_id() -> None:
    rows = [row("d", "x", 3), row("b", "x", 5), row("a", "x", 4), row("c", "x", 5), row("e", "alone")]
    part = duplicates(rows)
    assert keepers(part) == dict.fromkeys("abcd", "b")
    assert part.tally["keepers"] == 2
    assert {key: n for key, n in part.tally.items() if n} == {
        "keepers": 2,
        "set_aside:exact_duplicate": 3,
        "clusters": 1,
    }
    clusters = part.tables["clusters"].to_pylist()
    assert {(c["cluster_id"], c["similarity"], c["method"]) for c in clusters} == {("x", 1.0, "exact")}


def test_switched_off_nothing_is_a_twin() -> None:
    part = duplicates([row("a", "x"), row("b", "x")], exact=False)
    assert part.tables["clusters"].num_rows == 0
    assert part.tally["keepers"] == 2
    assert part.tally["set_aside:exact_duplicate"] == 0


def test_no_twins_and_no_examples() -> None:
    assert duplicates([row("a", "x"), row("b", "y")]).tables["clusters"].equals(CLUSTERS.empty_table())
    assert duplicates([]).tally["keepers"] == 0


def test_repeated_ids_are_counted() -> None:
    assert duplicates([row("a", "x"), row("a", "y"), row("b", "z")]).tally["repeated_ids"] == 1


ROWS = st.lists(
    st.tuples(st.sampled_from("xyzw"), st.integers(1, 3)), max_size=12
).map(lambda pairs: [row(f"e{n:02d}", text, size) for n, (text, size) in enumerate(pairs)])  # fmt: skip


@settings(max_examples=80, derandomize=True, deadline=None)
@given(ROWS, st.randoms(use_true_random=False), st.integers(1, 3))
def test_order_and_parts_change_nothing(rows: list[dict[str, Any]], random: Any, parts: int) -> None:
    shuffled = random.sample(rows, len(rows))
    one, other = duplicates(rows), duplicates(shuffled, parts=parts)
    assert one.tables["clusters"].equals(other.tables["clusters"])
    assert one.tally == other.tally


@settings(max_examples=80, derandomize=True, deadline=None)
@given(ROWS)
def test_every_example_is_kept_or_set_aside(rows: list[dict[str, Any]]) -> None:
    part = duplicates(rows)
    assert draw_ledger("dedup", part.tally, len(rows)).unaccounted == 0
    by_id = {item["example_id"]: item for item in rows}
    kept = keepers(part)
    removed = {example for example, keeper in kept.items() if example != keeper}
    stay = [item for item in rows if item["example_id"] not in removed]
    assert len({item["text_hash"] for item in stay}) == len(stay)
    assert {item["text_hash"] for item in stay} == {item["text_hash"] for item in rows}
    assert (part.tally["keepers"], part.tally["set_aside:exact_duplicate"]) == (len(stay), len(removed))
    for example, keeper in kept.items():
        assert kept[keeper] == keeper
        assert by_id[keeper]["text_hash"] == by_id[example]["text_hash"]
        assert by_id[keeper]["text_bytes"] >= by_id[example]["text_bytes"]
