"""The script that one writes with datasketch: MinHash of word 2-grams, an LSH index at 0.7, components.

    python datasketch_script.py DATA OUT

OUT gets one line per text in a cluster: id, tab, cluster.
"""

import sys
from itertools import pairwise
from pathlib import Path

import pyarrow.parquet as pq
from datasketch import MinHash, MinHashLSH


def main(data, out):
    """Find the clusters and write them."""
    lsh = MinHashLSH(threshold=0.7, num_perm=128)
    parent = {}

    def find(name):
        while parent.setdefault(name, name) != name:
            parent[name] = name = parent[parent[name]]
        return name

    for file in sorted(Path(data).glob("*.parquet")):
        for batch in pq.ParquetFile(file).iter_batches(10_000, columns=["id", "text"]):
            for name, text in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                words = text.lower().split()
                sketch = MinHash(num_perm=128)
                sketch.update_batch({" ".join(pair).encode() for pair in pairwise(words)})
                for other in lsh.query(sketch):
                    parent[find(name)] = find(other)
                lsh.insert(name, sketch)
    with Path(out).open("w") as sink:
        for name in list(parent):
            sink.write(f"{name}\t{find(name)}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
