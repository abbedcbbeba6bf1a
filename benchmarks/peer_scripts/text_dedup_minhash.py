"""text-dedup's MinHash, by its own command line at word 2-grams and 0.7.

    python text_dedup_minhash.py DATA OUT

OUT gets one line per text in a cluster: id, tab, cluster.
"""

import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow.parquet as pq


def main(data, out):
    """Find the clusters and write them."""
    files = sorted(Path(data).glob("*.parquet"))
    with tempfile.TemporaryDirectory() as folder:
        command = [
            *(sys.executable, "-m", "text_dedup.minhash", "--path", "parquet", "--data_files", f"{data}/*.parquet"),
            *("--split", "train", "--cache_dir", f"{folder}/cache", "--output", f"{folder}/out", "--debug"),
            *("--column", "text", "--ngram", "2", "--threshold", "0.7", "--num_proc", "2"),
        ]  # fmt: skip
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        with Path(folder, "out/uf.pkl").open("rb") as source:
            found = pickle.load(source)  # written a moment ago, by the command above
    ids = [name for file in files for name in pq.read_table(file, columns=["id"])["id"].to_pylist()]
    parents = found if isinstance(found, dict) else found.parent
    with Path(out).open("w") as sink:
        for row in list(parents):
            root = row
            while parents[root] != root:
                root = parents[root]
            sink.write(f"{ids[row]}\t{root}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
