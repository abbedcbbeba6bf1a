"""The template handshake: how conversations are written for a model, fixed once and hashed.

Training, chat, evaluation and export must write a conversation in the same way; a model that is served with another
template, end mark or system prompt than it was trained with answers gibberish. So all of it is one artifact, made at
training, stored beside the adapter, and compared by its digest wherever the adapter is used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import TemplateError
from pydantic import BaseModel, ConfigDict, ValidationError

from models.lora.role_names import named_template
from schemas.errors import SettingsError, StageFailed
from schemas.ids import hash_json

FILE = "template.json"
#: What a Jinja template may end with: its own refusals and faults of syntax, or any slip of an expression in it.
TEMPLATE_FAULTS = (
    TemplateError, TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError
)  # fmt: skip
#: Loss lies on what the model itself would write: a trainable reply and the mark that ends it.
MASK_RULE = "trainable replies with their end mark"
#: Roles that a model writes; the others are read by it.
GENERATED = ("assistant",)

_PROBE = (
    {"role": "user", "content": "one"},
    {"role": "assistant", "content": "two"},
    {"role": "user", "content": "three"},
    {"role": "assistant", "content": "four"},
)


class Template(BaseModel):
    """What is agreed between training and use.

    `chat_template` is Jinja; `end` is the mark after which the model stops. `system` is put before conversations that
    have no system message of their own. `folds_system`: the template knows no system role, so the system message is
    put at the head of the first user turn. `opens_with_reply`: whether a conversation may begin with the assistant;
    where it may not, an opening reply is left out. `tool_roles`: under which roles tool calls and answers are written.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    chat_template: str
    end: str
    system: str | None = None
    folds_system: bool = False
    opens_with_reply: bool = True
    tool_roles: tuple[str, str] = ("assistant", "tool")
    role_names: dict[str, str] = {}
    mask_rule: str = MASK_RULE

    @property
    def digest(self) -> str:
        """Identity of the agreement."""
        return hash_json(self.model_dump(mode="json"))

    def messages(self, conversation: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """A conversation of the corpus as the messages that the Jinja template takes.

        `sources` of each are the numbers of the corpus's messages in it: neighbours that get one role are joined by an
        empty line.
        """
        roles = dict(zip(("tool_call", "tool"), self.tool_roles, strict=True))
        turns: list[dict[str, Any]] = []
        if self.system and not (conversation and conversation[0]["role"] == "system"):
            turns.append({"role": "system", "content": self.system, "sources": []})
        for number, message in enumerate(conversation):
            role = roles.get(message["role"], message["role"])
            turns.append({"role": role, "content": message["content"] or "", "sources": [number]})
        if self.folds_system and turns and turns[0]["role"] == "system":
            turns[0]["role"] = "user"
        joined = _joined(turns)
        first = next((i for i, turn in enumerate(joined) if turn["role"] != "system"), len(joined))
        if not self.opens_with_reply and first < len(joined) and joined[first]["role"] in GENERATED:
            del joined[first]
        return joined

    def write(self, folder: Path) -> None:
        """Store the agreement beside an adapter."""
        (folder / FILE).write_text(self.model_dump_json(indent=2) + "\n", "utf-8")


def read_template(folder: Path) -> Template:
    """The agreement of an adapter. Raises StageFailed when it has none that can be read."""
    try:
        return Template.model_validate_json((folder / FILE).read_text("utf-8"))
    except (OSError, ValidationError):
        raise StageFailed(
            "the adapter has no readable template, so nobody knows how it was trained to be spoken to",
            where=str(folder / FILE),
            fix="Train it again, or use the folder that the training wrote.",
        ) from None


def check_same(trained: Template, used: Template, where: str) -> None:
    """Refuse to use an adapter with another agreement than it was trained with. Raises StageFailed."""
    if trained.digest == used.digest:
        return
    names = [
        name.replace("_", " ")
        for name in Template.model_fields
        if getattr(trained, name) != getattr(used, name)
    ]
    raise StageFailed(
        f"the adapter was trained with another template: {', '.join(names)} differ",
        where=where,
        fix="Use the template that is stored beside the adapter; it is taken unless another one is asked for.",
    )


def agree(tokenizer: Any, system: str | None, role_names: Mapping[str, str]) -> Template:
    """The agreement for a base: its own template in the form for training, or one with names in place of roles.

    Raises SettingsError when the tokenizer has no chat template and no names are given, or when its template cannot be
    trained on.
    """
    found = named_template(role_names, tokenizer) if role_names else _training_template(tokenizer)
    folds = not _renders(tokenizer, found, [{"role": "system", "content": "zero"}, *_PROBE])
    return Template(
        chat_template=found,
        end=_end_mark(tokenizer, found),
        system=system,
        folds_system=folds,
        opens_with_reply=_renders(tokenizer, found, _PROBE[1:]),
        tool_roles=_tool_roles(tokenizer, found),
        role_names=dict(role_names),
    )


def _training_template(tokenizer: Any) -> str:
    """The tokenizer's own template, or TRL's variant of it that writes the same for every prefix of a conversation."""
    from trl.chat_template_utils import get_training_chat_template

    if not tokenizer.chat_template:
        raise SettingsError(
            "the base has no chat template: nobody knows how a conversation is written for it",
            where=str(getattr(tokenizer, "name_or_path", "")),
            fix="Take the base's instruct variant, or give role_names: {user: Drew, assistant: Ada}.",
        )
    try:
        patched = get_training_chat_template(processing_class=tokenizer)
    except (
        TEMPLATE_FAULTS
    ):  # no family that TRL knows: fine as long as it keeps prefixes, which rendering checks
        patched = None
    own = tokenizer.chat_template
    template: str | None = patched or (own.get("default") if isinstance(own, dict) else own)
    if template is None:
        raise SettingsError(
            f"the base has several chat templates and none of them is the default: {', '.join(sorted(own))}",
            where=str(getattr(tokenizer, "name_or_path", "")),
            fix="Keep one in the base's folder, or give role_names in the preset.",
        )
    return template


def _end_mark(tokenizer: Any, template: str) -> str:
    """The special token with which a reply ends in this template."""
    try:
        before = tokenizer.apply_chat_template(
            list(_PROBE[:3]), chat_template=template, tokenize=False, add_generation_prompt=True
        )
        whole = tokenizer.apply_chat_template(list(_PROBE), chat_template=template, tokenize=False)
    except TEMPLATE_FAULTS as error:
        raise SettingsError(
            f"the base's chat template cannot write a plain conversation of two turns ({type(error).__name__})",
            where=str(getattr(tokenizer, "name_or_path", "")),
            fix="Take the base's instruct variant, or give role_names in the preset: that template needs none.",
        ) from error
    reply = whole[len(before) :] if whole.startswith(before) else ""
    after = reply.partition("four")[2]
    marks = [token for token in special_texts(tokenizer) if token in after]
    if not marks:
        raise SettingsError(
            "the base's chat template writes no end mark after a reply: a model trained on it never stops",
            where=str(getattr(tokenizer, "name_or_path", "")),
            fix="Use another base, or give role_names in the preset: that template has an end mark.",
        )
    return min(marks, key=after.index)


def special_texts(tokenizer: Any) -> list[str]:
    """Texts that the tokenizer reads as marks and not as words, the longest first."""
    added = [str(token) for token in tokenizer.added_tokens_decoder.values() if token.special]
    return sorted({*added, *tokenizer.all_special_tokens} - {""}, key=lambda text: (-len(text), text))


def _tool_roles(tokenizer: Any, template: str) -> tuple[str, str]:
    used = [
        *_PROBE[:1],
        {"role": "assistant", "content": "call"},
        {"role": "tool", "content": "answer"},
        {"role": "assistant", "content": "two"},
    ]
    return ("assistant", "tool") if _renders(tokenizer, template, used) else ("assistant", "user")


def _renders(tokenizer: Any, template: str, messages: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the template writes these messages, each with its text."""
    try:
        text = tokenizer.apply_chat_template(list(messages), chat_template=template, tokenize=False)
    except TEMPLATE_FAULTS:
        return False
    return all(str(message["content"]) in text for message in messages)


def _joined(turns: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    merged: list[dict[str, Any]] = []
    for turn in turns:
        if merged and merged[-1]["role"] == turn["role"] and turn["role"] not in GENERATED:
            merged[-1]["content"] += "\n\n" + turn["content"]
            merged[-1]["sources"] += turn["sources"]
        else:
            merged.append(dict(turn))
    return merged
