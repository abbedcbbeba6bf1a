"""Which files only one of two builds has read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from schemas.comparison import InputFile
from schemas.manifest import SourceFile


def changed_inputs(
    before: Sequence[SourceFile], after: Sequence[SourceFile]
) -> tuple[list[InputFile], list[InputFile]]:
    """Files added and removed, by content: a file that was only moved or renamed is neither."""
    return _beyond(after, before), _beyond(before, after)


def _beyond(files: Sequence[SourceFile], others: Sequence[SourceFile]) -> list[InputFile]:
    known = Counter(file.digest for file in others)
    found = []
    for file in files:
        if known[file.digest]:
            known[file.digest] -= 1
        else:
            found.append(InputFile(label=file.label, digest=file.digest, bytes=file.size, format=file.format))
    return sorted(found, key=lambda file: (file.label, file.digest))
