"""Downloads Detoxify's weights: the only code under `models/` that asks another host for anything."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from models.quiet import quiet_libraries
from models.toxicity.checkpoint import read_checkpoint
from models.toxicity.detoxify_scorer import load_detoxify
from models.toxicity.files import CHECKPOINT, MODEL, MODEL_FILES, SOURCE, check_files, variant_folder
from models.toxicity.names import VARIANTS
from schemas.errors import MissingModel, SettingsError, StageFailed, StoreError

#: Published checkpoints carry the start of their SHA-256 in their name, as torch.hub wants it.
_HASH = re.compile(r"-([0-9a-f]{8,64})\.ckpt$")


def fetch_detoxify(variant: str, cache: Path, report: Callable[[str], None]) -> Path:
    """Bring a variant's checkpoint, config and tokenizer into the cache and give back their folder.

    `report` is told each step in one line. The folder appears whole and tried out, or not at all; what stands
    there and works is kept. Raises SettingsError (no such variant), StageFailed (no network, a wrong file),
    StoreError (the cache cannot be written).
    """
    if variant not in VARIANTS:
        raise SettingsError(f"Detoxify has no variant {variant!r}", fix=f"There are: {', '.join(VARIANTS)}.")
    folder = variant_folder(cache, variant)
    if _works(folder, variant):
        report(f"detoxify:{variant} is here already: {folder}")
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Same file system, so that the last step is one rename.
        draft = Path(tempfile.mkdtemp(prefix=f".{variant}.", dir=folder.parent))
    except OSError as error:
        raise StoreError(f"cannot write to the cache: {error.strerror}", where=str(folder.parent)) from None
    try:
        _download(variant, draft, report)
        report("trying it out")
        _try_out(variant, draft)
        _put_in_place(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    report(f"detoxify:{variant} is ready: {folder}")
    return folder


def _download(variant: str, draft: Path, report: Callable[[str], None]) -> None:
    """Fill `draft` with the three things of a variant's folder."""
    from detoxify.detoxify import MODEL_URLS

    url = MODEL_URLS[variant]
    report(f"downloading {url}")
    _download_checkpoint(url, draft / CHECKPOINT)
    base = read_checkpoint(draft / CHECKPOINT, variant).model_type
    report(f"downloading the config and tokenizer of {base}")
    revision = _download_model_files(base, draft / MODEL)
    with (draft / CHECKPOINT).open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    source = {"checkpoint": url, "sha256": sha256, "base": base, "revision": revision}
    (draft / SOURCE).write_text(json.dumps(source, indent=1, sort_keys=True) + "\n", "utf-8")


def _download_checkpoint(url: str, path: Path) -> None:
    from torch.hub import download_url_to_file

    found = _HASH.search(url)
    try:
        download_url_to_file(url, str(path), hash_prefix=found.group(1) if found else None, progress=False)
    except OSError as error:
        raise _unreachable(url, error) from None
    except RuntimeError:
        raise StageFailed(
            "the downloaded checkpoint is not the published one: its SHA-256 differs",
            where=url,
            fix="Nothing was kept. Try again; if it stays so, something on the way changes the file.",
        ) from None


def _download_model_files(base: str, folder: Path) -> str:
    """Config and tokenizer files of a base model from the Hugging Face hub; returns their commit."""
    from huggingface_hub import HfApi, errors, snapshot_download

    try:
        with quiet_libraries():
            revision = str(HfApi().model_info(base).sha)
            snapshot_download(base, revision=revision, local_dir=folder, allow_patterns=list(MODEL_FILES))
    except (OSError, errors.HTTPError, errors.HFValidationError, errors.RevisionResolutionError) as error:
        raise _unreachable(f"huggingface.co/{base}", error) from None
    shutil.rmtree(folder / ".cache", ignore_errors=True)  # the hub's notes about the download
    return revision


def _try_out(variant: str, draft: Path) -> None:
    """Load and score once; what was downloaded but does not work is refused."""
    try:
        check_files(draft, variant)
        load_detoxify(variant, draft, "cpu").score(["A try."])
    except MissingModel as error:
        what = f"the downloaded files do not work: {error.what}"
        raise StageFailed(what, fix="Nothing was kept; try again.") from None


def _works(folder: Path, variant: str) -> bool:
    try:
        check_files(folder, variant)
        load_detoxify(variant, folder, "cpu")
    except MissingModel:
        return False
    return True


def _put_in_place(draft: Path, folder: Path) -> None:
    """Rename the finished draft to its place; an unusable folder there makes way first."""
    try:
        draft.chmod(0o755)  # mkdtemp makes a folder for its owner alone
        if folder.exists():
            folder.rename(draft.with_name(f"{draft.name}.old"))
        draft.rename(folder)
        shutil.rmtree(draft.with_name(f"{draft.name}.old"), ignore_errors=True)
    except OSError as error:
        raise StoreError(f"cannot put the model in place: {error.strerror}", where=str(folder)) from None


def _unreachable(place: str, error: Exception) -> StageFailed:
    return StageFailed(
        f"could not download ({type(error).__name__})",
        where=place,
        fix="Is the network up, and the host reachable? Nothing was kept; run the same command again.",
    )
