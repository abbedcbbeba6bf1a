"""The report of a NOVA's training: one HTML page that asks no other host for anything."""

from __future__ import annotations

from schemas.nova_run import NovaRun
from tasks.reports.curves import draw_loss, draw_measured, draw_rates
from tasks.reports.reasons import percent
from tasks.reports.story import counted
from tasks.reports.templates import environment, stylesheet

SECTIONS = (
    ("curve", "How it learned"),
    ("members", "Members"),
    ("data", "What it read"),
    ("evaluation", "Evaluation"),
    ("preflight", "Preflight"),
    ("settings", "Settings & lineage"),
)
#: Strangers who are named; the rest is a number.
NAMED = 20


def render_nova(run: NovaRun) -> str:
    """The page as text. The same run gives the same bytes."""
    drawings = (
        draw_loss(run.phases, "Loss of the next token, nats", _curves(run, "lm_loss")),
        draw_measured("Bits per byte, held out", _curves(run, "bits_per_byte"), run.phases),
        draw_measured("Loss of the labels, held out, nats", _curves(run, "label_loss"), run.phases),
        draw_rates(run.phases),
    )
    return (
        environment()
        .get_template("nova.html")
        .render(
            style=stylesheet(),
            title=run.name,
            run=run,
            sections=SECTIONS,
            sentence=tell_nova(run),
            drawings=drawings,
            named=dict(list(run.strangers.items())[:NAMED]),
            labelled=sum(one.tokens for one in run.members),
            unnamed=len(run.strangers) - NAMED,
        )
    )


def tell_nova(run: NovaRun) -> str:
    """The run in a sentence or two."""
    steps = [point for phase in run.phases for point in phase.steps]
    of = f"{run.examples:,} of " if run.examples < run.examples_in else ""
    told = f"{counted(len(steps), 'step')} over {of}{counted(run.examples_in, 'example')}"
    if len(run.phases) > 1:
        told += f" in {len(run.phases)} phases"
    if steps:
        told += f"; the loss went from {steps[0].loss:.3f} to {steps[-1].loss:.3f}"
    if run.before is not None and run.after is not None:
        told += f", all that was held out from {run.before:.3f} to {run.after:.3f} bits per byte"
    return (
        f"{told}. Loss lies on {percent(run.trained_tokens, run.tokens)} of the tokens; "
        f"of {percent(run.labelled_tokens, run.tokens)} it is known which member speaks."
    )


def _curves(run: NovaRun, figure: str) -> list[list[tuple[int, float]]]:
    """A figure of the validations by step, a list for each phase: phases are measured on windows of their own."""
    found: dict[int, list[tuple[int, float]]] = {}
    for point in run.validation:
        value = getattr(point, figure)
        if value is not None:
            found.setdefault(point.phase, []).append((point.step, value))
    return list(found.values())
