"""Named places where a test may kill the process, to prove that a crash leaves nothing half done.

`VATRA_FAILPOINT=manifest-put:2` kills the process (SIGKILL) when it reaches `manifest-put` for the second time;
`manifest-put:2:stop` freezes it there (SIGSTOP) instead, until a test lets it go on or kills it.
"""

from __future__ import annotations

import os
import signal
from collections import Counter

FAILPOINTS = ("part-written", "part-checked", "part-published", "unit-recorded", "manifest-put")

_reached: Counter[str] = Counter()


def reach(name: str) -> None:
    """Die here if the environment asks for it; otherwise do nothing."""
    wanted = os.environ.get("VATRA_FAILPOINT")
    if wanted is None:
        return
    target, _, rest = wanted.partition(":")
    number, _, how = rest.partition(":")
    _reached[name] += 1
    if name == target and _reached[name] == int(number or 1):
        os.kill(os.getpid(), signal.SIGSTOP if how == "stop" else signal.SIGKILL)
