"""The list of builds and adapters: one HTML page, with trends drawn on the server and no script at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tasks.reports.charts import BOTTOM as MARGIN
from tasks.reports.charts import HEIGHT, RIGHT, WIDTH
from tasks.reports.lines import BuildLine, TrainedLine
from tasks.reports.reasons import percent, reason_title
from tasks.reports.story import counted
from tasks.reports.templates import environment, stylesheet
from tasks.reports.trends import LEFT, day, draw_trends

#: Reasons of drops that a row names.
NAMED = 3


@dataclass(frozen=True)
class _Trained:
    """A list of what was trained: where its pages are served, its titles, its lines."""

    place: str
    title: str
    one: str
    about: str
    lines: Sequence[TrainedLine]


@dataclass(frozen=True)
class _Row:
    """A line in words."""

    line: BuildLine
    when: str
    messages: int
    kept: str
    dropped: int
    reasons: str
    examples: int | None
    trained: str
    state: str


def render_builds(
    lines: Sequence[BuildLine],
    home: str,
    adapters: Sequence[TrainedLine] = (),
    models: Sequence[TrainedLine] = (),
) -> str:
    """The page of all builds, newest first, of all adapters and all NOVA models. The same lines give the same bytes."""
    complete = sum(line.state == "complete" for line in lines)
    return (
        environment()
        .get_template("builds.html")
        .render(
            style=stylesheet(),
            title="Builds",
            home=home,
            told=f"{counted(len(lines), 'build')}, {complete:,} complete",
            rows=[_row(line) for line in lines],
            trained=_trained(adapters, models),
            trends=draw_trends(lines),
            canvas={"width": WIDTH, "height": HEIGHT, "left": LEFT, "right": WIDTH - RIGHT, "base": HEIGHT - MARGIN},
        )
    )  # fmt: skip


def _trained(adapters: Sequence[TrainedLine], models: Sequence[TrainedLine]) -> list[_Trained]:
    lists = (
        _Trained("adapters", "Adapters", "Adapter", "Base", adapters),
        _Trained("nova", "NOVA models", "NOVA", "Members", models),
    )
    return [one for one in lists if one.lines]


def render_problem(title: str, problem: str) -> str:
    """A page that says one thing: what is wrong, and what to do."""
    return environment().get_template("problem.html").render(style=stylesheet(), title=title, problem=problem)


def _row(line: BuildLine) -> _Row:
    messages = line.messages
    total, dropped = sum(messages.parsed.values()), sum(messages.dropped.values())
    return _Row(
        line=line,
        when=day(line.created, "%d %b %Y, %H:%M"),
        messages=total,
        kept=percent(messages.kept, total) if line.kept is not None else "–",
        dropped=dropped,
        reasons=_reasons(messages.dropped),
        examples=None if line.corpus is None else sum(line.corpus.model_dump().values()),
        trained=_told_trained(line),
        state=_state(line),
    )


def _reasons(dropped: dict[str, int]) -> str:
    named = [f"{count:,} {reason_title(reason).lower()}" for reason, count in list(dropped.items())[:NAMED]]
    rest = sum(list(dropped.values())[NAMED:])
    return ", ".join([*named, *([f"{rest:,} for other reasons"] if rest else [])])


def _told_trained(line: BuildLine) -> str:
    told = {"demo": "on the demo base", "trained": "adapter"}[line.adapter] if line.adapter else ""
    return ", ".join(filter(None, [told, "NOVA" if line.nova else ""])) or "–"


def _state(line: BuildLine) -> str:
    if line.state == "stopped" and line.corpus is not None:
        missing = "NOVA" if line.stage == "train-tribal" else "adapter"
        return f"corpus complete; no {missing} yet"  # a worker may still be at it
    if line.state == "stopped":
        return f"stopped before {line.stage}"
    if line.state == "failed":
        return f"failed at {line.stage}"
    return line.state
