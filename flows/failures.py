"""How failures reach a person: one line on standard error, the object of `--json`, and a file for what is a bug."""

from __future__ import annotations

import errno
import os
import re
import signal
import sys
from types import FrameType, TracebackType
from typing import NoReturn

from flows.streams import discard_output, write_answer, write_error
from schemas.errors import StoreError, VatraError
from schemas.visible import visible
from storage.crashes import crash_error

#: A message is one line, however long a path in it is.
LONGEST_LINE = 2_000
_LINE_BREAKS = re.compile(r"\s*[\r\n\v\f\x85]+\s*")


class Stopped(KeyboardInterrupt):
    """The command was told to stop: by Ctrl-C, by SIGTERM, or because its terminal has gone."""

    def __init__(self, number: int = signal.SIGINT) -> None:
        self.exit_code = 128 + number
        super().__init__()


def stop_on_signals() -> None:
    """SIGTERM and SIGHUP end a command as Ctrl-C does: with a line, an exit code of its own and nothing half done."""

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        raise Stopped(number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores SIGHUP, and that is meant
            signal.signal(number, stop)


def answer_failure(error: VatraError, as_json: bool) -> int:
    """Print the line, and the summary as far as it is known; returns the exit code."""
    write_error(f"vatra: {one_line(str(error))}")
    if as_json:
        from schemas.summary import BuildSummary

        known = getattr(error, "summary", None)
        summary = known if isinstance(known, BuildSummary) else BuildSummary(error=str(error))
        try:
            write_answer(summary.as_object())
        except VatraError:
            return error.exit_code  # there is nobody to tell
    return error.exit_code


def one_line(text: str) -> str:
    """Names of files and members can hold anything: nothing of it may steer the terminal."""
    return visible(_LINE_BREAKS.sub(" ", text), LONGEST_LINE).replace("\t", " ")


def interruption(stopped: KeyboardInterrupt, as_json: bool) -> int:
    """The answer of a command that was told to stop; returns its exit code."""
    told = str(stopped)  # a training says after which step it saved
    fix = "Finished parts are kept: run the same command to go on."
    error = VatraError(f"interrupted: {told}") if told else VatraError("interrupted", fix=fix)
    answer_failure(error, as_json)
    return stopped.exit_code if isinstance(stopped, Stopped) else 130


def refusal(error: OSError | MemoryError, as_json: bool) -> int:
    """The answer where the system refuses what nobody foresaw at that place; returns the exit code."""
    if isinstance(error, BrokenPipeError):
        discard_output()  # the reader of our output has gone; there is nobody to tell
        return 1
    if isinstance(error, MemoryError):
        return answer_failure(VatraError("out of memory", fix="Run it again with --workers 1."), as_json)
    reason = (os.strerror(error.errno) if error.errno else type(error).__name__).lower()
    if _output_is_lost():
        return answer_failure(StoreError(f"standard output cannot be written: {reason}"), False)
    fix = "Run the same command again once the cause is gone; nothing half done was published."
    where = str(error.filename) if error.filename is not None else None
    if error.errno == errno.ENOSPC and where is None:
        where = "the disk, or what standard output goes to"
    return answer_failure(StoreError(f"the system refused: {reason}", where=where, fix=fix), as_json)


def _output_is_lost() -> bool:
    """Whether standard output takes nothing; then it is let go of, or Python would end with a complaint of its own."""
    try:
        sys.stdout.flush()
    except OSError:
        discard_output()
        return True
    return False


def install_crash_report(as_json: bool) -> None:
    """An exception that nobody foresaw is a bug: its traceback goes to a file, and one line says where."""

    def report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        answer_failure(crash_error(error), as_json)

    sys.excepthook = report
