"""The lines of a report that tell what was read of each file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tasks.parsers.declared.parsing import PIECE
from tasks.reports import Tables

_COUNTS = [f"conversations_{kind}" for kind in ("seen", "kept", "empty", "failed", "duplicate")]


def files_read(tables: Tables, labels: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """One line per file read, named as the person named it; a file that was read in pieces is one line.

    `labels` are the names of the files by digest, in the order in which they were read: equal files have one digest.
    """
    if not tables.has("imports"):
        return []
    columns = [
        "file_digest",
        "format",
        "bytes",
        "encoding",
        *_COUNTS,
        "conversations_left_out",
        "failures",
        "warnings",
    ]
    rows = [row for part in tables.scan("imports", columns) for row in part.to_pylist()]
    of_digest = Counter(row["file_digest"] for row in rows)
    met: Counter[str] = Counter()
    lines: dict[tuple[str, int], dict[str, Any]] = {}
    for row in rows:
        digest = row["file_digest"]
        names = labels.get(digest) or [digest]
        number = met[digest] * len(names) // of_digest[digest]  # equal files have equally many pieces
        met[digest] += 1
        line = lines.setdefault((digest, number), {
            "label": names[number], "format": row["format"], "bytes": row["bytes"], "encoding": row["encoding"],
            **{name.removeprefix("conversations_"): 0 for name in _COUNTS}, "left_out": 0,
            "failures": [], "warnings": [],
        })  # fmt: skip
        for name in _COUNTS:
            line[name.removeprefix("conversations_")] += row[name]
        line["left_out"] += sum(item["count"] for item in row["conversations_left_out"] or ())
        line["failures"] += row["failures"]
        line["warnings"] += [told for told in row["warnings"] if not told.startswith(PIECE)]
    return list(lines.values())
