from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from models.toxicity import SCORERS, scorer_digest, scorer_languages, scorer_libraries
from schemas.errors import MissingModel, SettingsError


def test_digests_that_need_no_files(tmp_path: Path) -> None:
    assert scorer_digest("none", tmp_path) == "none"
    assert scorer_digest("profanity", tmp_path) == scorer_digest("profanity", tmp_path / "elsewhere")
    assert len(scorer_digest("profanity", tmp_path)) == 32


def test_the_digest_is_of_content_and_not_of_place(tiny_cache: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_cache, tmp_path / "moved")
    first = scorer_digest("detoxify:original", tiny_cache)
    assert scorer_digest("detoxify:original", tmp_path / "moved") == first
    (tmp_path / "moved/detoxify/original/model/README.md").write_text("A note changes no score.")
    assert scorer_digest("detoxify:original", tmp_path / "moved") == first


@pytest.mark.parametrize(
    "name", ["checkpoint.ckpt", "model/config.json", "model/vocab.txt", "model/tokenizer_config.json"]
)
def test_one_changed_byte_changes_the_digest(tiny_cache: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(tiny_cache, tmp_path / "copy")
    file = tmp_path / "copy/detoxify/original" / name
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    before, after = (scorer_digest("detoxify:original", c) for c in (tiny_cache, tmp_path / "copy"))
    assert before != after


@pytest.mark.parametrize(
    ("removed", "problem"),
    [
        (".", "its weights are not on this machine"),
        ("checkpoint.ckpt", "checkpoint.ckpt is missing"),
        ("model/config.json", "model/config.json is missing"),
        ("model/vocab.txt", "model/ holds no tokenizer file"),
    ],
)
def test_what_is_missing_is_named_with_ways_out(
    tmp_path: Path, write_detoxify: Callable[..., Path], removed: str, problem: str
) -> None:
    folder = write_detoxify(tmp_path, "unbiased-small")
    target = folder / removed
    shutil.rmtree(target) if target.is_dir() else target.unlink()
    with pytest.raises(MissingModel) as caught:
        scorer_digest("detoxify:unbiased-small", tmp_path)
    message = str(caught.value)
    assert problem in message
    assert str(folder) in message
    assert "vatra fetch toxicity --variant unbiased-small" in message
    assert "--set toxicity.scorer=profanity" in message
    assert "--set toxicity.scorer=none" in message
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("keep", [0, 5000])
def test_a_torn_download_is_seen_without_loading_it(
    tmp_path: Path, write_detoxify: Callable[..., Path], keep: int
) -> None:
    checkpoint = write_detoxify(tmp_path) / "checkpoint.ckpt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:keep])
    with pytest.raises(MissingModel, match="torn"):
        scorer_digest("detoxify:original", tmp_path)


def test_every_scorer_says_what_it_reads_and_depends_on() -> None:
    from importlib.metadata import version

    for name in SCORERS:
        assert all(version(library) for library in scorer_libraries(name))
        assert ("en" in scorer_languages(name)) == (name != "none")
        assert "ro" not in scorer_languages(name)
    assert scorer_languages("none") == frozenset()
    assert scorer_languages("detoxify:multilingual") == {"en", "fr", "es", "it", "pt", "tr", "ru"}
    assert scorer_languages("detoxify:original-small") == scorer_languages("profanity") == {"en"}


def test_an_unknown_scorer_is_answered_with_the_known(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"'detoxify:orginal'.*detoxify:original-small"):
        scorer_digest("detoxify:orginal", tmp_path)
