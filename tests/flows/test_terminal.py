"""What a stage's line shows of names that come from the data."""

from __future__ import annotations

import io

from rich.console import Console

from flows.terminal import TerminalListener
from schemas.summary import StageSummary


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
