"""The fixed marks that a chat template writes around turns, found by writing conversations and proven by more of them.

Programs that do not know Jinja (Ollama) need a template in their own language. Most chat templates do nothing but put
fixed texts around each turn; then those texts are all there is to know. A template that does more is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models.lora.template import Template
from schemas.errors import StageFailed

Turns = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class TurnMarks:
    """Texts before and after a turn's content, by role. `opening` stands first when there is no system message.

    `ask` is what stands behind the last user's turn when a reply is asked for. `bos` is the beginning-of-text mark
    with which every conversation begins (empty: none); whoever reads token ids puts it there, not the template.
    `system` is None where the template folds the system text into the first user turn.
    """

    bos: str
    opening: str
    system: tuple[str, str] | None
    user: tuple[str, str]
    assistant: tuple[str, str]
    ask: str

    def write(self, turns: Turns, ask: bool) -> str:
        """A conversation by these marks, without `bos`."""
        told = [turn for turn in turns if turn["role"] == "system"]
        spoken = [turn for turn in turns if turn["role"] != "system"]
        text = "" if told else self.opening
        if told and self.system:
            text += "".join(self.system[0] + turn["content"] + self.system[1] for turn in told)
        folded = "".join(turn["content"] + "\n\n" for turn in told) if self.system is None else ""
        for turn in spoken:
            before, after = self.user if turn["role"] == "user" else self.assistant
            text += before + (folded if turn["role"] == "user" else "") + turn["content"] + after
            folded = "" if turn["role"] == "user" else folded
        return text + (self.ask if ask else "")


def find_marks(template: Template, tokenizer: Any) -> TurnMarks:
    """The marks of a template. Raises StageFailed when it does more than put marks around turns."""
    marks = _guess(template, tokenizer)
    if marks is None or any(
        marks.bos + marks.write(turns, ask) != _write(turns, template, tokenizer, ask)
        for turns, ask in _probes()
    ):
        raise StageFailed(
            "the chat template does more than put marks around turns, so it cannot be said in Ollama's language",
            fix="Serve the adapter with a program that reads the Jinja template in template.json.",
        )
    return marks


def _guess(template: Template, tokenizer: Any) -> TurnMarks | None:
    one, two, three, four = "qqq", "rrr", "sss", "ttt"
    turns = [_turn("user", one), _turn("assistant", two), _turn("user", three), _turn("assistant", four)]
    whole = _write(turns, template, tokenizer, False)
    head, between, back, _, after = _pieces(whole, one, two, three, four)
    alone = _write(turns[:1], template, tokenizer, False)
    asked = _write(turns[:1], template, tokenizer, True)
    if not (asked.startswith(alone) and alone.startswith(head + one) and back.startswith(after)):
        return None
    ends_user = alone[len(head + one) :]
    before_user = back[len(after) :]
    if not (between.startswith(ends_user) and head.endswith(before_user)):
        return None
    first = head[: len(head) - len(before_user)]
    bos = tokenizer.bos_token if tokenizer.bos_token and first.startswith(tokenizer.bos_token) else ""
    system = None
    if not template.folds_system:
        told = _write([_turn("system", "uuu"), *turns], template, tokenizer, False)
        before, _, rest = told.partition("uuu")
        rest = rest[: rest.find(one)]
        if not (before.startswith(bos) and rest.endswith(before_user)):
            return None
        system = (before[len(bos) :], rest[: len(rest) - len(before_user)])
    return TurnMarks(
        bos=bos,
        opening=first[len(bos) :],
        system=system,
        user=(before_user, ends_user),
        assistant=(between[len(ends_user) :], after),
        ask=asked[len(alone) :],
    )


def _pieces(whole: str, *contents: str) -> list[str]:
    """What stands before, between and behind the contents."""
    pieces = []
    for content in contents:
        before, _, whole = whole.partition(content)
        pieces.append(before)
    return [*pieces, whole]


def _turn(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def _probes() -> list[tuple[list[dict[str, str]], bool]]:
    """Conversations on which a template must agree with its marks; contents without white space at their ends."""
    question, answer, system = (
        _turn("user", "What is it?\n\nTell me."),
        _turn("assistant", "2 < 3 & so"),
        "Be brief.",
    )
    more = [_turn("user", "Și-apoi?"), _turn("assistant", "Nimic.\nAtât."), _turn("user", "{{ x }}")]
    chats = [[question], [question, answer, more[0]], [question, answer, *more]]
    told = [[_turn("system", system), *chat] for chat in chats]
    finished = [[question, answer], [_turn("system", system), question, answer, *more[:2]]]
    return [*((chat, True) for chat in [*chats, *told]), *((chat, False) for chat in finished)]


def _write(turns: Turns, template: Template, tokenizer: Any, ask: bool) -> str:
    """As in training, but with the system prompt left to whoever serves the model."""
    plain = template.model_copy(update={"system": None})
    text: str = tokenizer.apply_chat_template(
        [_turn(turn["role"], turn["content"]) for turn in plain.messages(turns)],
        chat_template=template.chat_template,
        tokenize=False,
        add_generation_prompt=ask,
    )
    return text
