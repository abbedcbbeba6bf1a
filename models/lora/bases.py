"""Where a base lies, what it is, and its tokenizer. Importing this loads no model library."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.lora.reading import read_tokenizer
from schemas.errors import MissingModel, SettingsError
from schemas.files import expanded
from schemas.ids import hash_bytes, hash_fields
from schemas.settings import LoraPreset
from schemas.settings.training import DemoBase, PretrainedBase

#: Inside the home's cache, as the Hugging Face libraries lay it out.
HUB = "huggingface"
_NEEDED = ("config.json", "tokenizer_config.json")
#: Of larger files only size, head and tail are hashed: weights of many gigabytes would keep every plan waiting.
_WHOLE = 16 << 20


@dataclass(frozen=True)
class FoundBase:
    """A base on this machine. `revision` is the hub's commit, null for a plain folder."""

    folder: Path
    revision: str | None


def find_base(base: PretrainedBase, cache: Path | None) -> FoundBase:
    """The base's folder: a local one, or the fetched snapshot under `<cache>/huggingface`. Asks no other host.

    Raises MissingModel, naming what to fetch and where to put it.
    """
    given = expanded(base.name)
    if given.is_dir():
        found = FoundBase(given.resolve(), None)
        _check_files(found.folder, base.name)
        return found
    if cache is None or not _is_hub_id(base.name):
        raise MissingModel(f"there is no base model {base.name!r}", fix="Name its folder in the preset.")
    repository = cache / HUB / ("models--" + base.name.replace("/", "--"))
    revision = base.revision or _main(repository)
    snapshot = repository / "snapshots" / (revision or "none")
    if revision is None or not snapshot.is_dir():
        wanted = f" at {base.revision}" if base.revision else ""
        flag = f" --revision {base.revision}" if base.revision else ""
        raise MissingModel(
            f"the base model {base.name}{wanted} is not on this machine",
            where=str(repository),
            fix=f"On a machine with network: `hf download {base.name}{flag} --cache-dir {cache / HUB}`; "
            "or download it into any folder and name that folder as base.name in a preset of your own."
            + (f" {gate}" if (gate := gate_of(base.name)) else ""),
        )
    _check_files(snapshot, base.name)
    return FoundBase(snapshot, revision)


def gate_of(name: str) -> str | None:
    """What must be done before the hub hands out a base that its makers have put behind a licence; None: nothing."""
    if not name.startswith("meta-llama/"):
        return None
    return f"It is gated: accept its licence at https://huggingface.co/{name} and run `hf auth login` first."


def base_identity(preset: LoraPreset, cache: Path | None) -> str:
    """What the result of a run depends on in its base: the preset for a built one, the hub's commit, or a digest.

    The digest of a plain folder is over the names and contents of its files; of files above 16 MiB over size, first
    and last MiB. Raises MissingModel.
    """
    if isinstance(preset.base, DemoBase):
        return "built"
    found = find_base(preset.base, cache)
    if found.revision:
        return found.revision
    fields: list[str] = []
    for file in sorted(path for path in found.folder.iterdir() if path.is_file()):
        fields += [file.name, _digest(file)]
    return hash_fields(*fields)


def load_tokenizer(folder: Path) -> Any:
    """The base's tokenizer; it pads with its end mark where it has no pad mark (labels are made by us)."""
    tokenizer = read_tokenizer(folder)
    if not tokenizer.is_fast:
        raise SettingsError(
            "the base's tokenizer is a slow one, which cannot say where its tokens stand in the text",
            where=str(folder),
            fix="Take a base that has a tokenizer.json.",
        )
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def _check_files(folder: Path, name: str) -> None:
    missing = [file for file in _NEEDED if not (folder / file).is_file()]
    if not missing and not any(folder.glob("*.safetensors")):
        missing = ["*.safetensors"]
    if missing:
        raise MissingModel(
            f"the base model {name} is incomplete: no {missing[0]}",
            where=str(folder),
            fix="Download it again, whole; weights must be safetensors.",
        )


def _main(repository: Path) -> str | None:
    try:
        return (repository / "refs" / "main").read_text("utf-8").strip() or None
    except OSError:
        return None


def _is_hub_id(name: str) -> bool:
    parts = name.split("/")
    return len(parts) == 2 and all(part and not part.startswith(".") for part in parts)


def _digest(file: Path) -> str:
    size = file.stat().st_size
    with file.open("rb") as source:
        if size <= _WHOLE:
            return hash_bytes(source.read())
        head = source.read(1 << 20)
        source.seek(-(1 << 20), 2)
        return hash_fields(str(size), hash_bytes(head), hash_bytes(source.read()))
