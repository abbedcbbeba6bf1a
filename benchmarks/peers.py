"""Our deduplication beside what others would use, on the same rows in one run.

    python -m benchmarks.peers [--rows 200000] [--data DIR] [--only datatrove-14x8 ...] [--envs .benchmarks]

Each peer is installed into an environment of its own under --envs (once; it takes the network and up to 1.3 GB each)
and run there by a script of benchmarks/peer_scripts, at word 2-grams and, where it has a threshold, 0.7. Figures are of
the whole process tree, start-up included. Prints a table, and one JSON object on the last line: per peer
rows_per_cpu_s, cpu_s, rss_mb, precision, recall_exact, recall_near, hard_merged, or the reason why it has none; and
`ratio`, our rows per CPU-second to those of the fastest peer that itself finds 92% of the near copies (null where no
peer does).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from benchmarks.dedup import clusters_in, judge, make_examples, measure
from benchmarks.synthetic import generate
from schemas.ids import hash_fields
from storage.store import Store

_SCRIPTS = Path(__file__).with_name("peer_scripts")
_COLUMNS = ("rows_per_cpu_s", "cpu_s", "rss_mb", "precision", "recall_exact", "recall_near", "hard_merged")
#: What the ratio asks of a peer, and of us.
RECALL, PRECISION = 0.92, 0.9999


@dataclass(frozen=True)
class Peer:
    """A peer: what is installed for it, and the script that runs it."""

    environment: str
    packages: tuple[str, ...]
    script: str
    arguments: tuple[str, ...] = ()


_DATATROVE = ("datatrove==0.10.1", "pyarrow", "tokenizers", "xxhash<4")
PEERS = {
    "datatrove-14x8": Peer("datatrove", _DATATROVE, "datatrove_minhash.py", ("14",)),
    "datatrove-16x8": Peer("datatrove", _DATATROVE, "datatrove_minhash.py", ("16",)),
    "datasketch": Peer("datasketch", ("datasketch==2.0.0", "pyarrow"), "datasketch_script.py"),
    "text-dedup": Peer("text-dedup", ("text-dedup==0.4.0",), "text_dedup_minhash.py"),
    "data-juicer": Peer(
        "data-juicer", ("py-data-juicer==1.6.1", "aiohttp", "scipy"), "data_juicer_minhash.py"
    ),
}


def main() -> None:
    """Make the corpus, run everybody on it, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--data", type=Path, help="folder with Parquet of id, text, kind, parent, rate")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--envs", type=Path, default=Path(".benchmarks"), help="where peers are installed")
    parser.add_argument("--only", nargs="*", choices=PEERS, default=list(PEERS), help="these peers alone")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "corpus"
        rows = (
            generate(given.rows, given.seed, data)
            if given.data is None
            else cut(given.data, given.rows, data)
        )
        store = Path(folder) / "store"
        truth = make_examples(data, given.rows, Store(str(store)))
        print(f"{len(truth):,} rows in {len(rows)} files", file=sys.stderr, flush=True)
        figures: dict[str, dict[str, Any]] = {}
        for name in ("vatra", *given.only):
            if name == "vatra":
                figures[name] = ours(truth, store)
            else:
                out = Path(folder) / f"{name}.tsv"
                figures[name] = theirs(truth, PEERS[name], given.envs.absolute(), data, out)
            print(name, json.dumps(figures[name]), file=sys.stderr, flush=True)
    print(table(figures))
    print(json.dumps({"rows": len(truth), "peers": figures, "ratio": ratio(figures)}))


def cut(source: Path, rows: int, folder: Path) -> list[Path]:
    """The first rows of a corpus as files of one's own, so that everybody reads the same."""
    from benchmarks.dedup import read_blocks

    folder.mkdir()
    files = []
    for number, block in enumerate(read_blocks(source, rows)):
        files.append(folder / f"{number:05d}.parquet")
        pa.parquet.write_table(block, files[-1])
    return files


def ours(truth: pd.DataFrame, store: Path) -> dict[str, Any]:
    """The dedup stage, as benchmarks.dedup measures it."""
    cost = measure([sys.executable, "-m", "benchmarks.dedup", "--measure", str(store)])
    return {**_cost(len(truth), cost), **judge(truth, clusters_in(Store(str(store))))}


def theirs(truth: pd.DataFrame, peer: Peer, envs: Path, data: Path, out: Path) -> dict[str, Any]:
    """One peer's figures, or why it has none."""
    try:
        python = install(peer, envs)
        cost = measure([str(python), str(_SCRIPTS / peer.script), str(data), str(out), *peer.arguments])
    except subprocess.CalledProcessError as error:
        return {"error": f"{Path(error.cmd[0]).name} {Path(error.cmd[1]).name} ended with {error.returncode}"}
    return {**_cost(len(truth), cost), **judge(truth, read_clusters(out))}


def install(peer: Peer, envs: Path) -> Path:
    """The Python of the peer's environment, which is made when it is not there. Raises CalledProcessError."""
    folder = envs / peer.environment
    python, done = folder / "bin/python", folder / "installed"
    if not done.exists():
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *peer.packages], check=True)
        done.touch()
    return python


def read_clusters(file: Path) -> pa.Table:
    """A peer's clusters as the judge reads ours."""
    lines = [line.split("\t") for line in file.read_text("utf-8").splitlines()]
    ids = [hash_fields("example", name) for name, _ in lines]
    return pa.table({"example_id": ids, "cluster_id": [cluster for _, cluster in lines]})


def ratio(figures: Mapping[str, Mapping[str, Any]]) -> float | None:
    """Our rows per CPU-second to those of the fastest peer with the recall; null without one, or without our own."""
    mine = figures["vatra"]
    if mine["recall_near"] < RECALL or mine["precision"] < PRECISION:
        return None
    able = [
        f["rows_per_cpu_s"] for n, f in figures.items() if n != "vatra" and f.get("recall_near", 0) >= RECALL
    ]
    return round(mine["rows_per_cpu_s"] / max(able), 2) if able else None


def table(figures: Mapping[str, Mapping[str, Any]]) -> str:
    """The figures as a Markdown table."""
    lines = [f"| | {' | '.join(_COLUMNS)} |", "|---|" + "---:|" * len(_COLUMNS)]
    for name, found in figures.items():
        cells = [str(found.get(column, "-")) for column in _COLUMNS]
        lines.append(f"| {name} | {' | '.join(cells)} |" + (f" {found['error']}" if "error" in found else ""))
    return "\n".join(lines)


def _cost(rows: int, cost: Mapping[str, float]) -> dict[str, float]:
    return {"rows_per_cpu_s": round(rows / cost["cpu_s"]), **cost}


if __name__ == "__main__":
    main()
