"""Windows: nothing longer than allowed, every reply whole, each trainable one trained exactly once or counted."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.lora.rendering import IGNORED
from models.lora.template import Template, agree
from models.lora.windows import cut_windows
from tests.models.lora.families import FAMILIES, family_tokenizer


@cache
def family(name: str) -> tuple[Any, Template]:
    tokenizer = family_tokenizer(name)
    return tokenizer, agree(tokenizer, None, {})


def talk(*words: tuple[str, int, bool]) -> list[dict[str, Any]]:
    return [
        {"role": role, "content": " ".join(f"w{i}x{n}" for n in range(count)), "trainable": trainable}
        for i, (role, count, trainable) in enumerate(words)
    ]


def conversations() -> st.SearchStrategy[list[dict[str, Any]]]:
    pair = st.tuples(st.integers(1, 25), st.integers(1, 25), st.booleans(), st.booleans())

    def build(system: bool, opening: bool, pairs: list[tuple[int, int, bool, bool]]) -> list[dict[str, Any]]:
        turns: list[tuple[str, int, bool]] = [("system", 3, False)] if system else []
        turns += [("assistant", 2, False)] if opening else []
        for asked, said, trainable, tool in pairs:
            turns.append(("user", asked, False))
            turns += [("tool_call", 2, False), ("tool", 3, False)] if tool else []
            turns.append(("assistant", said, trainable))
        return talk(*turns)

    return st.builds(build, st.booleans(), st.booleans(), st.lists(pair, min_size=1, max_size=6))


@settings(max_examples=60, derandomize=True, deadline=None, database=None)
@given(conversation=conversations(), room=st.integers(60, 400), name=st.sampled_from(sorted(FAMILIES)))
def test_every_reply_is_whole_and_trained_once_or_counted(
    conversation: list[dict[str, Any]], room: int, name: str
) -> None:
    tokenizer, template = family(name)
    done = cut_windows(conversation, template, tokenizer, room, room // 4)
    wanted = [n for n, message in enumerate(conversation) if message["trainable"]]
    placed = [n for window in done.windows for n in window.replies]
    assert sorted([*placed, *done.too_long, *done.left_out]) == wanted
    assert done.left_out == []
    end = tokenizer.convert_tokens_to_ids(template.end)
    for window in done.windows:
        assert len(window.tokens.input_ids) == len(window.tokens.labels) <= room
        trained = [label for label in window.tokens.labels if label != IGNORED]
        assert trained.count(end) == len(window.replies), "each trained reply has its end mark"
        text = tokenizer.decode(trained)
        for number in window.replies:
            assert conversation[number]["content"] in text
        for number in set(range(len(conversation))) - set(window.replies):
            assert conversation[number]["content"] not in text or conversation[number]["role"] == "system"


def test_a_short_conversation_is_one_window_and_a_long_one_keeps_its_head_and_some_context() -> None:
    tokenizer, template = family("qwen-2.5")
    pairs = [turn for _ in range(8) for turn in (("user", 10, False), ("assistant", 10, True))]
    conversation = talk(("system", 4, False), *pairs)
    assert len(cut_windows(conversation, template, tokenizer, 100_000, 0).windows) == 1
    done = cut_windows(conversation, template, tokenizer, 600, 200)
    assert len(done.windows) > 2
    assert done.too_long == []
    for window in done.windows:
        assert conversation[0]["content"] in tokenizer.decode(window.tokens.input_ids)
    second = tokenizer.decode(done.windows[1].tokens.input_ids)
    last_of_first = conversation[done.windows[0].replies[-1]]["content"]
    assert last_of_first in second, "what was said just before is read again"
    without = cut_windows(conversation, template, tokenizer, 600, 0)
    assert last_of_first not in tokenizer.decode(without.windows[1].tokens.input_ids)


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_a_reply_that_does_not_fit_is_counted_and_its_neighbours_are_not(name: str) -> None:
    tokenizer, template = family(name)
    conversation = talk(
        ("user", 3, False), ("assistant", 3, True), ("user", 3, False), ("assistant", 400, True),
        ("user", 3, False), ("assistant", 3, True),
    )  # fmt: skip
    done = cut_windows(conversation, template, tokenizer, 300, 50)
    assert done.too_long == [3]
    assert sorted(n for window in done.windows for n in window.replies) == [1, 5]


def test_an_opening_reply_that_should_be_learnt_is_told_where_the_template_cannot_write_it() -> None:
    tokenizer, template = family("mistral")
    conversation = talk(("assistant", 3, True), ("user", 3, False), ("assistant", 3, True))
    done = cut_windows(conversation, template, tokenizer, 1000, 0)
    assert (done.left_out, [window.replies for window in done.windows]) == ([0], [(2,)])
