"""The whole data side on a generated corpus, as `vatra build` runs it: cost per stage and in all.

    python -m benchmarks.curation --rows 500000 [--data FOLDER] [--home DIR] [--preset NAME] [--set key=value]

Conversations of a question and a reply, 800 characters together, with planted copies (benchmarks/synthetic.py), are
written as JSONL: a folder for each of ten sources of unequal size, in files of at most `FILE_ROWS` rows, and a file of
sources that declares category and licence of each. `vatra build --sources` over them with the mixture contract of the
preset `emergent`, scorer none, runs in a process of its own with a home under a temporary folder (`--home`: one that
is kept, with its report). Prints one JSON object on its last line: rows, cpu_s (of the process tree: build, workers
and server), wall_s, rss_mb (the largest sum over the processes of the tree, shared pages counted in each),
validation_share (CPU inside Great Expectations, of cpu_s). The table of stages goes to stderr. `--data` keeps the
corpus there, and takes one that is there already.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import yaml

from benchmarks.synthetic import generate_blocks

#: Rows of a file.
FILE_ROWS = 200_000
#: Sources, each of the category that it is called by, and their parts of the corpus; of the first there is too much
#: for its range.
SOURCES = {
    "technical": 28,
    "instructional": 17,
    "analytical": 14,
    "conversational": 10,
    "empathetic": 8,
    "creative": 7,
    "tool": 6,
    "factual": 5,
    "ethical": 3,
    "specialised": 2,
}
DECLARED = "sources.yaml"
#: Of a text's words so many stand in the question.
ASKED = 0.2
SAMPLED_EVERY = 0.25  # seconds
_CHECKED = "VATRA_BENCHMARK_CHECKED"


def main() -> None:
    """Generate, build, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--data", type=Path, help="folder of a corpus that was written before, or is to be kept"
    )
    parser.add_argument("--home", type=Path, help="the build's home, to be kept")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--preset", default="emergent")
    parser.add_argument("--settings", type=Path, help="settings of the build, besides scorer none")
    parser.add_argument("--set", action="append", default=[], metavar="key=value")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    try:
        data, home = given.data or folder / "data", given.home or folder / "home"
        if not data.exists():
            write_corpus(data, given.rows, given.seed)
        options = ["--sources", str(data / DECLARED), "--preset", given.preset]
        options += ["--workers", str(given.workers), "--set", "toxicity.scorer=none"]
        options += ["--settings", str(given.settings)] if given.settings else []
        options += [word for item in given.set for word in ("--set", item)]
        print(json.dumps({"rows": given.rows} | measure(home, options)))
    finally:
        shutil.rmtree(folder)


def write_corpus(folder: Path, rows: int, seed: int) -> None:
    """JSONL of conversations, in a folder per source, and the file of sources; rows and seed fix the bytes."""
    names, written = _sources(rows), dict.fromkeys(SOURCES, 0)
    for block in generate_blocks(rows, seed):
        lines: dict[str, list[str]] = {name: [] for name in SOURCES}
        for text in block["text"].to_pylist():
            lines[next(names)].append(_record(text))
        for name, some in lines.items():
            path = folder / name / f"{name}-{written[name] // FILE_ROWS:03d}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8") as file:
                file.writelines(some)
            written[name] += len(some)
    mapping = {"turns": [{"each": "messages"}]}
    declared = {
        name: {"path": name, "category": name, "license": "CC0-1.0", "mapping": mapping} for name in SOURCES
    }
    (folder / DECLARED).write_text(yaml.safe_dump({"sources": declared}, sort_keys=False))


def _sources(rows: int) -> Any:
    """The source of each row, in turns that give every source its part."""
    turn = [name for name, part in SOURCES.items() for _ in range(part)]
    return (turn[(row * 37) % len(turn)] for row in range(rows))


def _record(text: str) -> str:
    words = text.split(" ")
    cut = max(1, int(len(words) * ASKED))
    turns = [(("user", " ".join(words[:cut]))), ("assistant", " ".join(words[cut:]) or words[-1])]
    messages = [{"role": role, "content": content} for role, content in turns]
    return json.dumps({"messages": messages}, ensure_ascii=False) + "\n"


@dataclass
class Tree:
    """CPU and memory of a process and all below it, watched while it lives; CPU as (time, seconds) marks."""

    pid: int
    marks: list[tuple[float, float, float]] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        """Until `end`. A process that is gone has left its time with its parent."""
        while not self._ended.wait(SAMPLED_EVERY):
            with suppress(psutil.NoSuchProcess):
                root = psutil.Process(self.pid)
                cpu = memory = 0.0
                for process in (root, *root.children(recursive=True)):
                    with suppress(psutil.NoSuchProcess):
                        memory += process.memory_info().rss / 1e6
                        cpu += sum(
                            process.cpu_times()[:4]
                        )  # its own, and that of children which it has buried
                self.marks.append((time.time(), cpu, memory))

    def end(self) -> None:
        """No more marks."""
        self._ended.set()

    def between(self, begin: float, end: float) -> tuple[float, float]:
        """CPU seconds and the largest memory (MB) between two times."""
        before = [cpu for at, cpu, _ in self.marks if at <= begin]
        inside = [(cpu, memory) for at, cpu, memory in self.marks if begin < at <= end]
        start = before[-1] if before else 0.0
        return max((cpu for cpu, _ in inside), default=start) - start, max(
            (m for _, m in inside), default=0.0
        )


def measure(home: Path, options: Sequence[str]) -> dict[str, float]:
    """One build, in a process of its own."""
    checked = home.parent / f"{home.name}-checked.json"
    home.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-c", "from benchmarks.curation import build; build()"]
    command += ["build", "--home", str(home), "--json", *options]
    began = time.time()
    with subprocess.Popen(
        command, env={**os.environ, _CHECKED: str(checked)}, stdout=subprocess.PIPE, text=True
    ) as process:
        tree = Tree(process.pid)
        watching = threading.Thread(target=tree.watch)
        watching.start()
        assert process.stdout is not None
        told = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.time() - began
        tree.end()
        watching.join()
    if process.returncode:
        raise SystemExit(f"the build failed: {told[-2000:]}")
    # What wait4 says is exact, but leaves out a server that outlives its parent for a moment.
    cpu = max(usage.ru_utime + usage.ru_stime, tree.marks[-1][1])
    _tell_stages(json.loads(told.splitlines()[-1]), home, tree, began)
    spent = json.loads(checked.read_text())
    checked.unlink()
    return {
        "cpu_s": round(cpu, 1),
        "wall_s": round(wall, 1),
        "rss_mb": round(max(memory for _, _, memory in tree.marks)),
        "validation_share": round(spent / cpu, 4),
    }


def build() -> None:
    """What the process of a build runs: the command itself, its expectations timed."""
    from flows.cli import main as vatra
    from tasks.checks import StageSuite

    spent = 0.0

    def timed(method: Any) -> Any:
        def wrapper(*arguments: Any) -> Any:
            nonlocal spent
            begun = time.thread_time()
            try:
                return method(*arguments)
            finally:
                spent += time.thread_time() - begun

        return wrapper

    for name in ("check_part", "check_summary"):
        setattr(StageSuite, name, timed(getattr(StageSuite, name)))
    try:
        code = vatra(sys.argv[1:])
    finally:
        Path(os.environ[_CHECKED]).write_text(json.dumps(spent))
    sys.exit(code)


def _tell_stages(summary: dict[str, Any], home: Path, tree: Tree, began: float) -> None:
    """Per stage its CPU, wall time and memory: a stage ends when its manifest is put."""
    print(
        f"{'stage':12}{'cpu s':>10}{'wall s':>10}{'rss MB':>10}{'parts':>8}{'rows out':>12}", file=sys.stderr
    )
    ends = {
        stage["stage"]: (home / "datasets" / stage["stage"] / stage["fingerprint"] / "manifest.json")
        .stat()
        .st_mtime
        for stage in summary["stages"]
    }
    first = summary["stages"][0]
    steps: list[tuple[str, float, dict[str, Any]]] = [
        ("planning", ends[first["stage"]] - first["seconds"], {})
    ]
    steps += [(stage["stage"], ends[stage["stage"]], stage) for stage in summary["stages"]]
    steps.append(("report", time.time(), {}))
    for name, end, stage in steps:
        cpu, memory = tree.between(began, end)
        parts = sum(stage["parts"].values()) if stage else 0
        print(
            f"{name:12}{cpu:>10.1f}{end - began:>10.1f}{memory:>10.0f}{parts:>8}{stage.get('rows_out', 0):>12}",
            file=sys.stderr,
        )
        began = end


if __name__ == "__main__":
    main()
