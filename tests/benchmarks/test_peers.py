"""The table of the peers: who counts for the ratio, and a peer that cannot be run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmarks.dedup import judge
from benchmarks.peers import Peer, ratio, read_clusters, table, theirs


def figures(rows: int, recall: float, precision: float = 1.0) -> dict[str, Any]:
    return {"rows_per_cpu_s": rows, "recall_near": recall, "precision": precision}


def test_the_ratio_is_to_the_fastest_peer_that_finds_enough() -> None:
    found = {
        "vatra": figures(24_000, 0.95), "quick": figures(6_000, 0.919), "able": figures(3_000, 0.92),
        "slow": figures(1_000, 0.99), "broken": {"error": "no"},
    }  # fmt: skip
    assert ratio(found) == 8.0


@pytest.mark.parametrize(
    "found",
    [
        {"vatra": figures(24_000, 0.95), "quick": figures(6_000, 0.9), "broken": {"error": "no"}},
        {"vatra": figures(24_000, 0.91), "able": figures(3_000, 0.95)},
        {"vatra": figures(24_000, 0.95, 0.9998), "able": figures(3_000, 0.95)},
    ],
    ids=["no peer finds enough", "we do not", "we are not precise"],
)
def test_no_ratio_where_there_is_nothing_to_compare(found: dict[str, Any]) -> None:
    assert ratio(found) is None


def test_a_peers_clusters_are_judged_as_ours(tmp_path: Path) -> None:
    truth = pd.DataFrame(
        {"id": ["a", "b", "c", "d"], "kind": ["original", "exact", "near", "hard"], "parent": [None, "a", "a", "a"]}
    )  # fmt: skip
    file = tmp_path / "x.tsv"
    file.write_text("a\t1\nb\t1\nc\t2\nd\t1\n", "utf-8")
    found = judge(truth, read_clusters(file))
    assert (found["recall_exact"], found["recall_near"], found["hard_merged"]) == (1.0, 0.0, 1)
    assert found["precision"] == pytest.approx(1 / 3, abs=1e-5)


def test_a_peer_that_cannot_be_installed_is_named_with_the_reason(tmp_path: Path) -> None:
    peer = Peer("none", (str(tmp_path / "no-such-wheel.whl"),), "datasketch_script.py")
    found = theirs(pd.DataFrame({"id": []}), peer, tmp_path, tmp_path, tmp_path / "out")
    assert found == {"error": "python -m ended with 1"}
    assert "python -m ended with 1" in table({"none": found})
