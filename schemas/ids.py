"""128-bit ids and digests, as 32 hexadecimal characters.

Ids are hashes of provider and native id, or of content and occurrence; never of a position in a file that changes.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

DIGEST_BYTES = 16


def hash_bytes(data: bytes) -> str:
    """BLAKE2b-128 of `data`, in hexadecimal."""
    return hashlib.blake2b(data, digest_size=DIGEST_BYTES).hexdigest()


def hash_fields(*fields: str | int) -> str:
    """Hash of several fields; no two different tuples share an encoding (each field is length-prefixed)."""
    encoded = [str(field).encode("utf-8", "surrogatepass") for field in fields]
    return hash_bytes(b"".join([b"%d:%b" % (len(data), data) for data in encoded]))


def canonical_json(value: Any) -> bytes:
    """The one JSON form that is hashed and stored: sorted keys, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def hash_json(value: Any) -> str:
    """Hash of a JSON value, independent of key order."""
    return hash_bytes(canonical_json(value))
