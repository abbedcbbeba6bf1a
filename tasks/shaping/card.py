"""The card that stands beside a corpus's shards: a README.md whose header the Hugging Face hub reads.

It follows from the corpus and the settings alone: no clock, no path, no word of a chat.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
class PhaseFacts:
    """What a phase of the curriculum reads: the splits that it has, distinct examples, and rows with their repeats."""

    splits: Sequence[str]
    examples: int
    rows: int


@dataclass(frozen=True)
class CardFacts:
    """What a card tells. `counts` has distinct examples by column and value, like counts["split"]["train"].

    `as_read`: `data/` holds the rows of one phase as training reads them, and not each example once.
    """

    counts: Mapping[str, Mapping[str, int]]
    phases: Mapping[int, PhaseFacts]
    as_read: bool
    licenses: Mapping[str, str]
    fingerprints: Mapping[str, str]
    settings: Mapping[str, Mapping[str, Any]]

    @property
    def examples(self) -> int:
        """Distinct examples of all splits."""
        return sum(self.counts["split"].values())

    @property
    def rows(self) -> int:
        """Rows of all phases, an example counted as often as it is read."""
        return sum(phase.rows for phase in self.phases.values())

    @property
    def folders(self) -> tuple[int, ...]:
        """The phases that have a folder of their own: none where `data/` says all there is to say."""
        repeats = self.rows > self.examples and not self.as_read
        return tuple(self.phases) if len(self.phases) > 1 or repeats else ()


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
    header["size_categories"] = [next((name for top, name in _SIZES if facts.examples < top), "n>1T")]
    header["tags"] = ["conversational", "chat", "vatra"]
    if facts.examples:
        header["configs"] = _configs(facts)
    return header


def _configs(facts: CardFacts) -> list[dict[str, Any]]:
    """The default, which is `data/`; and one for each phase that has a folder."""

    def config(name: str, folder: str, splits: Iterable[str]) -> dict[str, Any]:
        files = [{"split": split, "path": f"{folder}/{split}-*.parquet"} for split in splits]
        return {"config_name": name, "data_files": files}

    every = (split for split, count in facts.counts["split"].items() if count)
    return [config("default", "data", every)] + [
        config(f"phase-{phase}", f"phase-{phase}", facts.phases[phase].splits) for phase in facts.folders
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
                ("Languages", "language"),
            )
        ),
        _phases(facts),
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
    told = "`data/` holds each example once."
    if facts.folders:
        told += (
            " Each phase of the curriculum is a configuration of its own, like `phase-1`, with its files in the folder "
            "of that name: an example may stand in several, or several times in one."
        )
    elif facts.as_read and facts.rows > facts.examples:
        told = "`data/` holds one phase as training reads it: an example may stand in it several times."
    code = """```python
from datasets import load_dataset

load_dataset("path/of/this/folder")
```

```python
import pandas

pandas.read_parquet("path/of/this/folder/data")
```"""
    return f"{code}\n\n{told}"


def _phases(facts: CardFacts) -> str:
    """Where rows are not examples: how many of both each phase has."""
    if facts.rows == facts.examples and not facts.folders:
        return ""
    lines = [f"| {number} | {phase.examples:,} | {phase.rows:,} |" for number, phase in facts.phases.items()]
    head = ["## Phases", "", "Rows count an example as often as the phase reads it.", ""]
    return "\n".join([*head, "| phase | examples | rows |", "|---|---:|---:|", *lines])


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
