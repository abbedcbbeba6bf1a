"""What the classifier sees of an example: counted words and phrases, and its shape. Whole columns at a time.

Two kinds: the groups of the hand-written lexicon (lexicon.yaml), and the shape of the text. Words of the training
sets are no features: they name the set and not the category. What the user says and what is answered are counted
apart, from the first messages of each and cut, so that a long chat costs no more than a short one. Case and Romanian
diacritics are folded.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import yaml

SIDES = ("user", "assistant")
#: Messages of each side that are looked at, and characters of each of them.
FIRST, CUT = 2, {"user": 500, "assistant": 700, "system": 300}
_FOLD = {"ă": "a", "â": "a", "î": "i", "ș": "s", "ş": "s", "ț": "t", "ţ": "t", "’": "'", "“": '"', "”": '"'}

#: Patterns counted as they stand (case kept, no word boundaries), on both sides.
SHAPES: dict[str, str] = {
    "code fence": r"```",
    "code line": r"(?m)^\s*(?:def |class |import |from \w+ import|return\b|function |const |let |var |public |#include|"
    r"SELECT |<\w+>)",
    "code sign": r"[{};=<>_\[\]]",
    "call": r"\w\(",
    "json": r"""\{\s*["']""",
    "latex": r"\\\w+\{|\$[^$\n]+\$|\^\d",
    "sum": r"\d\s*[-+*/×=]\s*\d",
    "digit": r"\d",
    "money": r"[$€£%]\s?\d|\d\s?[$€£%]",
    "numbered line": r"(?m)^\s*\d+[.)]\s",
    "bullet": r"(?m)^\s*[-*•]\s",
    "option": r"(?m)^\s*\(?[A-Ea-e][).]",
    "question mark": r"\?",
    "exclamation": r"!",
    "quotation": '["“”]',
    "speaker line": r"(?m)^[A-Z][A-Za-z ]{2,20}:",
    "line": r"\n",
    "capitalised": r" [A-Z][a-z]+",
    "ellipsis": r"\.\.\.|…",
    "emoji": r"[\x{1F300}-\x{1FAFF}]|[:;]-?[()D]",
}
#: The same on folded text, with word boundaries.
WORDS: dict[str, str] = {
    "first person": r"i|me|my|i'm|i've|eu|mie|mea|meu|mi|ma",
    "second person": r"you|your|you're|tu|tie|ta|tau|te|iti",
    "third person": r"he|she|his|her|they|their|el|ea|lui|ei",
    "past": r"was|were|had|did|said|went|\w+ed",
}
_OPENINGS = {
    "opens with a question word": r"^\W*(?:who|what|when|where|which|why|how|cine|ce|cand|unde|care|cat|cum|de ce)\b",
    "opens with a verb": r"^\W*(?:write|give|make|create|generate|explain|describe|list|find|identify|rewrite|edit|"
    r"name|provide|suggest|compare|design|construct|summarize|classify|convert|tell|show|calculate|solve|scrie|da-mi|fa|"
    r"explica|spune|rezolva|calculeaza|traduce)\b",
    "opens with a refusal": r"^\W*(?:i'm sorry|sorry|i can't|i cannot|i won't|no,|imi pare rau)",
}
_SIZES = (12, 40, 100, 250, 600)


def texts_of(messages: pa.ListArray) -> pl.DataFrame:
    """Per example what each side says at first: columns user, assistant, system (texts) and turns (count)."""
    flat = pc.list_flatten(messages)
    lines = pl.DataFrame(
        {
            "row": np.asarray(pc.list_parent_indices(messages)),
            "role": pl.Series(pc.struct_field(flat, "role")),
            "text": pl.Series(pc.struct_field(flat, "content")),
        }
    )
    rows = pl.DataFrame({"row": np.arange(len(messages))})
    for role, cut in CUT.items():
        mine = lines.filter(pl.col("role") == role).with_columns(pl.col("text").str.slice(0, cut))
        first = mine.filter(pl.int_range(pl.len()).over("row") < FIRST)
        said = first.group_by("row", maintain_order=True).agg(pl.col("text").str.join("\n").alias(role))
        rows = rows.join(said, on="row", how="left", maintain_order="left")
    turns = lines.group_by("row", maintain_order=True).len("turns")
    return rows.join(turns, on="row", how="left", maintain_order="left").with_columns(
        pl.col(*CUT).fill_null(""), pl.col("turns").fill_null(0)
    )


#: Of the chat as a whole, besides what is counted on each side.
_OF_CHAT = (
    "three turns or more",
    "six turns or more",
    "system names functions",
    "short question, short answer",
)


def feature_names() -> list[str]:
    """The names of the columns of `features_of`."""
    names = [f"{side}: {name}" for side in SIDES for name in _per_side()]
    return [*names, *_OF_CHAT]


def _per_side() -> list[str]:
    lexicon = [name for group in _lexicon() for name in (group, f"{group} share")]
    return [*lexicon, *SHAPES, *WORDS, *_OPENINGS, *(f"over {size} characters" for size in _SIZES), "absent"]


@cache
def _lexicon() -> dict[str, str]:
    text = (resources.files("models.labels") / "lexicon.yaml").read_text("utf-8")
    groups = {
        name: [word.strip() for word in words.split(";")] for name, words in yaml.safe_load(text).items()
    }
    return {name: rf"(?-u)\b(?:{'|'.join(words)})\b" for name, words in groups.items()}


def features_of(messages: pa.ListArray) -> np.ndarray:
    """Features in [0, 1], float32: one row per example, one column per name of `feature_names`."""
    texts = texts_of(messages)
    columns = [column for side in SIDES for column in _side(texts[side])]
    turns = texts["turns"].to_numpy()
    columns += [turns >= 3, turns >= 6]
    columns.append(texts["system"].str.contains(r'"parameters"|"function|tools?\b|API').to_numpy())
    asked, said = (texts[side].str.len_chars().to_numpy() for side in SIDES)
    opened = fold(texts["user"]).str.contains(rf"\?\s*$|{_OPENINGS['opens with a question word']}").to_numpy()
    verdict = (
        fold(texts["assistant"]).str.contains(r"^\W*(?:yes|no|true|false|valid|invalid|da|nu)\W*$").to_numpy()
    )
    columns.append(opened & ~verdict & (asked < 300) & (said > 0) & (said < 60))
    return np.stack([np.asarray(column, np.float32) for column in columns], axis=1)


def _side(raw: pl.Series) -> list[np.ndarray]:
    folded = fold(raw)
    size = np.maximum(raw.str.len_chars().to_numpy(), 1)
    words = size / 6 + 3
    columns = []
    for pattern in _lexicon().values():
        count = folded.str.count_matches(pattern).to_numpy()
        columns += [count > 0, _share(count / words)]
    columns += [_share(raw.str.count_matches(p).to_numpy() / words) for p in SHAPES.values()]
    for pattern in WORDS.values():
        columns.append(_share(folded.str.count_matches(rf"(?-u)\b(?:{pattern})\b").to_numpy() / words))
    columns += [folded.str.contains(pattern).to_numpy() for pattern in _OPENINGS.values()]
    columns += [size > limit for limit in _SIZES]
    return [*columns, (raw.str.len_chars() == 0).to_numpy()]


def _share(share: np.ndarray) -> np.ndarray:
    return np.asarray(np.sqrt(np.minimum(share, 1.0)), np.float32)


def fold(texts: pl.Series) -> pl.Series:
    """Lower case, Romanian diacritics and typographic quotes made plain."""
    folded: pl.Series = texts.str.to_lowercase().str.replace_many(list(_FOLD), list(_FOLD.values()))
    return folded
