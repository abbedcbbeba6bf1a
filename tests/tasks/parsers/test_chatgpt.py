from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.settings import ParseSettings
from tasks.parsers.chatgpt import ChatGPTParser
from tasks.parsers.cleaning import strip_citations

CITE = "\ue200cite\ue202turn0search0\ue202turn0search3\ue201"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (f"It rained {CITE}.", "It rained."),
        (f"It rained{CITE} and snowed.", "It rained and snowed."),
        (f"one {CITE}two", "one two"),
        ('\ue200entity\ue202["people","Ada Lovelace",0]\ue201 wrote it.', "Ada Lovelace wrote it."),
        ('See \ue200entity\ue202["x","A \\"b\\"",1]\ue201', 'See A "b"'),
        ("\ue200navlist\ue202News\ue202turn0news1\ue201", ""),
        ("\ue203kept\ue204 text\ue206", "kept text"),
        ("Bare citeturn0search0turn1news12 end", "Bare end"),
        ("turn0search1turn0view2", ""),
        ("Not closed \ue200cite\ue202turn0search0 more", "Not closed  more"),
        ("Said【11†source】 so.", "Said so."),
        ("Said 【446346422802141†L175-L190】.", "Said."),
        ("Said :contentReference[oaicite:0]{index=0}.", "Said."),
        ("Get [the file](sandbox:/mnt/data/x.csv) here", "Get the file here"),
        ("I return 0 in turn 1, 【really】.", "I return 0 in turn 1, 【really】."),
    ],
)
def test_citation_marks_go_and_names_stay(text, clean):
    assert strip_citations(text) == clean


def test_the_branch_of_current_node_is_taken(parse, message, chat):
    item = chat(message("user", "q"), message("assistant", "old"))
    answer = message("assistant", "new", id="x", create_time=1.0)
    item["mapping"]["x"] = {"id": "x", "message": answer, "parent": "n0", "children": []}
    item["mapping"]["n0"]["children"].append("x")
    result = parse([item])
    assert result.texts == [("user", "q"), ("assistant", "old")]
    assert result.set_aside == {"other_branch": 1}
    assert result.conversations[0]["branches"] == 1
    item["current_node"] = "x"
    assert parse([item]).texts == [("user", "q"), ("assistant", "new")]


@pytest.mark.parametrize("current", [None, "gone", 7, ""])
def test_without_a_current_node_the_newest_leaf_counts(parse, message, chat, current):
    item = chat(message("user", "q"), message("assistant", "newest", create_time=9.0), current_node=current)
    for name, time in (("x", 5.0), ("y", None), ("z", float("nan"))):
        answer = message("assistant", name, create_time=time)
        item["mapping"][name] = {"id": name, "message": answer, "parent": "n0", "children": []}
    result = parse([item])
    assert [text for _, text in result.texts] == ["q", "newest"]
    assert "newest leaf" in result.imports[0]["warnings"][0]


def test_parents_may_be_known_from_children_only(parse, message, chat):
    item = chat(message("user", "q"), message("assistant", "a"))
    for node in item["mapping"].values():
        node.pop("parent")
    assert len(parse([item]).messages) == 2


def test_a_mapping_without_edges_is_ordered_by_time(parse, message):
    times = {"b": ("two", 2.0), "n": ("two and a half", None), "a": ("one", 1.0)}
    mapping = {k: {"message": message("user", text, create_time=time)} for k, (text, time) in times.items()}
    result = parse([{"mapping": mapping, "current_node": "a"}])
    assert [text for _, text in result.texts] == ["one", "two", "two and a half"]


@pytest.mark.parametrize("parent", ["n0", "n1"])
def test_circles_end(parse, message, chat, parent):
    item = chat(message("user", "q"), message("assistant", "a"))
    item["mapping"]["n0"]["parent"] = parent
    result = parse([item])
    assert [text for _, text in result.texts] == ["q", "a"]
    assert "circle" in result.imports[0]["warnings"][0]


def test_a_chain_of_many_nodes_needs_no_recursion(parse, message, chat):
    result = parse([chat(*(message("user", f"{number}") for number in range(3000)))])
    assert [row["position"] for row in result.messages] == list(range(3000))


LEFT_OUT = [
    ("system", "x", {}, "system"),
    ("tool", "x", {}, "tool"),
    ("critic", "x", {}, "unknown_role"),
    ("user", "x", {"metadata": {"is_visually_hidden_from_conversation": True}}, "hidden"),
    ("user", "x", {"metadata": {"is_user_system_message": True}}, "hidden"),
    ("user", {"content_type": "user_editable_context", "user_profile": "me"}, {}, "hidden"),
    ("assistant", {"content_type": "model_editable_context", "model_set_context": "m"}, {}, "hidden"),
    ("assistant", "{}", {"recipient": "dalle.text2im"}, "tool_call"),
    ("assistant", {"content_type": "code", "text": "1"}, {"recipient": "python"}, "tool_call"),
    ("assistant", {"content_type": "code", "text": "1"}, {}, "tool_call"),
    ("assistant", {"content_type": "thoughts", "thoughts": []}, {}, "thinking"),
    ("assistant", {"content_type": "reasoning_recap", "content": "8s"}, {}, "thinking"),
    ("assistant", {"content_type": "tether_quote", "text": "page"}, {}, "tool"),
    ("assistant", {"content_type": "super widget!", "x": "y"}, {}, "unknown_type:odd_name"),
    (
        "user",
        {"content_type": "multimodal_text", "parts": [{"content_type": "image_asset_pointer"}]},
        {},
        "non_text",
    ),
    ("user", "  ", {}, "empty"),
    ("assistant", CITE, {}, "empty"),
    ("assistant", None, {}, "empty"),
    ("assistant", {"content_type": 7}, {}, "unknown_type:none"),
]


@pytest.mark.parametrize(("role", "content", "more", "reason"), LEFT_OUT)
def test_what_is_left_out_has_its_reason(parse, message, chat, role, content, more, reason):
    result = parse([chat(message("user", "q"), message(role, content, **more))])
    assert result.texts == [("user", "q")]
    assert result.set_aside == {reason: 1}


@pytest.mark.parametrize("odd", ["text", 7, ["m"], True])
def test_what_stands_in_the_place_of_a_node_or_a_message_is_counted(parse, message, chat, odd):
    item = chat(message("user", "q"), message("assistant", "a"))
    item["mapping"] |= {
        "odd": odd,
        "none": None,
        "without": {"parent": "n0"},
        "list": {"message": [odd, odd]},
    }
    result = parse([item])
    assert (len(result.texts), result.set_aside) == (2, {"other_branch": 2})
    item["mapping"]["n1"] = {"message": [odd], "parent": "n0"}
    assert parse([item]).set_aside == {"malformed": 1, "other_branch": 2}


def test_spoken_and_multimodal_parts_are_joined(parse, message, chat):
    spoken = {"content_type": "audio_transcription", "text": "spoken", "direction": "in"}
    image = {"content_type": "image_asset_pointer", "asset_pointer": "sediment://x"}
    content = {"content_type": "multimodal_text", "parts": [image, "typed", spoken, None]}
    plain = {"author": {"role": "assistant"}, "content": "a plain string"}
    untyped = {"author": {"role": "assistant"}, "content": {"parts": ["no type"]}, "recipient": None}
    result = parse([chat(message("user", content), plain, untyped)])
    assert [text for _, text in result.texts] == ["typed\nspoken", "a plain string", "no type"]


def test_models_flags_and_times(parse, message, chat):
    item = chat(
        message("user", "q", create_time=1_700_000_000.5),
        message("assistant", "a", metadata={"model_slug": "gpt-5"}, create_time=1_700_000_000_500),
        message("assistant", "b", metadata=None, create_time="2026-01-01T00:00:00Z"),
        message("assistant", "c", create_time=-1),
        default_model_slug="gpt-4o", is_archived=True, is_do_not_remember=True, gizmo_id="g", gizmo_type="snorlax",
    )  # fmt: skip
    result = parse([item])
    assert [row["model"] for row in result.messages] == [None, "gpt-5", "gpt-4o", "gpt-4o"]
    assert result.conversations[0]["flags"] == ["archived", "do_not_remember", "project"]
    assert result.conversations[0]["model"] == "gpt-4o"
    first, second, third, fourth = (row["created_at"] for row in result.messages)
    assert first == second
    assert (third.year, fourth) == (2026, None)


@pytest.mark.parametrize("item", [None, 7, "x", [], {"mapping": None}, {"mapping": []}, {}])
def test_what_is_no_conversation_fails_alone(parse, message, chat, item):
    result = parse([chat(message("user", "q")), item])
    assert (result.tally["kept"], result.tally["failed"]) == (1, 1)
    assert result.imports[0]["failures"][0]["at"].startswith("byte offset ")


JUNK = st.none() | st.integers() | st.text(max_size=3) | st.lists(st.none(), max_size=2)
NAMES = st.sampled_from(["a", "b", "c", "d", "e"])
CONTENT = JUNK | st.fixed_dictionaries(
    {},
    optional={
        "content_type": st.sampled_from(["text", "code", "thoughts", "new"]) | JUNK,
        "parts": JUNK | st.text(),
    },
)
MESSAGE = JUNK | st.fixed_dictionaries(
    {
        "content": CONTENT,
        "author": JUNK | st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant", "x"])}),
    },
    optional={
        "recipient": st.sampled_from(["all", "web"]),
        "create_time": st.floats() | JUNK,
        "metadata": JUNK,
    },
)
NODE = JUNK | st.fixed_dictionaries(
    {"message": MESSAGE}, optional={"parent": NAMES | JUNK, "children": JUNK | st.lists(NAMES, max_size=3)}
)


@settings(derandomize=True, max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(NAMES, NODE, max_size=5), NAMES | JUNK)
def test_the_account_of_any_tree_balances(mapping, current):
    parsed = ChatGPTParser().parse({"mapping": mapping, "current_node": current}, ParseSettings())
    messages = [node["message"] if isinstance(node, dict) else node for node in mapping.values()]
    assert parsed.messages_seen == sum(message is not None for message in messages)
    assert all(count > 0 for count in parsed.set_aside.values())
    assert all(message.content.strip() for message in parsed.messages)
