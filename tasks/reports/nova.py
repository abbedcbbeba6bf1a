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
    held = [(point.step, point.lm_loss) for point in run.validation]
    labels = [(p.step, p.label_loss) for p in run.validation if p.label_loss is not None]
    bits = [(point.step, point.bits_per_byte) for point in run.validation]
    drawings = (
        draw_loss(run.phases, "Loss of the next token, nats", held),
        draw_measured("Bits per byte, held out", bits, run.phases),
        draw_measured("Loss of the labels, held out, nats", labels, run.phases),
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
    if len(run.validation) > 1:
        first, best = run.validation[0], min(run.validation, key=lambda point: point.bits_per_byte)
        bits = f"{first.bits_per_byte:.3f} to {best.bits_per_byte:.3f} bits per byte"
        told += f", what was held out from {bits} at its best"
    elif run.validation:
        told += f"; what was held out takes {run.validation[0].bits_per_byte:.3f} bits per byte"
    return (
        f"{told}. Loss lies on {percent(run.trained_tokens, run.tokens)} of the tokens; "
        f"of {percent(run.labelled_tokens, run.tokens)} it is known which member speaks."
    )
