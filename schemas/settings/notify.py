"""Whom to tell of a build, and of what. Nothing here changes a result, so no stage's settings hold it."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from pydantic import Field, field_serializer, field_validator

from schemas.settings.model import Settings

#: What stands in place of an address that was typed as it is: it may hold a token.
HIDDEN = "(hidden)"
#: A name for the address that may be shown: an environment variable, or an entry of the home's own keeping.
REFERENCE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]{0,127}|kept:[0-9a-f]{32}")


class NotifySettings(Settings):
    """A message to a webhook when a build failed, or when it keeps another share of the messages than the last."""

    webhook: str | None = Field(
        None,
        repr=False,
        description="Where to POST: env:NAME (recommended: the environment variable NAME holds the address), "
        "or an http(s) address. None: nobody is told and the network stays cut.",
    )
    kept_share_moved: float | None = Field(
        0.05,
        ge=0,
        le=1,
        description="Tell when the kept share moved by more than this since the last complete build "
        "(0.05: five percentage points). None: never.",
    )
    on_failure: bool = Field(True, description="Tell when a build failed.")

    @field_validator("webhook")
    @classmethod
    def _possible(cls, value: str | None) -> str | None:
        if value is None or REFERENCE.fullmatch(value):
            return value
        if value == HIDDEN:
            raise ValueError("the address was hidden when these settings were shown: give it again")
        if value.startswith(("env:", "kept:")):
            raise ValueError("after env: comes the name of an environment variable")
        check_address(value)
        return value

    @field_serializer("webhook")
    def _masked(self, value: str | None) -> str | None:
        return value if value is None or REFERENCE.fullmatch(value) else HIDDEN


def check_address(address: str) -> None:
    """Raises ValueError (which never quotes it) when this is no http or https address of a host."""
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:  # a port that is none, brackets that do not close
        usable = False
    if not usable or re.search(r"[\s\x00-\x20\x7f]", address):
        raise ValueError("a webhook is an http:// or https:// address, or env:NAME")
