from __future__ import annotations

import hashlib
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from models.toxicity import fetch_detoxify, open_scorer, scorer_digest
from schemas.errors import SettingsError, StageFailed


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


class Host:
    """A host of our own with a checkpoint, and a stand-in for the hub; it counts what is asked of it."""

    def __init__(self, folder: Path, url: str, source: Path) -> None:
        self.folder, self.url, self.source, self.asked = folder, url, source, 0

    def publish(self, data: bytes, digest: str | None = None) -> str:
        name = f"toxic-{digest or hashlib.sha256(data).hexdigest()[:8]}.ckpt"
        (self.folder / name).write_bytes(data)
        return f"{self.url}/{name}"

    def snapshot(self, repo: str, *, revision: str, local_dir: Path, allow_patterns: list[str]) -> str:
        assert (repo, revision) == ("bert-base-uncased", "c0ffee")
        self.asked += 1
        for file in (self.source / "model").iterdir():
            if file.name in allow_patterns:
                local_dir.mkdir(exist_ok=True)
                shutil.copy(file, local_dir)
        return str(local_dir)


@pytest.fixture
def host(tmp_path: Path, tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    import huggingface_hub
    from detoxify import detoxify

    (tmp_path / "www").mkdir()
    handler = partial(QuietHandler, directory=str(tmp_path / "www"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        host = Host(tmp_path / "www", url, tiny_cache / "detoxify/original")
        checkpoint = host.publish((host.source / "checkpoint.ckpt").read_bytes())
        monkeypatch.setitem(detoxify.MODEL_URLS, "original", checkpoint)
        monkeypatch.setattr(huggingface_hub, "snapshot_download", host.snapshot)
        monkeypatch.setattr(
            huggingface_hub.HfApi, "model_info", lambda self, repo: SimpleNamespace(sha="c0ffee")
        )
        yield host
        server.shutdown()


def test_what_was_fetched_scores(host: Host, tiny_cache: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    folder = fetch_detoxify("original", tmp_path / "cache", lines.append)
    assert folder == tmp_path / "cache/detoxify/original"
    assert [path.name for path in folder.parent.iterdir()] == ["original"]
    assert scorer_digest("detoxify:original", tmp_path / "cache") == scorer_digest(
        "detoxify:original", tiny_cache
    )
    assert open_scorer("detoxify:original", tmp_path / "cache").score(["good day"])["toxicity"].shape == (1,)
    source = json.loads((folder / "source.json").read_text())
    assert source["base"] == "bert-base-uncased"
    assert source["revision"] == "c0ffee"
    assert source["sha256"] == hashlib.sha256((folder / "checkpoint.ckpt").read_bytes()).hexdigest()
    assert str(tmp_path) not in json.dumps(source)
    assert any(host.url in line for line in lines)


def test_a_second_fetch_downloads_nothing_unless_the_files_are_damaged(host: Host, tmp_path: Path) -> None:
    folder = fetch_detoxify("original", tmp_path / "cache", lambda line: None)
    lines: list[str] = []
    fetch_detoxify("original", tmp_path / "cache", lines.append)
    assert host.asked == 1
    assert "here already" in lines[0]
    (folder / "checkpoint.ckpt").write_bytes(b"torn")
    fetch_detoxify("original", tmp_path / "cache", lambda line: None)
    assert host.asked == 2
    assert open_scorer("detoxify:original", tmp_path / "cache").score(["x"])["toxicity"].shape == (1,)
    assert [path.name for path in folder.parent.iterdir()] == ["original"]


def refuses(cache: Path, match: str) -> None:
    with pytest.raises(StageFailed, match=match):
        fetch_detoxify("original", cache, lambda line: None)
    assert list((cache / "detoxify").iterdir()) == []


def test_another_file_than_the_published_one_is_refused(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from detoxify import detoxify

    monkeypatch.setitem(detoxify.MODEL_URLS, "original", host.publish(b"something else", "0badf00d"))
    refuses(tmp_path / "cache", "SHA-256 differs")


def test_a_download_that_breaks_off_leaves_nothing(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    def broken(repo: str, *, local_dir: Path, **rest: object) -> str:
        local_dir.mkdir()
        shutil.copy(host.source / "model/config.json", local_dir)
        raise ConnectionError("reset by peer")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", broken)
    refuses(tmp_path / "cache", r"could not download \(ConnectionError\).*bert-base-uncased.*network")


def test_files_that_do_not_work_are_refused(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (empty := tmp_path / "empty" / "model").mkdir(parents=True)
    (empty / "config.json").write_text("{}")
    host.source = empty.parent
    refuses(tmp_path / "cache", "holds no tokenizer file")


def test_without_network_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from detoxify import detoxify

    monkeypatch.setitem(detoxify.MODEL_URLS, "original", "http://127.0.0.1:9/toxic-c1212f89.ckpt")
    refuses(tmp_path / "cache", r"could not download \(URLError\).*127\.0\.0\.1:9.*Is the network up")


def test_an_unknown_variant(tmp_path: Path, write_detoxify: Callable[..., Path]) -> None:
    with pytest.raises(SettingsError, match=r"no variant 'big'.*multilingual"):
        fetch_detoxify("big", tmp_path, lambda line: None)
