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


def encode_fields(*fields: str | int) -> bytes:
    """Fields as bytes, each with its length before it: no two different tuples share an encoding.

    Encodings may be put behind one another: `encode_fields(a) + encode_fields(b)` is `encode_fields(a, b)`.
    """
    encoded = []
    for field in fields:
        data = str(field).encode("utf-8", "surrogatepass")
        encoded.append(b"%d:%b" % (len(data), data))
    return b"".join(encoded)


def hash_fields(*fields: str | int) -> str:
    """Hash of several fields."""
    return hash_bytes(encode_fields(*fields))


def canonical_json(value: Any) -> bytes:
    """The one JSON form that is hashed and stored: sorted keys, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def hash_json(value: Any) -> str:
    """Hash of a JSON value, independent of key order."""
    return hash_bytes(canonical_json(value))
