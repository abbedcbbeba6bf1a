"""The assemble stage: examples and aligned placements, a tally that balances, and text that is the messages' own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.ledger import draw_ledger, with_prefix
from schemas.parts import Part
from schemas.settings import AssembleSettings
from schemas.tables import EXAMPLES, PLACEMENTS, ROLES
from tasks.assembly import assemble_part
from tests.schemas.rows import conversation_tables, table

#: role, action, content
Line = tuple[str, str, str]


def part_of(*conversations: Sequence[Line], separator: str = "\n\n") -> tuple[Part, dict[str, Any]]:
    tables = conversation_tables(*[[(role, text) for role, _, text in lines] for lines in conversations])
    ids = tables["messages"]["message_id"].to_pylist()
    actions = [action for lines in conversations for _, action, _ in lines]
    tables["verdicts"] = table(
        "verdicts",
        *(
            {"message_id": i, "action": action, "reason": None if action == "keep" else "ruled"}
            for i, action in zip(ids, actions, strict=True)
        ),
    )
    tables["signals"] = table("signals", *({"message_id": i, "language": "ro"} for i in ids))
    (part,) = assemble_part(tables, AssembleSettings(separator=separator))
    return part, tables


def test_one_example_of_each_conversation_that_has_something_to_learn() -> None:
    part, tables = part_of(
        [("user", "keep", "Bună?"), ("assistant", "keep", "Bună, 😀!")],
        [("user", "keep", "Alone"), ("assistant", "drop_turn", "ok")],
        [
            ("user", "keep", "One"),
            ("user", "keep", "two"),
            ("assistant", "mask", "No"),
            ("assistant", "keep", "Yes"),
        ],
    )
    examples, placements = part.tables["examples"], part.tables["placements"]
    assert examples.schema.equals(EXAMPLES)
    assert placements.schema.equals(PLACEMENTS)
    owners = tables["conversations"]["conversation_id"].to_pylist()
    first, second = examples.to_pylist()
    assert [first["conversation_id"], second["conversation_id"]] == [owners[0], owners[2]]
    assert first["messages"] == [
        {"role": "user", "author": None, "intensity": None, "content": "Bună?", "trainable": False},
        {"role": "assistant", "author": None, "intensity": None, "content": "Bună, 😀!", "trainable": True},
    ]
    assert (first["trainable"], first["chars"], first["text_bytes"]) == (1, 13, 18)
    assert (first["source"], first["language"], first["category"]) == ("claude", "ro", None)
    assert [line["content"] for line in second["messages"]] == ["One\n\ntwo", "Yes"]
    assert second["repairs"] == [
        {"reason": "cut_masked_piece", "count": 1},
        {"reason": "joined_assistant", "count": 1},
        {"reason": "joined_user", "count": 1},
    ]
    assert placements["message_id"].to_pylist() == tables["messages"]["message_id"].to_pylist()
    assert placements["placement"].to_pylist() == [
        "context", "trained", "dropped", "dropped", "context", "context", "dropped", "trained",
    ]  # fmt: skip
    one, two = first["example_id"], second["example_id"]
    assert placements["example_id"].to_pylist() == [one, one, None, None, two, two, None, two]


def test_authors_intensity_and_tags_stay_out_of_the_text() -> None:
    tables = conversation_tables([("user", "Hello there"), ("assistant", "Good evening")])
    rows = [{**r, "author": "Nova", "intensity": "fire"} for r in tables["messages"].to_pylist()]
    tables["messages"] = table("messages", *rows)
    ids = [row["message_id"] for row in rows]
    tables["verdicts"] = table("verdicts", *({"message_id": i, "action": "keep"} for i in ids))
    tables["signals"] = table("signals", *({"message_id": i, "language": "en"} for i in ids))
    (part,) = assemble_part(tables, AssembleSettings())
    (example,) = part.tables["examples"].to_pylist()
    assert [(m["author"], m["intensity"]) for m in example["messages"]] == [("Nova", "fire")] * 2
    assert [m["content"] for m in example["messages"]] == ["Hello there", "Good evening"]
    assert part.tally["foreign_chars"] == 0


def test_the_tally_says_where_every_message_went() -> None:
    part, _ = part_of(
        [
            ("assistant", "keep", "Hi"),
            ("user", "keep", "What?"),
            ("assistant", "keep", "That."),
            ("user", "keep", "?"),
        ],
        [("user", "drop_turn", "no"), ("assistant", "keep", "An answer"), ("user", "keep", "And?")],
    )
    assert part.tally == {
        "trained": 1,
        "context": 2,
        "masked": 0,
        "set_aside:unanswered": 2,
        "set_aside:ruled": 1,
        "set_aside:question_dropped": 1,
        "untrained:opening_greeting": 1,
        "untrained:question_dropped": 1,
        "untrained_unaccounted": 0,
        "misaligned": 0,
        "foreign_chars": 0,
    }


def test_twins_have_one_text_hash_and_different_ids() -> None:
    part, _ = part_of(
        [("user", "keep", "Știu?"), ("assistant", "keep", "Da, ȘTII.")],
        [("user", "keep", "stiu? "), ("assistant", "keep", "da,\nstii.")],
        [("user", "keep", "stiu? da,"), ("assistant", "keep", "stii.")],
    )
    first, second, other = part.tables["examples"].to_pylist()
    assert first["text_hash"] == second["text_hash"] != other["text_hash"]
    assert len({first["example_id"], second["example_id"], other["example_id"]}) == 3


def test_verdicts_of_other_messages_are_counted_as_misaligned() -> None:
    tables = conversation_tables([("user", "Hello"), ("assistant", "Hi")])
    tables["verdicts"] = table("verdicts", *({"message_id": i, "action": "keep"} for i in ("a", "b")))
    tables["signals"] = table("signals", {"language": "en"}, {"language": "en"})
    (part,) = assemble_part(tables, AssembleSettings())
    assert part.tally["misaligned"] == 2


def test_a_part_without_a_single_example() -> None:
    part, _ = part_of([("user", "keep", "Hello?")])
    assert part.tables["examples"].equals(EXAMPLES.empty_table())
    assert part.tables["placements"].num_rows == 1
    assert part.tally["foreign_chars"] == 0


LINES = st.lists(
    st.tuples(
        st.sampled_from(("user", "assistant", "user", "assistant", *ROLES)),
        st.sampled_from(("keep", "keep", "keep", "mask", "drop_turn")),
        st.text("abș😀 \n", min_size=1, max_size=5),
    ),
    min_size=1,
    max_size=9,
)


@settings(max_examples=120, derandomize=True, deadline=None)
@given(st.lists(LINES, min_size=1, max_size=3), st.sampled_from(["\n\n", "", " — "]))
def test_any_part_balances_and_keeps_its_text(conversations: list[list[Line]], separator: str) -> None:
    part, tables = part_of(*conversations, separator=separator)
    messages, placements = tables["messages"].to_pylist(), part.tables["placements"].to_pylist()
    tally = part.tally
    assert [row["message_id"] for row in placements] == [row["message_id"] for row in messages]
    assert draw_ledger("assemble", tally, len(messages)).unaccounted == 0
    assert (tally["untrained_unaccounted"], tally["foreign_chars"], tally["misaligned"]) == (0, 0, 0)
    actions = [action for lines in conversations for _, action, _ in lines]
    kept = sum(m["role"] == "assistant" and a == "keep" for m, a in zip(messages, actions, strict=True))
    assert kept == tally["trained"] + sum(with_prefix(tally, "untrained:").values())
    for example in part.tables["examples"].to_pylist():
        placed = [
            (message, place["placement"])
            for message, place in zip(messages, placements, strict=True)
            if place["example_id"] == example["example_id"]
        ]
        rest = "".join(message["content"] for message, _ in placed)
        lines = [line["content"] for line in example["messages"]]
        assert sum(map(len, lines)) == len(rest) + len(separator) * (len(placed) - len(lines))
        if not separator:
            assert "".join(lines) == rest
        trained = [message["content"] for message, place in placed if place == "trained"]
        learned = [line["content"] for line in example["messages"] if line["trainable"]]
        assert len(learned) == example["trainable"] >= 1
        assert all(text in separator.join(learned) for text in trained)
