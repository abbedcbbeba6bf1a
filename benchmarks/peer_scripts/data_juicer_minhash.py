"""Data-Juicer's document_minhash_deduplicator at word 2-grams and 0.7, its operator called on a `datasets` table.

    python data_juicer_minhash.py DATA OUT

OUT gets one line per text in a cluster: id, tab, cluster.
"""

import sys
from pathlib import Path

from data_juicer.ops.deduplicator import document_minhash_deduplicator as module
from datasets import load_dataset

_made = []


class _Remembered(module.UnionFind):
    def __init__(self):
        super().__init__()
        _made.append(self)


module.UnionFind = _Remembered


def main(data, out):
    """Find the clusters and write them."""
    files = [str(file) for file in sorted(Path(data).glob("*.parquet"))]
    rows = load_dataset("parquet", data_files=files, split="train", cache_dir=f"{out}.cache")
    step = module.DocumentMinhashDeduplicator(tokenization="space", window_size=2, jaccard_threshold=0.7)
    step.process(rows.map(step.compute_hash, num_proc=2))
    ids = rows["id"]
    with Path(out).open("w") as sink:
        for row in list(_made[-1].parent):
            sink.write(f"{ids[row]}\t{_made[-1].find(row)}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
