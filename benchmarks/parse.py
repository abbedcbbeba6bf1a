"""Parse of a generated ChatGPT export, Parquet written and accounts kept, against json.load with the branch walk.

    python -m benchmarks.parse --mb 150

Prints one JSON object on its last line: rss_over_baseline_mb (peak memory of the parse stage over the process
with everything imported), cpu_s (digests, parse, Parquet, expectations, manifest), json_load_cpu_s, cpu_ratio.
Each side runs `--repeat` times in processes of its own, in turns; CPU figures are the least of these (what else the
machine does can only add), memory figures the most.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.chatgpt_export import write_export


def main() -> None:
    """Generate, measure both sides, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--mb", type=int, default=150, help="size of the generated export (10^6 bytes)")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each side")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--side", choices=("vatra", "json"), help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.side:
        measure = measure_vatra if given.side == "vatra" else measure_json
        print(json.dumps(measure(given.file)))
        return
    with tempfile.TemporaryDirectory() as folder:
        export = Path(folder) / "conversations.json"
        conversations = write_export(export, given.mb, given.seed)
        print(f"{export.stat().st_size / 1e6:.0f} MB, {conversations} conversations")
        runs = [
            [_in_process_of_its_own(side, export) for side in ("vatra", "json")] for _ in range(given.repeat)
        ]
    ours, theirs = (_best(side) for side in zip(*runs, strict=True))
    if ours["messages"] != theirs["messages"]:
        print(f"the two sides count differently: {ours['messages']} and {theirs['messages']} messages")
    print(json.dumps(ours | theirs | {"cpu_ratio": round(ours["cpu_s"] / theirs["json_load_cpu_s"], 2)}))


def measure_vatra(export: Path) -> dict[str, Any]:
    """The parse stage as a build runs it, in one process."""
    from schemas.settings import ParseSettings
    from storage.materialize import materialize
    from storage.stages import Stage
    from storage.store import Store
    from tasks.checks import StageSuite
    from tasks.exports import export_units, parse_unit
    from tasks.parsers import discover

    StageSuite("parse").check_summary({"kept": 1})  # Great Expectations is imported and warm
    baseline, begun = _peak_mb(), time.process_time()
    stage = Stage("parse", 1, "row", "conversations", parse_unit)
    files = discover([export]).files
    with tempfile.TemporaryDirectory() as store:
        made = materialize(
            Store(store), stage, ParseSettings(), {}, export_units(files), StageSuite("parse"), workers=1
        )
    cpu = time.process_time() - begun
    summary = made.dataset.manifest.summary
    return {
        "rss_over_baseline_mb": round(_peak_mb() - baseline, 1),
        "baseline_mb": round(baseline, 1),
        "cpu_s": round(cpu, 2),
        "messages": summary["rows:messages"],
        "conversations": summary["rows:conversations"],
        "parts": len(made.dataset.manifest.parts),
    }


def measure_json(export: Path) -> dict[str, Any]:
    """json.load of the whole file, the active branch of each conversation walked, its texts joined."""
    begun = time.process_time()
    with export.open(encoding="utf-8") as source:
        conversations = json.load(source)
    messages = sum(_walk(conversation) for conversation in conversations)
    return {
        "json_load_cpu_s": round(time.process_time() - begun, 2),
        "json_load_peak_mb": round(_peak_mb(), 1),
        "messages": messages,
    }


def _walk(conversation: dict[str, Any]) -> int:
    """Visible messages of the branch that ends in current_node."""
    mapping, node, visible = conversation["mapping"], conversation["current_node"], 0
    while node is not None:
        message = mapping[node].get("message")
        node = mapping[node].get("parent")
        if message is None or message["author"]["role"] not in ("user", "assistant"):
            continue
        metadata, content = message.get("metadata") or {}, message["content"]
        if message.get("recipient", "all") != "all" or metadata.get("is_visually_hidden_from_conversation"):
            continue
        if content.get("content_type") in ("text", "multimodal_text"):
            visible += bool("\n".join(p for p in content["parts"] if isinstance(p, str)).strip())
    return visible


def _in_process_of_its_own(side: str, export: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.parse", "--side", side, "--file", str(export)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _best(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Least CPU, most memory; the counts are the same in every run."""
    return {key: (min if key.endswith("cpu_s") else max)(run[key] for run in runs) for key in runs[0]}


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
