"""The heads of manifests: what a list of builds needs of them, and never a part of them.

A published manifest never changes, so what was read once is kept; whether it still stands is asked each time.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.errors import StoreError
from schemas.manifest import BuildRecord
from storage.artifacts import artifact_folder
from storage.catalog import read_build
from storage.datasets import dataset_folder
from storage.store import Store


class TrainingAccount(BaseModel):
    """What a list of builds says of what was trained: a NOVA stands on no base."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    base_is_demo: bool = False


class ManifestHead(BaseModel):
    """A manifest without its parts: a dataset has a `summary`, an artifact an `account`."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    stage: str
    fingerprint: str
    summary: dict[str, int] = {}
    account: TrainingAccount | None = None


class Heads:
    """Plans and manifest heads of one store, each read once."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._records: dict[str, BuildRecord] = {}
        self._heads: dict[str, ManifestHead] = {}

    def record(self, build: str) -> BuildRecord:
        """A build's plan. Raises UsageError when there is none, StoreError when it is damaged."""
        if build not in self._records:
            record = read_build(self.store, build)
            if record.build != build:
                raise StoreError("a build's plan is damaged: it names another build", where=build)
            self._records[build] = record
        return self._records[build]

    def head(self, stage: str, mark: str) -> ManifestHead | None:
        """The head of a stage's manifest, dataset or artifact; None when it does not stand.

        Raises StoreError when it is damaged.
        """
        for folder in (dataset_folder(stage, mark), artifact_folder(stage, mark)):
            path = f"{folder}/manifest.json"
            if self.store.exists(path):
                return self._heads.get(path) or self._read(path, stage, mark)
        return None

    def _read(self, path: str, stage: str, mark: str) -> ManifestHead | None:
        try:
            head = ManifestHead.model_validate_json(self.store.read(path))
        except FileNotFoundError:
            return None  # deleted just now
        except ValidationError:
            raise StoreError("a manifest is damaged", where=path) from None
        if (head.stage, head.fingerprint) != (stage, mark):
            raise StoreError("a manifest is damaged: it is that of another dataset", where=path)
        self._heads[path] = head
        return head
