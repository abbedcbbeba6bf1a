"""Data sets by name: fetched through `datasets` from a hub on this machine, built with every connection refused."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.flows.conftest import ROOT
from tests.models.hub.loopback import COMMIT, NAME, Hub, hub_at_work

CARD = b"""---
license: cc-by-4.0
configs:
- config_name: default
  data_files:
  - split: train
    path: data/train-*
---
# Kind words
"""
PROGRAM = b"raise SystemExit('a program of the repository was run')"


def rows(first: int, count: int) -> bytes:
    numbers = range(first, first + count)
    table = pa.table(
        {
            "asked": [f"How did evening number {n} go, and who came?" for n in numbers],
            "said": [f"It went well: neighbour number {n} came with a pie." for n in numbers],
        }
    )
    buffer = io.BytesIO()
    pq.write_table(table, buffer, row_group_size=100)
    return buffer.getvalue()


@pytest.fixture
def hub() -> Iterator[Hub]:
    with hub_at_work() as hub:
        hub.files["README.md"] = CARD
        hub.files["data/train-00000-of-00002.parquet"] = rows(0, 300)
        hub.files["data/train-00001-of-00002.parquet"] = rows(300, 200)
        yield hub


def declared(folder: Path, **more: Any) -> Path:
    source = {
        "dataset": NAME,
        "revision": COMMIT,
        "category": "empathetic",
        "mapping": {"turns": [{"user": "asked"}, {"assistant": "said"}]},
        **more,
    }
    path = folder / "sources.yaml"
    path.write_text(json.dumps({"sources": {"kind": {k: v for k, v in source.items() if v is not None}}}))
    return path


def test_fetched_once_and_built_with_the_network_cut(
    hub: Hub, run_vatra: Any, home: Path, tmp_path: Path
) -> None:
    file, user = declared(tmp_path), tmp_path / "user"
    none = ("--set", "toxicity.scorer=none")
    before = run_vatra("build", "--sources", file, "--home", home, *none, "--json", HOME=str(user))
    assert before.code == 2
    assert "is not on this machine" in before.errors
    assert "vatra fetch --sources" in before.errors
    first = run_vatra(
        "fetch", "--sources", file, "--home", home, "--json", HF_ENDPOINT=hub.url, HOME=str(user)
    )
    assert first.code == 0, first.errors
    assert first.object["fetched"]["kind"]["rows"] == 500
    assert first.object["fetched"]["kind"]["license"] == "cc-by-4.0"
    assert not (user / ".cache").exists(), "the hub's cache lies inside the home"
    (record,) = home.glob("cache/sets/*/*/fetched.json")
    assert (json.loads(record.read_text())["revision"], len(hub.asked) > 0) == (COMMIT, True)
    hub.asked.clear()
    again = run_vatra("fetch", "--sources", file, "--home", home, "--json", HF_ENDPOINT=hub.url)
    assert (again.code, hub.asked) == (0, [])
    built = run_vatra(
        *("build", "--sources", file, "--home", home, *none, "--json"),
        PYTHONPATH=f"{ROOT / 'tests/offline'}{os.pathsep}{ROOT}",
        VATRA_TEST_SOCKETS=str(tmp_path / "refused.txt"),
    )
    assert built.code == 0, built.errors
    assert built.object["imports"]["kept"] == 500
    (part,) = home.glob("cache/sets/*/*/part-*.parquet")
    part.write_bytes(part.read_bytes().replace(b"PAR1", b"PAR2", 1))
    torn = run_vatra("build", "--sources", file, "--home", home, *none, "--json")
    assert torn.code == 1
    assert "not a Parquet file" in torn.errors


def test_only_the_first_rows_when_asked(hub: Hub, run_vatra: Any, tmp_path: Path) -> None:
    file = declared(tmp_path, rows=70)
    done = run_vatra("fetch", "--sources", file, "--home", tmp_path / "home", "--json", HF_ENDPOINT=hub.url)
    assert done.code == 0, done.errors
    assert done.object["fetched"]["kind"]["rows"] == 70
    assert not any("00001-of" in line for line in hub.asked), "the second file was not needed"


@pytest.mark.parametrize(
    ("more", "variables", "code", "said"),
    [
        ({"revision": None}, {}, 2, r"is not pinned: revision is a full commit"),
        ({"revision": "main"}, {}, 2, r"is not pinned"),
        ({"revision": "d" * 40}, {}, 1, r"no such data set, or no such commit (ana/kind-words at dddddddddddd)"),
        ({"dataset": "ana/unkind"}, {}, 1, "no such data set"),
        ({"split": "tarin"}, {}, 1, "Bad split: tarin. Available splits: ['train']"),
        ({}, {"HF_HUB_OFFLINE": "1"}, 2, "HF_HUB_OFFLINE forbids to fetch it"),
        ({}, {"HF_ENDPOINT": "http://127.0.0.1:9"}, 1, "could not fetch"),
    ],
)  # fmt: skip
def test_refused(
    hub: Hub, run_vatra: Any, tmp_path: Path, more: Any, variables: Any, code: int, said: str
) -> None:
    file, home = declared(tmp_path, **more), tmp_path / "home"
    done = run_vatra("fetch", "--sources", file, "--home", home, **{"HF_ENDPOINT": hub.url, **variables})
    assert done.code == code, done.errors
    assert said in " ".join(done.errors.split()), done.errors
    assert list(home.glob("cache/sets/*/*")) == []


def test_a_program_of_the_repository_is_never_run(hub: Hub, run_vatra: Any, tmp_path: Path) -> None:
    hub.files["kind-words.py"] = PROGRAM
    file, home = declared(tmp_path), tmp_path / "home"
    done = run_vatra("fetch", "--sources", file, "--home", home, HF_ENDPOINT=hub.url)
    assert (done.code, "a program of the repository was run" in done.errors) == (1, False)
    assert "needs a program of its own, which is never run" in done.errors
    assert "refs/convert/parquet" in done.errors


def test_a_transfer_that_breaks_off_leaves_nothing(hub: Hub, run_vatra: Any, tmp_path: Path) -> None:
    hub.files["data/train-00001-of-00002.parquet"] = b"PAR1 and no more"
    file, home = declared(tmp_path), tmp_path / "home"
    done = run_vatra("fetch", "--sources", file, "--home", home, HF_ENDPOINT=hub.url)
    assert done.code == 1
    assert "cannot be read" in done.errors
    assert list(home.glob("cache/sets/*/*")) == []
    hub.files["data/train-00001-of-00002.parquet"] = rows(300, 200)
    done = run_vatra("fetch", "--sources", file, "--home", home, "--json", HF_ENDPOINT=hub.url)
    assert done.object["fetched"]["kind"]["rows"] == 500
