"""What lines on a terminal say, also of names that come from the data."""

from __future__ import annotations

import io
from uuid import uuid4

from prefect.client.schemas.objects import FlowRun
from prefect.states import Pending
from rich.console import Console

from flows.closing import print_trainings
from flows.commands.serving import since
from flows.terminal import TerminalListener
from schemas.summary import BuildSummary, NamedTraining, StageSummary


def test_reasons_from_the_data_are_shown_and_not_obeyed() -> None:
    out = io.StringIO()
    hostile = {
        "unknown_type:[red]\x1b[2J\u202e[/]": 3,
        "[link=http://evil.example]x[/link]": 2,
        "w" * 5_000: 1,
    }
    listener = TerminalListener(Console(file=out, width=100, color_system="truecolor", force_terminal=True))
    listener.finished(StageSummary(stage="parse", fingerprint="f", rows_in=6, set_aside=hostile))
    shown = out.getvalue()
    assert "unknown type:[red]‹U+001B›[2J‹U+202E›[/]" in shown
    assert "[link=http://evil.example]x[/link]" in shown
    assert "\x1b[2J" not in shown
    assert "\x1b]8" not in shown, "no link is made of it"
    assert len(shown) < 1_000


def test_a_run_that_waits_for_its_process_says_since_when() -> None:
    state = Pending(name="Submitting")
    waiting = FlowRun(flow_id=uuid4(), state=state)
    assert since(waiting) == state.timestamp.isoformat(timespec="seconds")


def test_what_others_trained_is_not_said_to_come_from_the_command() -> None:
    out = io.StringIO()
    own, other = (
        NamedTraining(name=name, fingerprint="f", folder="x", own=name == "mine") for name in ("mine", "hers")
    )
    print_trainings(Console(file=out, width=100), BuildSummary(models=[own, other]))
    assert "NOVA     mine" in out.getvalue()
    assert "from this corpus by other runs: hers\n" in out.getvalue()
