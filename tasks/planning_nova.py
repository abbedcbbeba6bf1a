"""The plan of a NOVA's training, told before anything is trained; and what a preset takes, before there is a corpus."""

from __future__ import annotations

from collections.abc import Iterator

from models.training.schedule import wanted_batch
from models.tribal import TribalPlan, plan_tribal
from models.tribal.memory import estimate_memory
from models.tribal.sizes import parameters_of
from schemas.settings import TribalPreset
from storage.home import Home
from tasks.nova_page import needs_told
from tasks.plans import need_lines, plan_over
from tasks.training_log import tell_bytes

#: Strangers who are named in a plan; the rest is a number.
_NAMED = 8


def plan_of(home: Home, fingerprint: str, preset: TribalPreset) -> TribalPlan:
    """The plan of a training on a corpus. Raises as the training itself would before its first step."""
    return plan_over(home, fingerprint, lambda shards, work: plan_tribal(preset, shards, work))


def plan_lines(plan: TribalPlan) -> Iterator[str]:
    """The plan in lines for the terminal."""
    yield (
        f"{plan.parameters:,} weights, {plan.vocab_size:,} tokens of vocabulary; {plan.steps:,} steps on {plan.device} "
        f"over {plan.examples:,} distinct examples, {plan.tokens:,} tokens in one pass"
    )
    for phase in plan.phases:
        yield (
            f"  phase {phase.number} {phase.name}: {phase.examples:,} examples in {phase.windows:,} windows, packed "
            f"into {phase.rows:,} rows; {phase.trained_tokens:,} of {phase.tokens:,} tokens carry loss, "
            f"{phase.steps:,} steps at {phase.learning_rate:g}"
        )
    for reason, count in plan.examples_set_aside.items():
        yield f"  set aside: {count:,} {reason.replace('_', ' ')}"
    yield f"  {plan.validation_windows:,} windows to measure on"
    yield from _labels(plan)
    yield from (f"  note: {note}" for note in plan.notes)
    yield from need_lines(needs_told(plan, {}))
    yield "  time                 not known before ten real steps"


def _labels(plan: TribalPlan) -> Iterator[str]:
    """Who speaks, as far as the corpus says; and of which turns that is not known, and why."""
    labels = plan.labels
    for name in plan.members:
        core = " (core)" if name == plan.members[0] else ""
        yield f"  member {name}{core}: {labels.turns[name]:,} labelled turns, {labels.tokens[name]:,} tokens"
    if labels.unlabelled:
        told = ", ".join(
            f"{count:,} {reason.replace('_', ' ')}" for reason, count in labels.unlabelled.items()
        )
        yield f"  turns without a label: {told}"
    if labels.strangers:
        named = [f"{name} {count:,}" for name, count in list(labels.strangers.items())[:_NAMED]]
        more = len(labels.strangers) - len(named)
        yield f"  speakers who are no member: {', '.join(named)}{f' and {more} more' if more else ''}"


def nova_need(preset: TribalPreset) -> str:
    """The weights of a preset's NOVA and the memory that its training takes, in words."""
    weights = parameters_of(preset)
    if weights is None:
        return "not known before the members are: they come from the corpus"
    memory = estimate_memory(preset, weights, wanted_batch(preset))
    return f"{weights:,} weights, about {tell_bytes(memory.total)} in training"
