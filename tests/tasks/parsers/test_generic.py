from __future__ import annotations

import json

import pytest

USER, ASSISTANT = ("user", "q"), ("assistant", "a")


@pytest.mark.parametrize(
    ("item", "texts"),
    [
        ({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}, [USER, ASSISTANT]),
        (
            {"messages": [{"role": "developer", "content": "s"}, {"role": "user", "content": "q"}]},
            [("system", "s"), USER],
        ),
        ({"conversations": [{"from": "human", "value": "q"}, {"from": "bing", "value": "a"}]}, [USER, ASSISTANT]),
        ({"system": "s", "conversations": [{"from": "gpt", "value": "a"}]}, [("system", "s"), ASSISTANT]),
        (
            {"conversations": [{"from": "human", "value": "q"}, {"from": "function_call", "value": "{}"},
                               {"from": "observation", "value": "[]"}]},
            [USER, ("tool_call", "{}"), ("tool", "[]")],
        ),
        ({"instruction": "q", "input": "", "output": "a", "text": "all"}, [USER, ASSISTANT]),
        ({"instruction": "q", "input": "<noinput>", "response": "a"}, [USER, ASSISTANT]),
        ({"instruction": "q", "input": "more", "output": "a"}, [("user", "q\n\nmore"), ASSISTANT]),
        (
            {"instruction": "q", "input": "", "output": "a", "system": "s", "history": [["q0", "a0"]]},
            [("system", "s"), ("user", "q0"), ("assistant", "a0"), USER, ASSISTANT],
        ),
        ({"prompt": "q", "completion": " a END"}, [USER, ASSISTANT]),
        (
            {"prompt": [{"role": "user", "content": "q"}], "completion": [{"role": "assistant", "content": "a"}]},
            [USER, ASSISTANT],
        ),
        ({"question": "q", "answer": ["a", "b"]}, [USER, ASSISTANT]),
        ({"query": "q", "response": "a"}, [USER, ASSISTANT]),
        ({"messages": [{"role": "user", "content": [1, None, "q", {"text": 2}]},
                       {"role": "assistant", "content": "a"}]},
         [USER, ASSISTANT]),
        (
            {"chosen_messages": [{"role": "user", "content": [{"type": "text", "value": "q"}]}],
             "rejected_messages": [{"role": "user", "content": "no"}]},
            [USER],
        ),
        (
            {"conversations": [{"from": "human", "value": "q"}], "chosen": {"from": "gpt", "value": "a"},
             "rejected": {"from": "gpt", "value": "no"}},
            [USER, ASSISTANT],
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "q"}, {"type": "image_url"}]}]},
            [USER],
        ),
        ([{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}], [USER, ASSISTANT]),
    ],
)  # fmt: skip
def test_shapes(parse, item, texts):
    result = parse([item, item])
    assert result.texts == texts * 2
    assert result.tally["seen"] == result.tally["kept"] == 2
    assert result.imports[0]["source"] == "generic"


def test_a_bare_list_is_one_conversation(parse):
    turns = [{"role": "user", "content": "q"}, None, {"role": "narrator", "content": "x"}] * 15
    result = parse([*turns, {"from": "gpt", "value": "a"}])
    assert (result.tally["seen"], result.tally["kept"], len(result.messages)) == (1, 1, 16)
    assert result.set_aside == {"unknown_role": 15, "null": 15}
    lines = parse(
        "\n".join(map(json.dumps, [turns[0], {"role": "assistant", "content": "a"}])), name="x.jsonl"
    )
    assert lines.tally["seen"] == 1


def test_each_of_several_bare_lists_is_a_conversation(parse):
    lists = [[turn("user", f"q{n}"), turn("assistant", f"a{n}")] for n in range(3)]
    for text in ("".join(map(json.dumps, lists)), json.dumps(lists), "\n".join(map(json.dumps, lists))):
        result = parse(text)
        assert (result.tally["seen"], result.tally["kept"], len(result.texts)) == (3, 3, 6)
    mixed = parse(json.dumps(lists[0]) + json.dumps(QA) + json.dumps(lists[1]) + " end")
    assert (mixed.tally["kept"], mixed.tally["failed"]) == (3, 1)


@pytest.mark.parametrize(
    ("turn", "reason"),
    [
        ({"role": "assistant", "content": None, "tool_calls": [{}]}, "tool_call"),
        ({"role": "assistant", "content": " "}, "empty"),
        ({"role": "user", "content": [{"type": "image_url"}]}, "non_text"),
        ({"role": "assistant", "content": [{"type": "reasoning", "value": "hm"}]}, "thinking"),
        ({"role": "user", "content": [{"type": "smell"}]}, "unknown_type:smell"),
        ({"role": "user", "content": [{"type": "Ana is ill"}]}, "unknown_type:odd_name"),
        ({"role": "user", "content": [{"type": "a" * 41}]}, "unknown_type:odd_name"),
        ({"role": "nobody", "content": "x"}, "unknown_role"),
        ({"content": "x"}, "unknown_role"),
        ({"role": "user", "content": 7}, "malformed"),
        ("text", "malformed"),
        (["text"], "malformed"),
        (None, "null"),
    ],
)
def test_what_is_left_out_has_its_reason(parse, turn, reason):
    result = parse([{"messages": [{"role": "user", "content": "q"}, turn]}])
    assert (result.texts, result.set_aside) == ([USER], {reason: 1})


def turn(role, content):
    return {"role": role, "content": content}


QA = {"instruction": "q", "output": "a"}
LIST = {"messages": [turn("user", "q"), turn("assistant", "a")]}
SPLIT = [turn("user", "q")], [turn("assistant", "a")]


@pytest.mark.parametrize(
    ("record", "aside"),
    [
        (QA | {"system": 5}, {"malformed": 1}),
        (LIST | {"system": ["s"]}, {"malformed": 1}),
        (QA | {"history": [["q0"], "odd", {"x": 1}, ["a", "b", "c"], 7]}, {"malformed": 5}),
        (QA | {"history": [None]}, {"null": 1}),
        (QA | {"history": "odd"}, {"malformed": 1}),
        (QA | {"output": ["a", "b", "c", None]}, {"other_answer": 2, "null": 1}),
        (QA | {"output": ["", "a", "b"]}, {"other_answer": 2}),
        (QA | {"instruction": ["q", "r"]}, {"other_question": 1}),
        (QA | {"input": ["odd"]}, {"malformed": 1}),
        (QA | {"input": 5}, {"malformed": 1}),
        (QA | {"response": "another", "answer": "a"}, {"other_answer": 1, "repeated": 1}),
        (QA | {"prompt": "template q", "query": "q"}, {"other_question": 1, "repeated": 1}),
        ({"prompt": "q", "completion": "a", "input": "more"}, {"unused_input": 1}),
        (QA | {"rejected": "bad"}, {"rejected_reply": 1}),
        (LIST | {"rejected": turn("assistant", "bad"), "label": True}, {"rejected_reply": 1}),
        (LIST | {"rejected": [turn("user", "q"), turn("assistant", "bad")]}, {"repeated": 1, "rejected_reply": 1}),
        (LIST | {"rejected": ["bad", "worse"]}, {"rejected_reply": 2}),
        (LIST | {"rejected_messages": [turn("assistant", "bad"), None]}, {"rejected_reply": 1, "null": 1}),
        (LIST | {"rejected": True, "conversation": "c-17", "response": None, "input": "", "answer": 3}, {}),
        (LIST | {"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "b"}]},
         {"repeated": 1, "other_list": 1}),
        (LIST | {"chosen": LIST["messages"], "prompt": "q", "tools": [{"name": "t"}]}, {"repeated": 3}),
        (LIST | {"response": {"choices": []}}, {"other_answer": 1}),
        ({"prompt": "q", "chosen": "a", "rejected": "b"}, {"rejected_reply": 1}),
        ({"prompt": SPLIT[0], "chosen": SPLIT[1], "rejected": SPLIT[1]}, {"repeated": 1}),
        ({"prompt": "q", "chosen": LIST["messages"], "rejected": SPLIT[0]}, {"repeated": 2}),
        ({"prompt": "q", "chosen": SPLIT[1], "rejected": [turn("assistant", "b")]}, {"rejected_reply": 1}),
        ({"messages": SPLIT[0], "chosen": SPLIT[1]}, {}),
        ({"messages": SPLIT[0], "chosen": "a", "rejected": "b"}, {"rejected_reply": 1}),
        ({"messages": [None, *LIST["messages"], "odd"]}, {"null": 1, "malformed": 1}),
        ([*LIST["messages"], None, 7], {"null": 1, "malformed": 1}),
    ],
)  # fmt: skip
def test_every_message_of_a_record_is_parsed_or_set_aside(parse, record, aside):
    result = parse([record, LIST])
    assert result.texts == [USER, ASSISTANT] * 2
    assert result.set_aside == aside


def test_what_else_belongs_to_a_record(parse):
    records = [
        {"instruction": "q", "context": "more", "response": "a"},
        {"system_prompt": "s", "question": "q", "response": "b", "answer": "a"},
        {"instruction": "q", "output": "a", "history": [turn("user", "q0"), [turn("user", "q1"), "a1"]]},
        {"system": "s", "system_prompt": "s", "prompt": "q", "completion": [{"type": "text", "text": "a"}]},
    ]
    result = parse(records)
    assert result.texts == [
        ("user", "q\n\nmore"), ASSISTANT, ("system", "s"), USER, ASSISTANT,
        ("user", "q0"), ("user", "q1"), ("assistant", "a1"), USER, ASSISTANT, ("system", "s"), USER, ASSISTANT,
    ]  # fmt: skip
    assert result.set_aside == {"other_answer": 1, "repeated": 1}


def test_names_and_the_label_of_a_bad_answer_are_kept(parse):
    result = parse(
        [{"messages": [{"role": "user", "content": "q", "name": "Ana"}], "label": False, "model": "m"}]
    )
    assert result.messages[0]["author"] == "Ana"
    assert (result.conversations[0]["flags"], result.conversations[0]["model"]) == (["label_false"], "m")


def test_only_a_system_message_is_an_empty_conversation(parse):
    result = parse([{"messages": [{"role": "system", "content": "s"}]}, {"prompt": "q", "completion": "a"}])
    assert (result.tally["empty"], result.tally["kept"]) == (1, 1)
    assert result.set_aside == {"empty_conversation": 1}


def test_equal_records_and_equal_ids_stay_apart(parse):
    record = {"id": 1, "prompt": "q", "completion": "a"}
    result = parse([record, record, {**record, "completion": "b"}])
    assert result.tally["kept"] == 3
    assert len({row["conversation_id"] for row in result.conversations}) == 3
    assert {row["native_id"] for row in result.conversations} == {None}


def test_an_unknown_record_fails_alone(parse):
    result = parse([{"prompt": "q", "completion": "a"}, {"x": 1}, 7])
    assert [each["reason"] for each in result.imports[0]["failures"]] == [
        "no shape that is known",
        "not an object",
    ]
