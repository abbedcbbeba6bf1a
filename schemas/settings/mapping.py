"""How records become conversations, declared: where texts stand, what is joined, cut, exploded, left out."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from schemas.patterns import groups_of, named_groups, replacement_of
from schemas.settings.model import Settings

Role = Literal["system", "user", "assistant", "tool_call", "tool"]
_ONE_OF = ("path", "constant", "join", "elements", "template", "first_of")


def _checked_pattern(value: str | None) -> str | None:
    if isinstance(value, str):
        groups_of(value)
    return value


Pattern = Annotated[str, BeforeValidator(_checked_pattern)]


def _one_of(model: Settings, names: tuple[str, ...]) -> None:
    given = [name for name in names if getattr(model, name) not in (None, ())]
    if len(given) != 1:
        raise ValueError(
            f"give exactly one of {', '.join(names)}" + (f", not {' and '.join(given)}" if given else "")
        )


class Value(Settings):
    """A text made from a record. A plain string in its place is a path."""

    path: str | None = Field(
        None, description='A column, or a place in it: question, answers[0].text, "a b"[-1].'
    )
    constant: str | None = Field(None, description="The same text for every record.")
    join: tuple[ValueOrPath, ...] | None = Field(
        None,
        description="Several texts with the separator between them; those that say nothing are left out.",
    )
    elements: str | None = Field(
        None, description="A list whose elements are joined; `join: options` with one path is the same."
    )
    template: str | None = Field(
        None, description="Text with {paths} in braces; {{ and }} are braces. Every path must say something."
    )
    first_of: tuple[ValueOrPath, ...] | None = Field(
        None, description="The first of these that says something."
    )
    separator: str = Field("\n\n", description="What join puts between the texts.")
    space_after: str | None = Field(
        None,
        description="elements: a list of true/false that says behind which element a space stands (tokens).",
    )
    values: dict[str, str] = Field({}, description='Another text for a value, like {"0": "No", "1": "Yes"}.')
    replace: dict[Pattern, str] = Field({}, description="Regular expressions and what stands in their place.")
    html: bool = Field(False, description="The text is HTML: tags are taken off, entities read.")
    json_text: bool = Field(False, description="Lists and objects become JSON text instead of being refused.")
    default: str | None = Field(None, description="The text where there is none.")

    @model_validator(mode="before")
    @classmethod
    def _one_list(cls, given: Any) -> Any:
        if isinstance(given, dict) and isinstance(given.get("join"), str):
            return {
                **{name: value for name, value in given.items() if name != "join"},
                "elements": given["join"],
            }
        return given

    @field_validator("replace")
    @classmethod
    def _replaceable(cls, value: dict[str, str]) -> dict[str, str]:
        for pattern, text in value.items():
            replacement_of(pattern, text)
        return value

    @model_validator(mode="after")
    def _one(self) -> Value:
        _one_of(self, _ONE_OF)
        return self


ValueOrPath = Annotated[
    Value, BeforeValidator(lambda given: {"path": given} if isinstance(given, str) else given)
]
Value.model_rebuild()


class TextSplit(Settings):
    """Cuts one text: by marks that name what follows, by a regular expression with named groups, or by a separator."""

    text: ValueOrPath = Field(description="The text to cut: a path or a value.")
    markers: dict[str, str] | None = Field(
        None, description='Marks and the name (or role) of what follows each, like {"Human:": "user"}.'
    )
    pattern: Pattern | None = Field(None, description="A regular expression with named groups (?P<name>...).")
    separator: str | None = Field(None, description="A text between the pieces.")
    names: tuple[str, ...] = Field((), description="separator: the names (or roles) of the pieces, in order.")

    @model_validator(mode="after")
    def _one(self) -> TextSplit:
        _one_of(self, ("markers", "pattern", "separator"))
        if self.separator == "" or (self.markers is not None and "" in self.markers):
            raise ValueError("an empty mark cuts nothing")
        if self.separator is not None and not self.names:
            raise ValueError("a separator needs names: the names (or roles) of its pieces, in order")
        if self.pattern is not None and not named_groups(self.pattern):
            raise ValueError("the pattern has no named group: (?P<name>...)")
        return self


class Each(Settings):
    """One turn for each element of a list."""

    path: str = Field(description="The list of turns.")
    role: str | None = Field(
        None, description="Where an element says who speaks. None: role, from or speaker."
    )
    text: ValueOrPath | None = Field(
        None, description="Where an element says what. None: content, value, text or utterance."
    )
    alternate: tuple[Role, ...] = Field(
        (), description="The speakers by turns, where elements do not name them."
    )


class Tree(Settings):
    """A tree of messages, each with its replies."""

    path: str = Field("", description="Where the first message stands; empty: the record itself.")
    replies: str = Field("replies", description="The list of replies of a message.")
    role: str = Field("role", description="Where a message says who speaks.")
    text: ValueOrPath = Field(Value(path="text"), description="Where a message says what.")
    rank: str | None = Field(None, description="Where a reply says its rank: the lowest is the best.")
    branches: Literal["best", "all"] = Field(
        "best",
        description="best: the branch of the best (else first) replies; all: one conversation for each end.",
    )


EachOrPath = Annotated[
    Each, BeforeValidator(lambda given: {"path": given} if isinstance(given, str) else given)
]


class Turn(Settings):
    """One turn by its role, or several: of a list, of a text that is cut, or of a tree."""

    system: ValueOrPath | None = Field(None, description="What the system prompt says.")
    user: ValueOrPath | None = Field(None, description="What the user says.")
    assistant: ValueOrPath | None = Field(None, description="What the assistant says.")
    tool_call: ValueOrPath | None = Field(None, description="A call of a tool.")
    tool: ValueOrPath | None = Field(None, description="What a tool answers.")
    each: EachOrPath | None = Field(None, description="One turn for each element of a list.")
    text_split: TextSplit | None = Field(None, description="Turns cut from one text.")
    tree: Tree | None = Field(None, description="One branch of a tree of messages, or all.")
    optional: bool = Field(False, description="The record counts without this turn, too.")

    @model_validator(mode="after")
    def _one(self) -> Turn:
        _one_of(self, ("system", "user", "assistant", "tool_call", "tool", "each", "text_split", "tree"))
        return self


def _listed(given: Any) -> Any:
    return given if isinstance(given, (list, tuple)) else [given]


Paths = Annotated[tuple[str, ...], BeforeValidator(_listed)]


class Records(Settings):
    """What conversations and narratives are made from."""

    explode: Paths = Field(
        (),
        description="Lists (or objects keyed by id) whose every element makes a record of its own, in order.",
    )
    group: str | None = Field(
        None,
        description="A column: records that follow one another with the same value are one, their list is `rows`.",
    )
    text_split: Annotated[tuple[TextSplit, ...], BeforeValidator(_listed)] = Field(
        (), description="Cuts a text into columns of their own."
    )
    fields: dict[str, ValueOrPath] = Field({}, description="Columns made from others, for use below.")
    id: ValueOrPath | None = Field(
        None, description="What tells records apart: a repeated one is a duplicate."
    )
    rating: ValueOrPath | None = Field(
        None, description="How good a record is (a number), for choosing among twins."
    )
    title: ValueOrPath | None = Field(None, description="A title for people; it is never trained on.")
    created_at: ValueOrPath | None = Field(
        None,
        description="When it was said: ISO 8601, or seconds or milliseconds since 1970. mix.holdout_after goes by it.",
    )
    author: ValueOrPath | None = Field(
        None,
        description="Who speaks in the assistant's turns; stands in the column `author`, never in a text.",
    )
    intensity: ValueOrPath | None = Field(
        None,
        description="How much of the author is in these turns, 0 to 1; stands in the column `intensity`.",
    )


class Mapping(Records):
    """Records to conversations."""

    turns: tuple[Turn, ...] = Field(min_length=1, description="The turns of a conversation, in order.")
    aside: dict[str, ValueOrPath] = Field(
        {},
        description='Texts that are not taken, by the reason to count them under: {"rejected_reply": "rejected"}.',
    )

    @model_validator(mode="after")
    def _answered(self) -> Mapping:
        if not any(t.assistant or t.each or t.text_split or t.tree for t in self.turns):
            raise ValueError("no turn is the assistant's: a set without answers teaches nothing")
        return self


class Narrative(Records):
    """Stories and journals: each is one example."""

    text: ValueOrPath = Field(Value(path="text"), description="The story: a path or a value.")
    prompts: tuple[str, ...] = Field(
        (), description="What a user may have asked for; each story draws one by its seed and its text."
    )
    form: Literal["reply", "text"] | None = Field(
        None,
        description="reply: the story answers a prompt. text: it stands alone. None: reply if there are prompts.",
    )

    @field_validator("prompts")
    @classmethod
    def _said(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(not prompt.strip() for prompt in value):
            raise ValueError("a prompt is empty")
        return value

    @model_validator(mode="after")
    def _possible(self) -> Narrative:
        if self.form == "reply" and not self.prompts:
            raise ValueError("form: reply needs prompts, or say form: text")
        return self

    @property
    def stands_alone(self) -> bool:
        """Whether the story has no user turn before it."""
        return self.form == "text" or not self.prompts
