"""How failures reach a person: one line on standard error, the object of `--json`, and a file for what is a bug."""

from __future__ import annotations

import json
import sys
import tempfile
import traceback
from pathlib import Path
from types import TracebackType

from schemas.errors import VatraError


def answer_failure(error: VatraError, as_json: bool) -> int:
    """Print the line, and the summary as far as it is known; returns the exit code."""
    sys.stderr.write(f"vatra: {error}\n")
    if as_json:
        from schemas.summary import BuildSummary

        known = getattr(error, "summary", None)
        summary = known if isinstance(known, BuildSummary) else BuildSummary(error=str(error))
        sys.stdout.write(json.dumps(summary.model_dump(), ensure_ascii=False) + "\n")
        sys.stdout.flush()
    return error.exit_code


def install_crash_report(as_json: bool) -> None:
    """An exception that nobody foresaw is a bug: its traceback goes to a file, and one line says where."""

    def report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        text = "".join(traceback.format_exception(kind, error, trace))
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", prefix="vatra-crash-", suffix=".txt", delete=False
        ) as sink:
            sink.write(text)
        answer_failure(
            VatraError(
                f"stopped by a bug in vatra ({kind.__name__}); nothing half done was published",
                where=str(Path(sink.name)),
                fix="The file holds the details; it may quote your chats, so read it before you send it to anybody.",
            ),
            as_json,
        )

    sys.excepthook = report
