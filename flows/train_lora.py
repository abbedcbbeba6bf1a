"""The flow `train-lora`: an adapter from exactly one corpus, named by its fingerprint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows.outcomes import outcome
from flows.trainings import flow_here, train_as_asked
from schemas.settings.changes import PresetChanges, preset_changes
from schemas.settings.presets import ModelPresetName
from tasks.training_kinds import LORA

# The form shows every field of a preset; to mypy they are all one model.
if TYPE_CHECKING:
    GivenChanges = PresetChanges
else:
    GivenChanges = preset_changes()


@flow(name=LORA.stage, persist_result=False)
def train_lora(
    corpus: str,
    preset: ModelPresetName = ModelPresetName(LORA.default),  # noqa: B008 - a string
    changes: GivenChanges = GivenChanges(),  # noqa: B008 - frozen
    name: str | None = None,
    overwrite: bool = False,
) -> State[Any]:
    """Train a LoRA adapter from a corpus.

    Args:
        corpus: The fingerprint of the corpus, as a build prints it: the name of its folder under datasets/mix.
        preset: What is trained, and how: a preset of vatra, or the full path of a YAML file.
        changes: What shall be different from the preset, like {"epochs": 2, "batch_size": 1}.
        name: What the adapter is called; empty: the preset and the beginning of its fingerprint.
        overwrite: Move the name when another run has it.
    """
    return outcome(lambda: train_as_asked(LORA, corpus, preset, changes.given(), name, overwrite))


train_here = flow_here(LORA)
