"""The trainings of a corpus that stand in a home, by name: what a build's report leads to."""

from __future__ import annotations

from pathlib import Path

from schemas.errors import StoreError
from schemas.manifest import BuildRecord
from schemas.summary import NamedTraining
from storage.artifacts import artifact_folder, find_artifact
from storage.home import Home
from storage.names import list_names, names_folder
from tasks.lineage import read_origin
from tasks.training_kinds import TrainingKind


def trainings_of(home: Home, kind: TrainingKind, record: BuildRecord) -> list[NamedTraining]:
    """What was trained from a build's corpus, of one kind: its own first, then by name.

    Only names and the heads of lineages are read. A name whose run was pruned, or is damaged, leads nowhere and is
    left out: whoever uses it is told why.
    """
    corpus, own = record.stages.get("mix"), record.stages.get(kind.stage)
    found = []
    for name, mark in list_names(home.store, kind.names).items() if corpus else ():
        try:
            stands = find_artifact(home.store, kind.stage, mark) is not None
            folder = Path(home.store.full(artifact_folder(kind.stage, mark)))
            if not stands or (mark != own and read_origin(folder)[0] != corpus):
                continue
        except StoreError:
            continue
        page = kind.page_of(home, name)
        found.append(
            NamedTraining(
                name=name,
                fingerprint=mark,
                folder=home.store.full(f"{names_folder(kind.names)}/{name}"),
                page=str(page) if page.is_file() else None,
                own=mark == own,
            )
        )
    return sorted(found, key=lambda one: (not one.own, one.name))
