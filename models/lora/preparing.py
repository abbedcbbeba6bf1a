"""From the corpus to windows of token ids and labels, phase by phase, with everything that is left out counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from models.lora.rendering import IGNORED, Unwritable
from models.lora.template import Template
from models.lora.windows import Cut, Window, cut_windows
from schemas.errors import StageFailed, UsageError
from schemas.settings import LoraPreset

#: A smaller share of trained tokens than this is taken for a fault in the masks, and stops the run.
LEAST_TRAINED_SHARE = 0.005


@dataclass
class Counts:
    """What became of the rows of one phase. rows = examples + the sum of set_aside.

    `examples` gave at least one window; `replies` are trained, `replies_too_long` fit into no window by themselves,
    `replies_left_out` cannot be written by the template; `defused` are marks in people's texts, made harmless.
    """

    rows: int = 0
    examples: int = 0
    windows: int = 0
    replies: int = 0
    replies_too_long: int = 0
    replies_left_out: int = 0
    tokens: int = 0
    trained_tokens: int = 0
    longest: int = 0
    defused: int = 0
    set_aside: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Split:
    """Windows of a split: a `datasets.Dataset` with example_id, phase, input_ids, labels; None when there is none."""

    windows: Any | None
    counts: Mapping[int, Counts]

    def phase(self, number: int) -> Any | None:
        """The windows of one phase, in corpus order."""
        if self.windows is None:
            return None
        phases = self.windows.with_format("numpy", columns=["phase"])["phase"][:]
        rows = (phases == number).nonzero()[0]
        return self.windows.select(rows.tolist()) if len(rows) else None

    def total(self) -> Counts:
        """All phases together."""
        whole = Counts()
        for counts in self.counts.values():
            for name, value in vars(counts).items():
                if name == "longest":
                    whole.longest = max(whole.longest, value)
                else:
                    setattr(whole, name, getattr(whole, name) + value)
        return whole


def prepare_split(dataset: Any | None, preset: LoraPreset, template: Template, tokenizer: Any) -> Split:
    """Cut every row into windows. Without phases in the preset everything is phase 1, and each example comes once."""
    from datasets import Features, List, Value

    phases = range(1, max(1, len(preset.phases)) + 1)
    counts = {number: Counts() for number in phases}
    if dataset is None:
        return Split(None, counts)
    cutter = _Cutter(preset, template, tokenizer, counts)
    numbers = {"input_ids": List(Value("int32")), "labels": List(Value("int32"))}
    windows = dataset.map(
        cutter.cut_rows,
        batched=True,
        batch_size=64,
        remove_columns=dataset.column_names,
        features=Features({"example_id": Value("string"), "phase": Value("int32"), **numbers}),
        load_from_cache_file=False,
        new_fingerprint="windows",  # else `datasets` would pickle the tokenizer to name its cache file
    )
    return Split(windows if len(windows) else None, counts)


class _Cutter:
    """Cuts batches of corpus rows and keeps the counts."""

    def __init__(
        self, preset: LoraPreset, template: Template, tokenizer: Any, counts: Mapping[int, Counts]
    ) -> None:
        self._preset, self._template, self._tokenizer, self._counts = preset, template, tokenizer, counts
        self._end = tokenizer.convert_tokens_to_ids(template.end)
        self._first: dict[str, int] = {}

    def cut_rows(self, rows: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
        columns: dict[str, list[Any]] = {"example_id": [], "phase": [], "input_ids": [], "labels": []}
        keys = zip(rows["example_id"], rows["phase"], rows["messages"], strict=True)
        for example, phase, messages in keys:
            number = self._phase(phase)
            for window in self._cut((example, phase), messages, self._counts[number]):
                columns["example_id"].append(example)
                columns["phase"].append(number)
                columns["input_ids"].append(window.tokens.input_ids)
                columns["labels"].append(window.tokens.labels)
        return columns

    def _phase(self, given: int) -> int:
        if not self._preset.phases:
            return 1
        if given not in self._counts:
            raise UsageError(
                f"the corpus has a phase {given}, the preset only {len(self._preset.phases)}",
                fix="Mix the corpus in the preset's phases, or give the preset as many phases as the corpus has.",
            )
        return given

    def _cut(
        self, place: tuple[str, int], messages: Sequence[Mapping[str, Any]], counts: Counts
    ) -> list[Window]:
        example, phase = place
        counts.rows += 1
        # The same example may stand in several phases of the corpus; repeated within one, it is meant to be read again.
        if not self._preset.phases and self._first.setdefault(example, phase) != phase:
            counts.set_aside["in_another_phase_too"] += 1
            return []
        if not any(message["trainable"] for message in messages):
            counts.set_aside["nothing_to_train"] += 1
            return []
        done = self._windows(messages)
        if done is None:
            counts.set_aside["refused_by_template"] += 1
            counts.replies_left_out += sum(bool(message["trainable"]) for message in messages)
            return []
        counts.replies_too_long += len(done.too_long)
        counts.replies_left_out += len(done.left_out)
        counts.defused += done.defused
        if not done.windows:
            counts.set_aside["too_long" if done.too_long else "refused_by_template"] += 1
            return []
        counts.examples += 1
        for window in done.windows:
            self._count(window, counts)
        return done.windows

    def _windows(self, messages: Sequence[Mapping[str, Any]]) -> Cut | None:
        preset = self._preset
        try:
            return cut_windows(messages, self._template, self._tokenizer, preset.max_length, preset.context)
        except Unwritable:
            return None

    def _count(self, window: Window, counts: Counts) -> None:
        ids, labels = window.tokens.input_ids, window.tokens.labels
        check_ends(labels, self._end)
        counts.windows += 1
        counts.replies += len(window.replies)
        counts.tokens += len(ids)
        counts.trained_tokens += len(labels) - labels.count(IGNORED)
        counts.longest = max(counts.longest, len(ids))


def check_ends(labels: Sequence[int], end: int) -> None:
    """Every stretch with loss ends with the end mark. Raises StageFailed: such a model would never learn to stop."""
    following = [*labels[1:], IGNORED]
    for label, after in zip(labels, following, strict=True):
        if label != IGNORED and after == IGNORED and label != end:
            raise StageFailed(
                "a reply lost its end mark when it was cut into tokens",
                fix="This is a fault in vatra, or a tokenizer that it does not know; please report it.",
            )


def check_share(counts: Counts, preset: LoraPreset) -> None:
    """There is loss, and not next to none. Raises StageFailed with the reasons counted."""
    reasons = ", ".join(f"{number} {reason}" for reason, number in sorted(counts.set_aside.items()))
    if not counts.trained_tokens:
        raise StageFailed(
            f"nothing to train on: no example has a trainable reply within {preset.max_length} tokens ({reasons})",
            fix="Raise max_length in the model preset, or look at what the filter masked.",
        )
    share = counts.trained_tokens / counts.tokens
    if share < LEAST_TRAINED_SHARE:
        raise StageFailed(
            f"only {share:.2%} of the tokens carry loss: {counts.trained_tokens} of {counts.tokens}",
            fix="Look at what the filter masked, or lower context in the model preset.",
        )


def check_phases(split: Split, preset: LoraPreset) -> None:
    """A preset with a curriculum needs a corpus with one. Raises UsageError."""
    filled = [number for number, counts in split.counts.items() if counts.rows]
    if len(preset.phases) > 1 and filled == [1]:
        raise UsageError(
            f"the preset has {len(preset.phases)} phases, the corpus only one",
            fix="Mix the corpus in phases, or set `phases: []` in the preset to train in one.",
        )
