"""Adapters that stand: found by name, tried, merged, told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.lora import base_identity
from models.lora.merging import merge
from models.lora.modelfile import write_modelfile
from models.lora.opening import check_handshake, open_adapter
from models.lora.sampling import PROMPTS
from models.lora.sampling import sample as answer
from models.quiet import quiet_libraries
from schemas.errors import StageFailed
from schemas.ids import hash_json
from schemas.settings import LoraPreset
from schemas.settings.training import PretrainedBase
from schemas.training_run import SaidSample
from storage.artifacts import artifact_folder, make_artifact, verify_artifact
from storage.home import Home
from storage.names import give_name
from tasks.finding_trained import find_trained, read_preset
from tasks.lineage import CARD
from tasks.reports.model_card import merged_card
from tasks.training_kinds import LORA
from tasks.training_log import SAMPLES, logs_of, write_list
from tasks.training_page import run_view, write_training_page

MERGED = "merge-lora"


@dataclass(frozen=True)
class Adapter:
    """An adapter that stands; `name` is what the person called it."""

    home: Home
    name: str
    fingerprint: str
    account: dict[str, Any]
    preset: LoraPreset

    @property
    def folder(self) -> Path:
        """The artifact's folder."""
        return Path(self.home.store.full(artifact_folder(LORA.stage, self.fingerprint)))

    @property
    def weights(self) -> Path:
        """The adapter's own folder, which other programs load."""
        return self.folder / "adapter"

    @property
    def base(self) -> Path:
        """The base's folder: the demo base lies beside the adapter. Raises MissingModel."""
        if not isinstance(self.preset.base, PretrainedBase):
            return self.folder / "base"
        return find_base(self.preset.base, self.home)

    def check(self) -> None:
        """Adapter and base are, byte for byte, those of the training. Raises StageFailed, StoreError, MissingModel."""
        check_handshake(self.weights, self.account.get("template"))
        verify_artifact(self.home.store, LORA.stage, self.fingerprint)
        if base_identity(self.preset, self.home.cache) != self.account["base_identity"]:
            raise StageFailed(
                "the base was changed since the adapter was trained on it",
                where=str(self.base),
                fix="Put the base back as it was, or train on this one.",
            )

    def write_page(self, samples: Sequence[SaidSample] | None = None) -> Path:
        """The run's page with these samples on it; they are kept in the home's logs (None: with those kept there)."""
        if samples is not None:
            write_list(logs_of(self.home, LORA.stage, self.fingerprint) / SAMPLES, samples)
        view = run_view(self.home, self.name, self.fingerprint, self.account, self.folder)
        return write_training_page(self.home, view)


def find_adapter(home: Home, name: str) -> Adapter:
    """An adapter by name, or 6 or more characters of its fingerprint. Raises UsageError, StoreError."""
    found = find_trained(home, LORA, name)
    preset = read_preset(LoraPreset, found)
    return Adapter(home, found.name, found.fingerprint, found.account, preset)


def sample_adapter(adapter: Adapter, prompts: Sequence[str] | None, max_tokens: int) -> Iterator[SaidSample]:
    """Base and adapter, prompt by prompt. Raises StageFailed when the template is not the one of the training."""
    with quiet_libraries():
        adapter.check()
        opened = open_adapter(adapter.base, adapter.weights, adapter.account.get("template"))
        for one in answer(opened, prompts or PROMPTS, max_tokens):
            yield SaidSample.model_validate(one.model_dump())


def merge_adapter(adapter: Adapter, dtype: str) -> tuple[Path, dict[str, Any], bool]:
    """The named folder of the merged model, what was found of it, and whether it stood already."""
    mark = hash_json({"adapter": adapter.fingerprint, "dtype": dtype, "version": 2})
    digest = adapter.account.get("template")

    def make(out: Path) -> dict[str, Any]:
        merged = merge(adapter.base, adapter.weights, out, dtype, digest).model_dump()
        card = (adapter.folder / CARD).read_text("utf-8")
        (out / CARD).write_text(merged_card(card, dtype), "utf-8")
        return merged

    with quiet_libraries():
        adapter.check()
        account, cached = make_artifact(adapter.home.store, MERGED, mark, make)
    if cached:
        verify_artifact(adapter.home.store, MERGED, mark)
    name = adapter.name if dtype == "fp32" else f"{adapter.name[:75]}-{dtype}"
    folder = give_name(adapter.home.store, "merged", name, MERGED, mark, overwrite=True)
    return folder, account, cached


def modelfile_of(adapter: Adapter) -> str:
    """A Modelfile of base and adapter as they lie on this machine."""
    adapter.check()
    tokenizer, template = check_handshake(adapter.weights, adapter.account.get("template"))
    return write_modelfile(template, tokenizer, str(adapter.base), str(adapter.weights))


def find_base(base: PretrainedBase, home: Home) -> Path:
    """Where a pretrained base lies on this machine. Raises MissingModel."""
    from models.lora.bases import find_base as find

    folder: Path = find(base, home.cache).folder
    return folder
