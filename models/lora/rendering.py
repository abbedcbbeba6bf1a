"""From a conversation to token ids and labels, by the chat template of the base: loss on trainable replies only.

Where a reply begins and ends is found by rendering, not by marks in the template: it begins behind the text with which
the template asks for a reply, and ends with the end mark. So any template will do that writes the beginning of a
conversation the same way whatever follows; one that does not is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models.lora.template import GENERATED, TEMPLATE_FAULTS, Template, special_texts
from schemas.errors import StageFailed

#: The label of a token that carries no loss.
IGNORED = -100
#: Put behind the first character of a mark that stands in somebody's text, so that it is read as text. Invisible.
JOINER = "\u2060"


class Unwritable(Exception):
    """The template cannot write this conversation, or not all of it. It is set aside and counted."""


@dataclass(frozen=True)
class Reply:
    """A stretch of the rendered text that the model is to write; `sources` are message numbers of the corpus."""

    start: int
    end: int
    sources: tuple[int, ...]


@dataclass(frozen=True)
class Rendered:
    """A conversation as one text, with its replies in order, and how many marks in people's texts were defused."""

    text: str
    replies: tuple[Reply, ...]
    defused: int


@dataclass(frozen=True)
class Tokens:
    """`labels` is `input_ids` where there is loss and IGNORED elsewhere; of one length."""

    input_ids: list[int]
    labels: list[int]


def render(conversation: Sequence[Mapping[str, Any]], template: Template, tokenizer: Any) -> Rendered:
    """Write a conversation of the corpus.

    Raises Unwritable when the template refuses it or leaves words out (as many do with thoughts of earlier turns);
    StageFailed when the template rewrites what it wrote before.
    """
    marks = special_texts(tokenizer)
    defused = 0
    turns = template.messages(conversation)
    for turn in turns:
        turn["content"], found = defuse(turn["content"], marks)
        defused += found
    whole = _write(turns, template, tokenizer)
    _check_words(whole, [turn["content"] for turn in turns])
    replies = []
    for number, turn in enumerate(turns):
        if turn["role"] not in GENERATED:
            continue
        asked = _asked(turns[:number], template, tokenizer)
        said = _write(turns[: number + 1], template, tokenizer)
        if not (whole.startswith(asked) and whole.startswith(said)):
            raise StageFailed(
                "the chat template rewrites earlier turns when later ones follow, so the loss cannot be placed",
                fix="Use another base, or give role_names in the preset: that template does not.",
            )
        end = whole.rfind(template.end, len(asked), len(said))
        if end < 0:
            raise StageFailed("a reply lost its end mark in the chat template", fix="Use another base.")
        replies.append(Reply(len(asked), end + len(template.end), tuple(turn["sources"])))
    return Rendered(whole, tuple(replies), defused)


def tokenize(rendered: Rendered, trainable: Sequence[bool], tokenizer: Any) -> Tokens:
    """Token ids, and labels on the replies of which `trainable` (by reply) is true.

    A token that straddles the beginning of a reply belongs to the prompt: when the model is used, it is given.
    """
    encoded = tokenizer(rendered.text, add_special_tokens=False, return_offsets_mapping=True)
    ids: list[int] = list(encoded["input_ids"])
    offsets: list[tuple[int, int]] = encoded["offset_mapping"]
    labels = [IGNORED] * len(ids)
    position = 0
    for reply, wanted in zip(rendered.replies, trainable, strict=True):
        while position < len(ids) and offsets[position][0] < reply.start:
            position += 1
        while position < len(ids) and offsets[position][0] < reply.end:
            if wanted:
                labels[position] = ids[position]
            position += 1
    return Tokens(ids, labels)


def _asked(turns: Sequence[Mapping[str, Any]], template: Template, tokenizer: Any) -> str:
    """The text with which the model is asked to go on; many templates cannot write it for no turn at all."""
    if turns:
        return _write(turns, template, tokenizer, ask=True)
    question = [{"role": "user", "content": "?"}]
    before = _write(question, template, tokenizer)
    header = _write(question, template, tokenizer, ask=True)[len(before) :]
    reply = _write([{"role": "assistant", "content": "!"}], template, tokenizer)
    return reply[: reply.find(header) + len(header)]


def _write(turns: Sequence[Mapping[str, Any]], template: Template, tokenizer: Any, ask: bool = False) -> str:
    if not turns:
        return ""
    messages = [{"role": turn["role"], "content": turn["content"]} for turn in turns]
    try:
        text: str = tokenizer.apply_chat_template(
            messages, chat_template=template.chat_template, tokenize=False, add_generation_prompt=ask
        )
    except TEMPLATE_FAULTS as error:  # it may insist on an order of speakers that this conversation has not
        raise Unwritable(type(error).__name__) from error
    return text


def _check_words(whole: str, contents: Sequence[str]) -> None:
    """Every turn stands in the text, in order and with all its words; white space is the template's to change."""
    written, at = "".join(whole.split()), 0
    for content in contents:
        words = "".join(content.split())
        found = written.find(words, at)
        if found < 0:
            raise Unwritable("words of a turn are missing")
        at = found + len(words)


def defuse(text: str, marks: Sequence[str]) -> tuple[str, int]:
    """The text with the marks in it made harmless, and how many there were."""
    found = 0
    for mark in marks:
        if mark in text:
            found += text.count(mark)
            text = text.replace(mark, mark[0] + JOINER + mark[1:])
    return text, found
