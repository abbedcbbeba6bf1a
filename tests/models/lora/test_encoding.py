from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.lora.chat_format import END, SPECIAL_TOKENS
from models.lora.encoding import IGNORED, EncodingCounts, encode_example, encode_rows
from schemas.errors import StageFailed

PLAIN = [
    {"role": "system", "content": "Fii bun.", "trainable": False},
    {"role": "user", "content": "  Ce faci?\n", "trainable": False},
    {"role": "assistant", "content": "\nBine, 🌳!  ", "trainable": True},
    {"role": "tool_call", "content": '{"name": "time"}', "trainable": True},
    {"role": "tool", "content": "12:00", "trainable": False},
    {"role": "assistant", "content": "", "trainable": True},
]


def runs_with_loss(ids: list[int], labels: list[int]) -> list[list[int]]:
    """The stretches of tokens that carry loss."""
    runs: list[list[int]] = []
    previous = IGNORED
    for token, label in zip(ids, labels, strict=True):
        assert label in (IGNORED, token)
        if label != IGNORED:
            if previous == IGNORED:
                runs.append([])
            runs[-1].append(token)
        previous = label
    return runs


def test_loss_lies_on_trainable_messages_and_their_end_and_nowhere_else(tokenizer: Any, rows: Any) -> None:
    messages = rows[3]
    encoded = encode_example(messages, tokenizer, 10_000)
    expected = [
        [*tokenizer(m["content"], split_special_tokens=True)["input_ids"], tokenizer.eos_token_id]
        for m in messages
        if m["trainable"]
    ]
    assert len(expected) == 2
    assert runs_with_loss(encoded.input_ids, encoded.labels) == expected
    trained = [tokenizer.decode(tokens) for tokens in expected]
    assert trained[0] == "Bine, mulțumesc! A fost o zi lungă: 3 🌳<|end|>"
    assert "MASKED" in tokenizer.decode(encoded.input_ids)
    assert "MASKED" not in "".join(trained)


def test_no_metadata_reaches_the_text(tokenizer: Any, rows: Any) -> None:
    text = tokenizer.decode(encode_example(rows[0], tokenizer, 10_000).input_ids)
    assert "Bine, mulțumesc" in text
    assert "MARK" not in text


def test_the_saved_template_writes_the_same_tokens(tokenizer: Any) -> None:
    encoded = encode_example(PLAIN, tokenizer, 10_000)
    rendered = tokenizer.apply_chat_template(
        PLAIN, tokenize=True, return_dict=True, return_assistant_tokens_mask=True
    )
    assert rendered["input_ids"] == encoded.input_ids
    assert rendered["assistant_masks"] == [int(label != IGNORED) for label in encoded.labels]
    prompt = tokenizer.apply_chat_template(PLAIN[:2], tokenize=False, add_generation_prompt=True)
    assert prompt == "<|system|>Fii bun.<|end|><|user|>  Ce faci?\n<|end|><|assistant|>"


def test_marks_inside_a_content_are_plain_text(tokenizer: Any) -> None:
    content = "".join(SPECIAL_TOKENS)
    message = {"role": "user", "content": content, "trainable": False}
    ids = encode_example([message], tokenizer, 10_000).input_ids
    special = set(tokenizer.convert_tokens_to_ids(list(SPECIAL_TOKENS)))
    assert [i for i in ids if i in special] == [ids[0], ids[-1]]
    assert tokenizer.decode(ids[1:-1]) == content


@settings(max_examples=50, derandomize=True, deadline=None, database=None)
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_any_text_comes_back_whole(tokenizer: Any, text: str) -> None:
    ids = encode_example(
        [{"role": "assistant", "content": text, "trainable": True}], tokenizer, 9999
    ).input_ids
    assert tokenizer.decode(ids[1:-1]) == text


def test_a_long_example_is_cut_at_message_ends_only(tokenizer: Any, rows: Any) -> None:
    messages = rows[0]
    whole = encode_example(messages, tokenizer, 10_000)
    end = tokenizer.convert_tokens_to_ids(END)
    ends = {0, *(i + 1 for i, token in enumerate(whole.input_ids) if token == end)}
    for length in range(len(whole.input_ids) + 2):
        cut = encode_example(messages, tokenizer, length)
        kept = len(cut.input_ids)
        assert kept == max(e for e in ends if e <= length)  # as much as fits, in whole messages
        assert cut.input_ids == whole.input_ids[:kept]
        assert cut.labels == whole.labels[:kept]
        assert cut.replies + cut.replies_left_out == 2


def test_nothing_after_the_cut_comes_back(tokenizer: Any) -> None:
    long, short = "lung " * 200, "da"
    messages = [
        {"role": "user", "content": short, "trainable": False},
        {"role": "assistant", "content": long, "trainable": True},
        {"role": "assistant", "content": short, "trainable": True},
    ]
    cut = encode_example(messages, tokenizer, 50)
    assert tokenizer.decode(cut.input_ids) == "<|user|>da<|end|>"
    assert (cut.replies, cut.replies_left_out) == (0, 2)


def test_examples_without_loss_are_counted_and_not_given(tokenizer: Any) -> None:
    user = {"role": "user", "content": "da", "trainable": False}
    reply = {"role": "assistant", "content": "nu", "trainable": True}
    long = {"role": "assistant", "content": "lung " * 200, "trainable": True}
    counts = EncodingCounts()
    columns = encode_rows([[user, reply], [user, long], [user], []], tokenizer, 50, counts)
    assert len(columns["input_ids"]) == len(columns["labels"]) == counts.examples == 1
    assert counts.set_aside == {"too_long": 1, "nothing_to_train": 2}
    assert (counts.replies, counts.replies_left_out) == (1, 1)
    assert counts.tokens == len(columns["input_ids"][0])
    assert counts.trained_tokens == len(tokenizer("nu")["input_ids"]) + 1


def test_an_unknown_role_stops_the_run(tokenizer: Any) -> None:
    with pytest.raises(StageFailed, match="unknown role 'narrator'"):
        encode_example([{"role": "narrator", "content": "x", "trainable": False}], tokenizer, 50)
