"""Addresses to tell builds to, which may hold a token: a build's record names them and never holds them.

`env:NAME` is an environment variable. An address that was typed as it is goes to `secrets/webhook-<digest>` in the
home, readable by its owner only, and is called `kept:<digest>` from then on.
"""

from __future__ import annotations

import os
from pathlib import Path

from schemas.errors import SettingsError
from schemas.ids import hash_bytes
from schemas.settings.notify import REFERENCE, check_address
from storage.home import Home
from storage.store import translated

WHERE = "notify.webhook"


def keep_webhook(home: Home, webhook: str) -> str:
    """The reference that stands for an address; one that is a reference already is returned as it is."""
    if REFERENCE.fullmatch(webhook):
        return webhook
    digest = hash_bytes(webhook.encode())
    path = _path(home, digest)
    with translated("keep the webhook's address", str(path)):
        path.parent.mkdir(exist_ok=True, mode=0o700)
        temporary = path.with_suffix(f".{os.getpid()}")
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as sink:
            sink.write(webhook)
        temporary.replace(path)
    return f"kept:{digest}"


def find_webhook(home: Home, webhook: str) -> str:
    """The address behind a reference. Raises SettingsError, which never quotes it, when there is none to be had."""
    kind, _, name = webhook.partition(":")
    if not REFERENCE.fullmatch(webhook):
        return webhook  # typed as it is, and checked when the settings were read
    address = _in_environment(name) if kind == "env" else _kept(home, name)
    try:
        check_address(address)
    except ValueError:
        raise SettingsError(
            "what stands for the webhook is no http:// or https:// address", where=f"{WHERE}, {webhook}"
        ) from None
    return address


def _in_environment(name: str) -> str:
    address = os.environ.get(name)
    if not address:
        raise SettingsError(
            f"the webhook's address is to be in the environment variable {name}, which is not set",
            where=WHERE,
            fix=f"Set {name} where the build runs, or use --set {WHERE}=null.",
        )
    return address


def _kept(home: Home, digest: str) -> str:
    path = _path(home, digest)
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        raise SettingsError(
            "the webhook's address is not in this home any more",
            where=str(path),
            fix=f"Give it again (--set {WHERE}=env:NAME), or use --set {WHERE}=null.",
        ) from None


def _path(home: Home, digest: str) -> Path:
    return home.path / "secrets" / f"webhook-{digest}"
