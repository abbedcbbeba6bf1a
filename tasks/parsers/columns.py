"""Arrow arrays straight from Python values.

`pyarrow.array` would do the same, but imports pandas on the way (50 MB and 0.3 s that parsing has no other use for),
and takes longer over texts, which are encoded already.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import pyarrow as pa


def arrow_array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """The values (None: null) as an array of strings, 32 or 64 bit numbers, timestamps, lists or structs.

    A string may come as its UTF-8 bytes; a timestamp is a whole number in the unit of the type.
    """
    if values.count(None) == len(values):
        return pa.nulls(len(values), kind)
    valid = _validity(values)
    if pa.types.is_string(kind):
        texts = [value.encode() if isinstance(value, str) else value or b"" for value in values]
        return pa.Array.from_buffers(
            kind, len(values), [valid, _offsets(texts), pa.py_buffer(b"".join(texts))]
        )
    if pa.types.is_list(kind):
        inner = [item for value in values for item in value or ()]
        offsets = _offsets([value or () for value in values])
        children = [arrow_array(inner, kind.value_type)]
        return pa.Array.from_buffers(kind, len(values), [valid, offsets], children=children)
    if pa.types.is_struct(kind):
        fields = [kind.field(place) for place in range(kind.num_fields)]
        children = [arrow_array([value[field.name] for value in values], field.type) for field in fields]
        return pa.Array.from_buffers(kind, len(values), [valid], children=children)
    numbers = array("i" if kind.bit_width == 32 else "q", [value or 0 for value in values])
    return pa.Array.from_buffers(kind, len(values), [valid, pa.py_buffer(numbers)])


def _offsets(values: Sequence[Any]) -> pa.Buffer:
    return pa.py_buffer(array("i", accumulate(map(len, values), initial=0)))


def _validity(values: Sequence[Any]) -> pa.Buffer | None:
    """One bit per value, lowest first; nothing when no value is null."""
    if None not in values:
        return None
    bits = "".join("0" if value is None else "1" for value in reversed(values))
    return pa.py_buffer(int(bits, 2).to_bytes((len(values) + 7) // 8, "little"))
