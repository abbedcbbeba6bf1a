"""`vatra stage filter --dry-run` on a build of many messages: seconds and CPU beyond the command's start-up.

    python -m benchmarks.dry_run --messages 100000

A ChatGPT export is generated, and parsed, reconciled, scored (scorer none), filtered and assembled by the real
stages. Two changes are tried: a threshold, for which the stored signals are enough, and a new pattern, which is
looked for in all texts. Start-up is the same command on a build of a few messages; each figure is the least of
`--repeat` runs. Prints one JSON object on its last line.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.chatgpt_export import write_export

#: MB of a generated export per message of its active branches (measured).
MB_PER_MESSAGE = 0.00171
CHANGES = {"threshold": ["--set", "quality.min_chars=700"], "pattern": ["--blacklist", "hearth"]}


def main() -> None:
    """Generate, build, try, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=3, help="runs of each command")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        large, small = Path(folder) / "large", Path(folder) / "small"
        _build(large, max(1, round(given.messages * MB_PER_MESSAGE)), given.seed)
        _build(small, 0, given.seed)
        before = _listing(large)
        figures: dict[str, Any] = {}
        for name, change in CHANGES.items():
            runs = [_try(large, change) for _ in range(given.repeat)]
            idle = [_try(small, change) for _ in range(given.repeat)]
            for key in ("seconds", "cpu_s"):
                beyond = min(run[key] for run in runs) - min(run[key] for run in idle)
                figures[f"{name}_{key}"] = round(beyond, 2)
            figures["start_up_seconds"] = round(min(run["seconds"] for run in idle), 2)
            figures[f"{name}_peak_mb"] = round(max(run["peak_mb"] for run in runs))
            figures["messages"] = runs[0]["messages"]
            figures[f"{name}_moved"] = runs[0]["moved"]
        figures["wrote_nothing"] = _listing(large) == before
    print(json.dumps(figures))


def _build(home: Path, megabytes: int, seed: int) -> None:
    """The stages up to assembly over a generated export (0 MB: one conversation)."""
    home.mkdir()
    export = home / "export.json"
    conversations = write_export(export, megabytes, seed) if megabytes else 0
    if not megabytes:
        turns = [
            {"role": "user", "content": "What is a hearth?"},
            {"role": "assistant", "content": "The heart of a house."},
        ]
        export.write_text(json.dumps({"messages": turns}), "utf-8")
    command = [
        *_vatra("stage", "assemble"),
        str(export),
        "--set",
        "toxicity.scorer=none",
        "--home",
        str(home),
    ]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    print(f"built: {conversations or 1} conversations")


def _try(home: Path, change: list[str]) -> dict[str, float]:
    """One dry run in a process of its own: wall seconds, CPU seconds, peak memory, and what it said."""
    command = [*_vatra("stage", "filter"), "--dry-run", "--home", str(home), "--json", *change]
    begun = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - begun
    if process.returncode:
        raise SystemExit(f"the dry run failed: {said}")
    trial = json.loads(said.splitlines()[-1])
    return {
        "seconds": seconds,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_mb": usage.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10),
        "messages": trial["messages"]["before"],
        "moved": sum(move["count"] for move in trial["messages"]["moved"]),
    }


def _vatra(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "flows.cli", *arguments]


def _listing(home: Path) -> dict[str, tuple[int, int]]:
    """Size and time of everything under the home."""
    found = {}
    for path in sorted(home.rglob("*")):
        about = path.lstat()
        found[str(path)] = (about.st_size, about.st_mtime_ns)
    return found


if __name__ == "__main__":
    main()
