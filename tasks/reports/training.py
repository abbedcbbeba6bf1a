"""The report of a training run: one HTML page that asks no other host for anything."""

from __future__ import annotations

from schemas.training_run import TrainingRun
from tasks.reports.curves import draw_loss, draw_rates
from tasks.reports.reasons import percent
from tasks.reports.story import counted
from tasks.reports.templates import environment, stylesheet

SECTIONS = (
    ("curve", "How it learned"),
    ("data", "What it read"),
    ("samples", "Side by side"),
    ("examples", "As the model reads it"),
    ("preflight", "Preflight"),
    ("settings", "Settings & lineage"),
)


def render_training(run: TrainingRun) -> str:
    """The page as text. The same run gives the same bytes."""
    return (
        environment()
        .get_template("training.html")
        .render(
            style=stylesheet(),
            title=run.name,
            run=run,
            sections=SECTIONS,
            sentence=tell_training(run),
            loss_curve=draw_loss(run.phases),
            rate_curve=draw_rates(run.phases),
        )
    )


def tell_training(run: TrainingRun) -> str:
    """The run in a sentence or two."""
    steps = [point for phase in run.phases for point in phase.steps]
    told = f"{counted(len(steps), 'step')} over {counted(run.examples, 'example')}"
    if run.examples < run.examples_in:
        told = f"{counted(len(steps), 'step')} over {run.examples:,} of {counted(run.examples_in, 'example')}"
    if len(run.phases) > 1:
        told += f" in {len(run.phases)} phases"
    if steps:
        told += f"; the loss went from {steps[0].loss:.3f} to {steps[-1].loss:.3f}"
    held = [
        loss
        for phase in run.phases
        for loss in (phase.validation_before, phase.validation_after)
        if loss is not None
    ]
    if len(held) > 1:
        change = held[-1] - held[0]
        told += f", on what was held out from {held[0]:.3f} to {held[-1]:.3f}"
        if change > 0:
            told += " (it got worse there: fewer epochs or a lower learning rate may serve better)"
    return f"{told}. Loss lies on {percent(run.trained_tokens, run.tokens)} of the tokens."
