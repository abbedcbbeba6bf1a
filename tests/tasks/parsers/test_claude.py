from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.settings import ParseSettings
from tasks.parsers.claude import ClaudeParser
from tasks.parsers.cleaning import strip_claude_tags

UNSUPPORTED = "This block is not supported on your current device yet."


def said(sender, content=None, **more):
    return {"uuid": more.pop("uuid", None), "sender": sender, "content": content, "text": "flat", **more}


def text(value):
    return {"type": "text", "text": value}


def conversation(*messages, **more):
    return {
        "uuid": "c",
        "name": "n",
        "created_at": "2026-01-01T00:00:00.5Z",
        "chat_messages": list(messages),
        **more,
    }


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"One.\n\n```\n{UNSUPPORTED}\n```\n\nTwo.", "One.\n\nTwo."),
        (f"One. {UNSUPPORTED}", "One."),
        ("<antThinking>hm\nhm</antThinking>\n\nAnswer", "Answer"),
        ("Answer <antThinking>cut off", "Answer"),
        ('A <antArtifact identifier="x" type="t">code</antArtifact> B', "A code B"),
        ("  untouched  ", "  untouched  "),
    ],
)
def test_tags_and_notices_go(before, after):
    assert strip_claude_tags(before) == after


def test_blocks_count_and_the_flat_text_does_not(parse):
    answer = said(
        "assistant",
        [{"type": "thinking", "thinking": "hm"}, text("one"), {"type": "tool_use", "name": "x"}, text(None),
         {"type": "voice_note", "title": "t", "text": "two"}],
    )  # fmt: skip
    result = parse([conversation(said("human"), answer, said("human", []), said("human", "a string"))])
    assert result.texts == [
        ("user", "flat"),
        ("assistant", "one\n\ntwo"),
        ("user", "flat"),
        ("user", "a string"),
    ]


@pytest.mark.parametrize(
    ("blocks", "reason"),
    [
        ([{"type": "thinking"}], "thinking"),
        ([{"type": "thinking"}, {"type": "tool_use"}], "tool_call"),
        ([{"type": "tool_result", "content": [text("x")]}], "tool"),
        ([{"type": "image"}], "non_text"),
        ([{"type": "hologram"}], "unknown_type:hologram"),
        ([text(UNSUPPORTED)], "empty"),
        ([text(12345)], "empty"),
        ([None], "empty"),
    ],
)
def test_a_message_without_text_has_its_reason(parse, blocks, reason):
    result = parse([conversation(said("human", [text("q")]), said("assistant", blocks))])
    assert result.set_aside == {reason: 1}


def test_attachments_are_part_of_the_message_and_are_capped(parse):
    attached = [
        {"file_name": "a", "extracted_content": "x" * 50},
        {"extracted_content": " "},
        {"file_name": "b"},
    ]
    item = conversation(
        said("human", [text("")], text="", attachments=attached), said("assistant", [text("a")])
    )
    assert parse([item]).texts[0] == ("user", "x" * 50)
    result = parse([item], ParseSettings(max_attachment_chars=10))
    assert result.texts[0] == ("user", "x" * 10)
    assert result.imports[0]["warnings"] == ["a long attachment was cut: 1"]
    item["chat_messages"][0]["content"] = [text("see")]
    assert parse([item]).texts[0] == ("user", "see\n\n" + "x" * 50)


def test_a_file_alone_is_no_text(parse):
    item = conversation(
        said("human", [], text="", files=[{"file_name": "p.png"}]), said("assistant", [text("a")])
    )
    assert parse([item]).set_aside == {"non_text": 1}


def test_order_is_the_arrays_until_two_share_a_parent(parse):
    root = "00000000-0000-4000-8000-000000000000"
    messages = [
        said("human", [text("q")], uuid="1", parent_message_uuid=root),
        said("assistant", [text("old")], uuid="2", parent_message_uuid="1"),
        said("assistant", [text("new")], uuid="3", parent_message_uuid="1"),
    ]
    assert [t for _, t in parse([conversation(*messages[:2])]).texts] == ["q", "old"]
    result = parse([conversation(*messages)])
    assert [t for _, t in result.texts] == ["q", "new"]
    assert (result.set_aside, result.conversations[0]["branches"]) == ({"other_branch": 1}, 1)
    chosen = conversation(*messages, current_leaf_message_uuid="2")
    assert [t for _, t in parse([chosen]).texts] == ["q", "old"]


def test_converted_shapes(parse):
    message = {"author": {"role": "Human"}, "content": [text("q")]}
    answer = {"role": "assistant", "content": text("a"), "text": "flat"}
    result = parse({"conversations": [conversation(message, {"role": "assistant", "text": "a"}, answer)]})
    assert result.texts == [("user", "q"), ("assistant", "a"), ("assistant", "a")]
    assert result.imports[0]["format"] == "claude"


def test_blank_shells_are_empty_and_no_failures(parse):
    shells = [conversation(said("human", [text("")], text=""), uuid=f"{n}") for n in range(3)]
    result = parse([*shells, conversation(said("human", [text("q")]))])
    assert (result.tally["empty"], result.tally["kept"], result.tally["failed"]) == (3, 1, 0)
    assert result.set_aside == {"empty": 3}


def test_blocks_may_be_strings_in_between_and_nulls_are_counted(parse):
    blocks = ["one", text("two"), None, "three", 7]
    messages = [None, said("human", text("q")), None, said("assistant", blocks), ["list"], "text"]
    result = parse([conversation(*messages)])
    assert result.texts == [("user", "q"), ("assistant", "one\n\ntwo\n\nthree")]
    assert result.set_aside == {"null": 2, "malformed": 2}


ITEM = st.none() | st.integers() | st.text(max_size=3)
IDS = st.sampled_from(["1", "2", "3"]) | ITEM
BLOCK = ITEM | st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "thinking", "new"]) | ITEM, "text": ITEM}
)
MESSAGE = ITEM | st.fixed_dictionaries(
    {"sender": st.sampled_from(["human", "assistant"]) | ITEM},
    optional={
        "content": ITEM | st.lists(BLOCK, max_size=3),
        "text": ITEM,
        "uuid": IDS,
        "parent_message_uuid": IDS,
    },
)


@settings(derandomize=True, max_examples=200, deadline=None)
@given(st.lists(MESSAGE, max_size=6), IDS)
def test_the_account_of_any_list_balances(messages, leaf):
    item = {"chat_messages": messages, "current_leaf_message_uuid": leaf}
    parsed = ClaudeParser().parse(item, ParseSettings())
    assert parsed.messages_seen == len(messages)
    assert parsed.set_aside["null"] == messages.count(None)
    assert all(message.content.strip() for message in parsed.messages)
