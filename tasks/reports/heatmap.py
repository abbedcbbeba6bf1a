"""A matrix of shares as a picture inside the page: a PNG of one colour, more opaque where there is more."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np

#: Between the embers of the light and of the dark page: the picture is the same on both.
EMBER = (0xD2, 0x5F, 0x2A)
_LEVELS = 256


def heatmap(shares: np.ndarray) -> str:
    """A `data:` address of [rows, columns] of 0 to 1. Opacity is the root of the share: small ones are seen too."""
    values = np.sqrt(np.clip(np.nan_to_num(shares), 0, 1)) * (_LEVELS - 1)
    rows, columns = shares.shape
    lines = np.zeros((rows, columns + 1), np.uint8)  # each begins with its filter: none
    lines[:, 1:] = np.round(values)
    png = b"".join((
        b"\x89PNG\r\n\x1a\n",
        _chunk(b"IHDR", struct.pack(">IIBBBBB", columns, rows, 8, 3, 0, 0, 0)),
        _chunk(b"PLTE", bytes(EMBER) * _LEVELS),
        _chunk(b"tRNS", bytes(range(_LEVELS))),
        _chunk(b"IDAT", zlib.compress(lines.tobytes(), 9)),
        _chunk(b"IEND", b""),
    ))  # fmt: skip
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
