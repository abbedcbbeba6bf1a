"""From trainings to an answer: arms over their seeds, differences with intervals, and the sentence that follows."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from models.tribal.arms import ARMS, GPT2, NOVA
from models.tribal.evaluation.evaluating import chosen_windows, split_of
from models.tribal.evaluation.language import difference_in_bits, seeded_bits_per_byte
from models.tribal.evaluation.reading import spoken_by
from models.tribal.job import notes_on
from models.tribal.labels import NOBODY
from models.tribal.preparing import Prepared, Split
from models.tribal.schedule import plan_phases
from schemas.nova_evaluation import ArmRun, ArmSummary, Difference, Figure, NovaComparison, Speaker

#: Against these NOVA must be better, or its alpha is not what makes it so.
RIVALS = (GPT2, "uniform", "shuffled")
#: Bits per byte below which a difference is not worth naming, however sure it is.
TRIFLE = 0.001
OTHERS = {
    GPT2: "a GPT-2 of the same shape",
    "uniform": "uniform alpha",
    "shuffled": "shuffled labels",
    "unlabelled": "no labels",
    "concat": "concat mixing",
    "residual": "residual mixing",
}


def summed_up(
    named: tuple[str, str], prepared: Prepared, split: str, budget: int, runs: Sequence[ArmRun]
) -> NovaComparison:
    """A comparison from its trainings, which read the same conversations."""
    arms = [name for name in ARMS if any(run.arm == name for run in runs)]
    by_arm = {name: [run for run in runs if run.arm == name] for name in arms}
    differences = [_difference(by_arm[NOVA], by_arm[name]) for name in arms if name != NOVA]
    scores = runs[0].scores
    return NovaComparison(
        preset=named[0],
        corpus=named[1],
        split=split,
        members=prepared.members,
        conversations=len(scores),
        tokens=sum(score.tokens for score in scores),
        bytes=sum(score.bytes for score in scores),
        speakers=speakers_of(prepared, split_of(prepared, split)),
        budget=budget,
        runs=tuple(runs),
        arms=tuple(_summary(by_arm[name]) for name in arms),
        differences=tuple(differences),
        verdict=tell_verdict(differences),
        notes=(*notes_on(prepared, plan_phases(prepared)), *_notes(by_arm, split)),
    )


def _summary(runs: Sequence[ArmRun]) -> ArmSummary:
    bits = seeded_bits_per_byte([run.scores for run in runs])
    tokens, size = (sum(getattr(score, name) for score in runs[0].scores) for name in ("tokens", "bytes"))
    return ArmSummary(
        arm=runs[0].arm,
        seeds=tuple(run.seed for run in runs),
        parameters=runs[0].parameters,
        steps=tuple(run.steps for run in runs),
        bits_per_byte=bits,
        perplexity=Figure(
            **{
                name: None
                if (value := getattr(bits, name)) is None
                else math.exp(value * math.log(2) * size / tokens)
                for name in ("value", "low", "high")
            },
            reason=bits.reason,
        ),
    )


def _difference(nova: Sequence[ArmRun], other: Sequence[ArmRun]) -> Difference:
    """NOVA less the other arm, over the seeds that both have."""
    seeds = sorted({run.seed for run in nova} & {run.seed for run in other})
    ours, theirs = ({run.seed: run.scores for run in runs} for runs in (nova, other))
    figure = difference_in_bits([ours[seed] for seed in seeds], [theirs[seed] for seed in seeds])
    name = other[0].arm
    return Difference(
        arm=NOVA,
        other=name,
        bits_per_byte=figure,
        side=side_of(figure),
        verdict=tell_difference(figure, name),
    )


def side_of(figure: Figure) -> int:
    """-1 where NOVA is better, 1 where it is worse: the interval leaves out zero, the value is no trifle. Else 0."""
    if figure.value is None or figure.low is None or figure.high is None or abs(figure.value) < TRIFLE:
        return 0
    return -1 if figure.high < 0 else 1 if figure.low > 0 else 0


def tell_difference(figure: Figure, other: str) -> str:
    """What an interval allows to say: better or worse where it does not hold zero, else that nothing can be seen."""
    rival, value = OTHERS[other], figure.value
    if value is None:
        return f"Against {rival}: nothing to measure it on."
    if figure.low is None or figure.high is None:
        return f"Against {rival}: {value:+.4f} bits per byte, {figure.reason}."
    side, ends = side_of(figure), sorted((abs(figure.low), abs(figure.high)))
    if side:
        word = "Better" if side < 0 else "Worse"
        return f"{word} than {rival} by {abs(value):.4f} bits per byte (95% interval {ends[0]:.4f} to {ends[1]:.4f})."
    shown = f"{value:+.4f} bits per byte (95% interval {figure.low:+.4f} to {figure.high:+.4f})"
    if abs(value) < TRIFLE:
        return f"No difference from {rival} worth naming: {shown}, less than {TRIFLE:g}."
    return f"No difference from {rival} that these data can show: {shown}."


def tell_verdict(differences: Sequence[Difference]) -> str:
    """Whether alpha earns its place: only if NOVA is better than all RIVALS, and every interval says so.

    It does not if an interval says that NOVA is no better than one of them; wide intervals show neither.
    """
    found = {one.other: one.bits_per_byte for one in differences if one.other in RIVALS}
    missing = [name for name in RIVALS if name not in found]
    if missing:
        names = _listed([OTHERS[name] for name in missing])
        return f"Whether alpha earns its place was not asked in full: no training with {names}."
    better, worse, unseen = _sorted_out(found)
    if not worse and not unseen:
        return f"Alpha earns its place here: NOVA foretells text better than {_listed(better)}."
    said = [
        f"{word} {_listed(names)}"
        for word, names in (("better than", better), ("worse than", worse), ("not to be told from", unseen))
        if names
    ]
    if any(figure.low is not None and figure.low > -TRIFLE for figure in found.values()):
        return f"Alpha does not earn its place in foretelling text here: NOVA is {_listed(said)}."
    return f"These data do not show that alpha earns its place in foretelling text: NOVA is {_listed(said)}."


def _sorted_out(found: dict[str, Figure]) -> tuple[list[str], list[str], list[str]]:
    """Rivals that NOVA beats, that beat it, and those that it cannot be told from."""
    better, worse, unseen = (
        [OTHERS[name] for name, figure in found.items() if side_of(figure) == side] for side in (-1, 1, 0)
    )
    return better, worse, unseen


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _notes(by_arm: dict[str, list[ArmRun]], split: str) -> list[str]:
    """What the intervals do not say."""
    seeds = min(len(runs) for runs in by_arm.values())
    notes = []
    if split != "test":
        notes.append("There is no test split: measured on validation, which also says when a training ends.")
    if left := next(iter(by_arm.values()))[0].evaluation.windows_left_out:
        notes.append(
            f"The split is large: {left:,} windows of conversations that chance left out are not measured."
        )
    if seeds == 1:
        notes.append("One seed: the intervals say nothing of the luck of a training.")
    elif seeds < 5:
        notes.append(f"{seeds} seeds: intervals that resample so few of them are somewhat too narrow.")
    if len({run.steps for runs in by_arm.values() for run in runs}) > 1:
        notes.append("Trainings ended early by the same rule, each at its own step.")
    return notes


def speakers_of(prepared: Prepared, split: Split) -> tuple[Speaker, ...]:
    """How much each member says of what is measured of a split: conversations, tokens, bytes."""
    documents = split.documents
    owner = np.repeat(np.arange(len(documents.starts) - 1), np.diff(documents.starts))
    measured = np.isin(owner, split.windows[chosen_windows(split), 0])
    member = np.where(measured, spoken_by(documents)[documents.turn], NOBODY)
    sizes = prepared.bytes_of[documents.ids]
    return tuple(
        Speaker(
            name=name,
            conversations=len(np.unique(owner[member == number])),
            tokens=int((member == number).sum()),
            bytes=int(sizes[member == number].sum()),
        )
        for number, name in enumerate(prepared.members)
    )
