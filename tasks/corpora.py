"""The corpus that a training asks for: it must stand, be whole, and have passed its expectations."""

from __future__ import annotations

from schemas.errors import StoreError, UsageError
from schemas.tables import SPLITS
from storage.datasets import Dataset, find_dataset, verify
from storage.home import Home

_AGAIN = "Build the corpus again: only what is missing is computed."


def open_corpus(home: Home, fingerprint: str) -> Dataset:
    """A corpus by its fingerprint. Raises UsageError when there is none, StoreError when it must not be trained on."""
    found = None if "/" in fingerprint else find_dataset(home.store, "mix", fingerprint)
    if found is None:
        raise UsageError(
            f"there is no corpus {fingerprint[:80]!r} in this home",
            where=str(home.path / "datasets" / "mix"),
            fix="The end of a build and its report name it in full, in the path under datasets/mix; if that folder is "
            "gone, run the build again.",
        )
    validation = found.validation()
    if not validation.success:
        failed = next((result.name for result in validation.results if not result.success), "unknown")
        raise StoreError(
            f"the corpus did not pass its expectations ({failed})", where=fingerprint, fix=_AGAIN
        )
    return found


def verify_corpus(corpus: Dataset) -> None:
    """Compare every shard's bytes with the manifest. Raises StoreError for one that is not what was published."""
    for file in (file for split in SPLITS for file in corpus.files(split)):
        verify(corpus.store, file)
