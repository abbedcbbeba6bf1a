"""Settings of the filtering rules: patterns, thresholds, and what happens to a message that trips one."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from schemas.settings.model import Settings

#: What a tripped rule does. flag: noted as evidence only. mask: stays as context, carries no loss.
Action = Literal["flag", "mask", "drop_turn", "drop_conversation"]
Scorer = Literal[
    "none",
    "profanity",
    "detoxify:original",
    "detoxify:unbiased",
    "detoxify:multilingual",
    "detoxify:original-small",
    "detoxify:unbiased-small",
]


class Rule(Settings):
    """One pattern of a rule list, with the name that reports show."""

    name: str = Field(min_length=1)
    pattern: str = Field(min_length=1)


class RoleActions(Settings):
    """What a rule does, by the role of the message."""

    enabled: bool = Field(True, description="Whether the rule is applied at all.")
    assistant: Action = Field(
        "mask",
        description="What happens to an assistant message that trips the rule. mask: it stays as context and is not "
        "learned; flag: only noted; drop_turn: left out; drop_conversation: its whole conversation is left out.",
    )
    user: Action = Field("flag", description="What happens to a user message that trips the rule.")


class PatternRules(RoleActions):
    """A family of patterns: the built-in list, files of one's own, and single patterns."""

    builtin: bool = Field(True, description="Use the list that comes with vatra.")
    patterns: tuple[str | Rule, ...] = Field(
        (), description="Your own patterns, besides (Rust regular expressions; case is ignored)."
    )
    files: tuple[str, ...] = Field(
        (), description="YAML files that list patterns, or pairs of name and pattern."
    )


class ToxicityRules(RoleActions):
    """Toxicity, scored by a model. A message in a language that the scorer does not cover stays unscored."""

    scorer: Scorer = Field(
        "detoxify:original",
        description="detoxify needs vatra fetch toxicity once; profanity is small and English only; "
        "none scores nothing.",
    )
    threshold: float = Field(
        0.8, ge=0, le=1, description="A message scoring this much or more trips the rule (0 to 1)."
    )


class QualityRules(RoleActions):
    """Messages too slight to learn from: empty, one word, very short, only an ellipsis."""

    assistant: Action = Field(
        "drop_turn",
        description="What happens to a slight assistant message (the choices as above).",
    )
    min_chars: int = Field(
        10, ge=0, le=10_000, description="Messages of fewer characters trip the rule (0 to 10000)."
    )
    single_word: bool = Field(True, description="A message of one word trips the rule.")


def _offer_languages(schema: dict[str, Any]) -> None:
    schema["items"] = {"type": "string", "enum": list(LANGUAGES)}


class LanguageList(Settings):
    """Languages (ISO 639-1) between which each message is told apart."""

    languages: tuple[str, ...] = Field(
        ("en", "ro"),
        min_length=1,
        description="The languages of your chats; each message is taken to be in one of these.",
        json_schema_extra=_offer_languages,
    )

    @field_validator("languages")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [code for code in value if code not in LANGUAGES]
        if unknown:
            raise ValueError(f"unknown language {unknown[0]!r}; known: {' '.join(LANGUAGES)}")
        return tuple(dict.fromkeys(value))


#: What py3langid can tell apart.
LANGUAGES: tuple[str, ...] = (
    *("af", "am", "an", "ar", "as", "az", "ba", "be", "bg", "bn", "br", "bs", "ca", "cs", "cy", "da", "de", "dz"),
    *("el", "en", "eo", "es", "et", "eu", "fa", "fi", "fo", "fr", "fy", "ga", "gd", "gl", "gu", "ha", "he", "hi"),
    *("hr", "ht", "hu", "hy", "id", "ig", "is", "it", "ja", "jv", "ka", "kk", "km", "kn", "ko", "ku", "ky", "la"),
    *("lb", "lg", "ln", "lo", "lt", "lv", "mg", "mk", "ml", "mn", "mr", "ms", "mt", "my", "ne", "nl", "nn", "no"),
    *("oc", "om", "or", "pa", "pl", "ps", "pt", "qu", "ro", "ru", "rw", "sa", "se", "si", "sk", "sl", "sn", "so"),
    *("sq", "sr", "st", "sv", "sw", "ta", "te", "tg", "th", "tk", "tl", "tr", "tt", "ug", "uk", "ur", "uz", "vi"),
    *("vo", "wa", "xh", "yo", "zh", "zu"),
)  # fmt: skip
