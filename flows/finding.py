"""What a build reads: the exports that were named, and the files of its declared sources."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from models.hub import find_fetched
from schemas.errors import InputError, SettingsError, UsageError
from schemas.files import expanded
from schemas.manifest import BuildRecord, SourceFile
from schemas.settings import BuildSettings
from schemas.settings.mixing import OWN
from schemas.settings.sources import Source
from schemas.settings.sources_file import anchored, load_sources
from storage.home import Home
from tasks.exports import language_of
from tasks.parsers import Discovery, Skipped, discover
from tasks.parsers.declared import check_declared, find_declared

#: What says where a source lies; the files of a build that stands were found by it.
_PLACES = ("path", "dataset", "revision", "config", "split", "data_files", "rows")


def with_sources(settings: BuildSettings) -> BuildSettings:
    """The settings with the contents of the sources file in place of its name. Raises SettingsError."""
    sources = {name: anchored(source, Path.cwd()) for name, source in settings.sources.items()}
    if settings.sources_file is not None:
        given = load_sources(expanded(settings.sources_file))
        if twice := sorted(given.keys() & sources.keys()):
            raise SettingsError(f"the source {twice[0]!r} is declared twice", where=settings.sources_file)
        sources |= given
    mix = settings.mix
    weighted = {name: source.weight for name, source in sources.items() if source.weight is not None}
    if weighted and not (mix.shares or mix.weights):
        if unweighted := sorted(sources.keys() - weighted.keys()):
            raise SettingsError(
                f"the source {unweighted[0]!r} has no weight, and others have one",
                where="sources",
                fix="Give every source a weight, or none.",
            )
        # Where categories have ranges, a weight says how much of a category comes from the source.
        key = "weights" if mix.ranges else "shares"
        mix = mix.model_copy(update={key: dict(sorted(weighted.items()))})
    asked = any(OWN in name.split("+") for name in mix.shares)
    own = tuple(sorted(name for name, source in sources.items() if asked and source.is_own))
    mix = mix.model_copy(update={"own": own})
    return settings.model_copy(
        update={"sources": dict(sorted(sources.items())), "sources_file": None, "mix": mix}
    )


def find_files(
    home: Home, paths: Sequence[Path], sources: Mapping[str, Source], on_bytes: Callable[[int], None]
) -> Discovery:
    """All files of a build, sources checked against their data. Raises UsageError or InputError."""
    files: list[SourceFile] = []
    skipped: list[Skipped] = []
    if paths or not sources:
        found = discover(paths, on_bytes)
        files += found.files
        skipped += found.skipped
    for name, source in sorted(sources.items()):
        fetched = find_fetched(home.cache, source) if source.dataset is not None else {}
        found = find_declared(name, source, list(fetched) or list(map(Path, source.path)), on_bytes)
        _check_whole(found.files, fetched)
        if source.is_mapped:
            check_declared(name, source, found.files, language_of)
        files += found.files
        skipped += found.skipped
    return Discovery(tuple(files), tuple(skipped))


def _check_whole(files: Sequence[SourceFile], fetched: Mapping[Path, str]) -> None:
    """What was fetched must still be what was fetched. Raises InputError."""
    for file in files:
        if fetched and fetched[Path(file.path)] != file.digest:
            raise InputError(
                "the fetched file is damaged",
                where=file.path,
                fix="Delete its folder and run `vatra fetch --sources FILE` again.",
            )


def check_same_places(parent: BuildRecord, settings: BuildSettings) -> None:
    """A build over the files of another cannot look for others. Raises UsageError."""
    before = BuildSettings.model_validate(parent.settings).sources
    for name in sorted(before.keys() | settings.sources.keys()):
        old, new = before.get(name), settings.sources.get(name)
        if old is None or new is None or any(getattr(old, key) != getattr(new, key) for key in _PLACES):
            raise UsageError(
                f"the source {name!r} is another one than in build {parent.build}: its files must be found anew",
                where="sources",
                fix="Run `vatra build` with the sources you want.",
            )
