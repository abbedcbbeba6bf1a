"""What a person sees while a build runs: one line per stage, with a bar as long as it takes."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from schemas.summary import StageSummary
from schemas.visible import visible


def _reason(reason: str) -> str:
    return visible(reason, 60).replace("_", " ")


class TerminalListener:
    """Progress bars on a terminal; plain lines where there is none."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description:<11}"),
            BarColumn(bar_width=30),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[note]}"),
            console=console,
            transient=True,
        )
        self._current: TaskID | None = None

    def __enter__(self) -> TerminalListener:
        self._bars.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bars.stop()

    def waiting(self, what: str) -> None:
        """Something of unknown length begins."""
        self._replace(what, None)

    def reading(self, total: int) -> None:
        """Files of so many bytes are about to be read for their digests."""
        self._replace("read", total)

    def read(self, amount: int) -> None:
        """So many bytes more were read."""
        if self._current is not None:
            self._bars.advance(self._current, amount)

    def started(self, stage: str) -> None:
        """A stage begins."""
        self._replace(stage, None)

    def advanced(self, stage: str, done: int, total: int, note: str = "") -> None:
        """`done` of `total`; without a terminal, ten lines in all tell the note."""
        if self._current is not None:
            self._bars.update(self._current, completed=done, total=total, note=note)
        if note and not self.console.is_terminal and (done == total or done % max(1, total // 10) == 0):
            self.console.print(f"  {stage} {done:,} of {total:,}: {note}", highlight=False, soft_wrap=True)

    def noted(self, stage: str, text: str) -> None:
        """A line that stays."""
        self.console.print(f"  {stage}: {visible(text)}", highlight=False, soft_wrap=True, markup=False)

    def finished(self, summary: StageSummary) -> None:
        """A stage stands: its line stays."""
        self._remove()
        # Reasons may come from the data: neither markup nor control characters act here.
        aside = escape(", ".join(f"{n} {_reason(reason)}" for reason, n in summary.set_aside.items()))
        reused = "  [dim](stood already)[/]" if summary.cached else ""
        note = f"  [dim]set aside: {aside}[/]" if aside else ""
        self.console.print(
            f"[green]✓[/] {summary.stage:<10} {summary.rows_out:>8,} of {summary.rows_in:,} {summary.unit}"
            f"{reused}  [dim]{summary.seconds:.1f} s[/]{note}",
            highlight=False,
            soft_wrap=True,
        )

    def _replace(self, description: str, total: int | None) -> None:
        self._remove()
        self._current = self._bars.add_task(description, total=total, note="")
        if not self.console.is_terminal and description:
            self.console.print(f"… {description}", highlight=False)

    def _remove(self) -> None:
        if self._current is not None:
            self._bars.remove_task(self._current)
            self._current = None
