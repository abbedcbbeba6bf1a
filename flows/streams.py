"""Standard output and error of a command, whatever they are connected to: nothing, a full disk, an old encoding."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from schemas.errors import VatraError

_OUTPUT, _ERRORS = 1, 2


def prepare_streams() -> None:
    """Must come before any file is opened: a file that took the place of a closed stream would get what is printed."""
    for descriptor in (0, _OUTPUT, _ERRORS):
        try:
            os.fstat(descriptor)
        except OSError:
            os.dup2(os.open(os.devnull, os.O_RDWR), descriptor)
            if descriptor == _OUTPUT:
                sys.stdout = _Closed()
            elif descriptor == _ERRORS:
                sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - for the process's life
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a letter that the terminal cannot show stops no build


class _Closed:
    """Standard output that was closed by the caller: text for people goes nowhere, an answer cannot be given."""

    encoding = "utf-8"

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        return None

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        return _OUTPUT


def write_answer(value: dict[str, Any]) -> None:
    """The object of `--json`, as the last line of standard output. Raises VatraError when it cannot be written."""
    plain = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    try:
        if isinstance(sys.stdout, _Closed):
            raise OSError(None, "it is closed")
        sys.stdout.write(json.dumps(value, ensure_ascii=plain) + "\n")
        sys.stdout.flush()
    except OSError as error:
        discard_output()
        raise VatraError(
            f"the answer cannot be written to standard output: {(error.strerror or 'not possible').lower()}",
            fix="What was done stands; `vatra report --json` tells it again.",
        ) from None


def write_error(line: str) -> None:
    """A line on standard error, if anybody can still be told."""
    try:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), _ERRORS)


def discard_output() -> None:
    """Let go of what standard output still holds: Python would try to write it again when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), _OUTPUT)
