"""The card that stands beside a corpus's shards: a README.md whose header the Hugging Face hub reads.

It follows from the corpus and the settings alone: no clock, no path, no word of a chat.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

#: Upper bounds of the hub's size categories.
_SIZES = (
    (1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"), (100_000_000, "10M<n<100M"), (1_000_000_000, "100M<n<1B"),
)  # fmt: skip
UNKNOWN = "unknown"


@dataclass(frozen=True)
class CardFacts:
    """What a card tells. `counts` has examples by column and value, like counts["split"]["train"]."""

    counts: Mapping[str, Mapping[str, int]]
    phases: Mapping[int, Sequence[str]]
    licenses: Mapping[str, str]
    fingerprints: Mapping[str, str]
    settings: Mapping[str, Mapping[str, Any]]

    @property
    def rows(self) -> int:
        """Rows of all splits, an example counted once in each of its phases."""
        return sum(self.counts["split"].values())


def write_card(facts: CardFacts) -> str:
    """The whole README.md."""
    header = yaml.safe_dump(_header(facts), sort_keys=False, allow_unicode=True)
    body = "\n\n".join(section for section in _sections(facts) if section)
    return f"---\n{header}---\n\n{body}\n"


def _header(facts: CardFacts) -> dict[str, Any]:
    named = sorted(set(facts.licenses.values()) - {UNKNOWN})
    alone = len(named) == 1 and UNKNOWN not in facts.licenses.values()
    languages = sorted(code for code in facts.counts["language"] if 2 <= len(code) <= 3 and code != "und")
    header: dict[str, Any] = {"pretty_name": "Training corpus of conversations"}
    if languages:
        header["language"] = languages
    header["license"] = named[0] if alone else "other"
    if not alone:
        header["license_name"] = "mixed" if named else UNKNOWN
        header["license_link"] = "README.md#licenses"
    header["task_categories"] = ["text-generation"]
    header["size_categories"] = [next((name for top, name in _SIZES if facts.rows < top), "n>1T")]
    header["tags"] = ["conversational", "chat", "vatra"]
    if facts.rows:
        header["configs"] = _configs(facts)
    return header


def _configs(facts: CardFacts) -> list[dict[str, Any]]:
    """One configuration with all splits; where there are several phases, one more for each."""

    def files(folder: str, splits: Sequence[str]) -> list[dict[str, str]]:
        return [{"split": split, "path": f"{folder}{split}-*.parquet"} for split in splits]

    if len(facts.phases) == 1:
        (splits,) = facts.phases.values()
        return [{"config_name": "default", "data_files": files("", splits)}]
    every = [split for split in facts.counts["split"] if any(split in s for s in facts.phases.values())]
    whole = {"config_name": "default", "data_files": files("phase-*/", every)}
    return [whole] + [
        {"config_name": f"phase-{phase}", "data_files": files(f"phase-{phase}/", splits)}
        for phase, splits in facts.phases.items()
    ]


def _sections(facts: CardFacts) -> list[str]:
    return [
        "# Training corpus of conversations",
        "Conversations for training a language model, cleaned, deduplicated and mixed by vatra. A row is one example: "
        "`messages` are its turns, of which those with `trainable` are to be learned; source, category, language and "
        "phase are columns and never part of the text.",
        _loading(facts),
        *(
            _counts(title, facts.counts[column])
            for title, column in (
                ("Splits", "split"), ("Sources", "source"), ("Categories", "category"),
                ("Languages", "language"), ("Phases", "phase"),
            )
        ),
        _licenses(facts),
        *(_values(title, values) for title, values in facts.settings.items()),
        _values("Lineage", facts.fingerprints),
        "A stage with the same fingerprint has the same inputs, settings and code, and so the same rows.",
        "## Limits",
        "Rules and a classifier decided what stands here; both err. Conversations are as their writers left them, with "
        "their opinions and mistakes. Personal details may have remained in the text: read before you hand it on. "
        "Whoever wrote or published a source holds the rights to it; the table of licenses repeats what was declared.",
    ]  # fmt: skip


def _loading(facts: CardFacts) -> str:
    more = '\nEach phase of the curriculum is a configuration of its own, like `name="phase-1"`; '
    more += "an example may stand in several."
    more = more if len(facts.phases) > 1 else ""
    return f'```python\nfrom datasets import load_dataset\n\nload_dataset("path/of/this/folder")\n```{more}'


def _counts(title: str, counts: Mapping[str, int]) -> str:
    total = sum(counts.values())
    if not total:
        return ""
    lines = [
        f"| {_cell(name)} | {count:,} | {count / total:.1%} |" for name, count in counts.items() if count
    ]
    return "\n".join([f"## {title}", "", "| | examples | share |", "|---|---:|---:|", *lines])


def _licenses(facts: CardFacts) -> str:
    lines = [f"| {_cell(source)} | {_cell(terms)} |" for source, terms in facts.licenses.items()]
    return "\n".join(["## Licenses", "", "| source | license |", "|---|---|", *lines])


def _values(title: str, values: Mapping[str, Any]) -> str:
    lines = [f"| `{_cell(name)}` | `{_cell(value)}` |" for name, value in values.items()]
    return "\n".join([f"## {title}", "", "| | |", "|---|---|", *lines]) if lines else ""


def _cell(value: Any) -> str:
    """A value as the text of one table cell."""
    return " ".join(str(value).split()).replace("|", "\\|").replace("`", "'") or "none"
