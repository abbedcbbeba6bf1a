"""A stand-in for the Hugging Face hub on this machine: one data set, the endpoints that a fetch asks, and no more."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

NAME = "ana/kind-words"
COMMIT = "c0ffee" + "0" * 34


@dataclass
class Hub:
    """The repository's files by path, and what was asked for."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    #: Paths whose transfer breaks off in the middle.
    broken: set[str] = field(default_factory=set)

    def add_folder(self, folder: Path) -> None:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.files[path.relative_to(folder).as_posix()] = path.read_bytes()


def _entry(path: str, data: bytes) -> dict[str, Any]:
    oid = hashlib.sha1(data, usedforsecurity=False).hexdigest()
    return {"type": "file", "path": path, "size": len(data), "oid": oid}


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(head=True)

    def do_GET(self) -> None:
        self._answer(head=False)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        self.hub.asked.append(f"POST {self.path}")
        if urlsplit(self.path).path == f"/api/datasets/{NAME}/paths-info/{COMMIT}":
            asked = json.loads(body)["paths"] if body.startswith("{") else _form(body)
            found = [_entry(path, self.hub.files[path]) for path in asked if path in self.hub.files]
            folders = {p.rpartition("/")[0] for p in self.hub.files}
            found += [{"type": "directory", "path": p, "oid": "0" * 40} for p in asked if p in folders]
            self._json(found)
        else:
            self._json({"error": "not found"}, 404)

    def _answer(self, head: bool) -> None:
        self.hub.asked.append(f"{self.command} {self.path}")
        path = unquote(urlsplit(self.path).path)
        base = f"/api/datasets/{NAME}"
        if path in (base, f"{base}/revision/{COMMIT}"):
            self._json(self._info())
        elif path.startswith(f"{base}/tree/{COMMIT}"):
            below = path.removeprefix(f"{base}/tree/{COMMIT}").strip("/")
            self._json(self._tree(below))
        elif path.startswith(f"/datasets/{NAME}/resolve/{COMMIT}/"):
            self._file(path.removeprefix(f"/datasets/{NAME}/resolve/{COMMIT}/"), head)
        else:
            known = path.startswith((f"{base}/", f"/datasets/{NAME}/"))
            code = (
                "RevisionNotFound"
                if known and "revision" in path
                else "EntryNotFound"
                if known
                else "RepoNotFound"
            )
            self._json({"error": "not found"}, 404, code)

    def _info(self) -> dict[str, Any]:
        readme = self.hub.files.get("README.md", b"").decode()
        card: dict[str, Any] = {}
        if readme.startswith("---"):
            import yaml

            card = yaml.safe_load(readme.split("---")[1])
        siblings = [{"rfilename": path} for path in self.hub.files]
        return {"id": NAME, "sha": COMMIT, "siblings": siblings, "cardData": card, "tags": [], "private": False,
                "gated": False, "disabled": False, "downloads": 0, "likes": 0, "author": "ana"}  # fmt: skip

    def _tree(self, below: str) -> list[dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for path, data in self.hub.files.items():
            if below and not path.startswith(below + "/"):
                continue
            found[path] = _entry(path, data)
            folder = path.rpartition("/")[0]
            if folder and folder != below:
                found[folder] = {"type": "directory", "path": folder, "oid": "0" * 40, "size": 0}
        recursive = "recursive=true" in self.path.lower()
        depth = below.count("/") + 1 if below else 0
        return [entry for path, entry in found.items() if recursive or path.count("/") == depth]

    def _file(self, path: str, head: bool) -> None:
        data = self.hub.files.get(path)
        if data is None:
            self._json({"error": "not found"}, 404, "EntryNotFound")
            return
        start, stop, status = 0, len(data), 200
        asked = self.headers.get("Range", "")
        if asked.startswith("bytes="):
            first, _, last = asked.removeprefix("bytes=").partition("-")
            start, stop, status = int(first), min(int(last) + 1 if last else len(data), len(data)), 206
        self.send_response(status)
        self.send_header("Content-Length", str(stop - start))
        self.send_header("ETag", f'"{hashlib.sha1(data, usedforsecurity=False).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Accept-Ranges", "bytes")
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(data)}")
        self.end_headers()
        if head:
            return
        if path in self.hub.broken:
            self.wfile.write(data[start : start + (stop - start) // 2])
            self.close_connection = True
            return
        self.wfile.write(data[start:stop])

    def _json(self, value: object, status: int = 200, code: str = "") -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if code:
            self.send_header("X-Error-Code", code)
            self.send_header("X-Error-Message", "not found")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


def _form(body: str) -> list[str]:
    from urllib.parse import parse_qs

    return parse_qs(body).get("paths", [])


@contextmanager
def hub_at_work() -> Iterator[Hub]:
    """A hub on 127.0.0.1, on a free port."""
    hub = Hub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        hub.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield hub
        finally:
            server.shutdown()
