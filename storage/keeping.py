"""Files that settings name and that a build must not lose: kept in the store under the digest of their content.

A build's settings then hold `inputs/<digest>.<kind>` in place of the path: their fingerprint moves with the content and
with nothing else, and the same build can be made again when the file has gone.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from schemas.errors import SettingsError
from schemas.files import read_regular
from schemas.ids import hash_bytes
from storage.store import Store

FOLDER = "inputs"
_KEPT = re.compile(rf"{FOLDER}/[0-9a-f]{{32}}\.[a-z]+")


def keep_input(store: Store, setting: str, given: str, kind: str, check: Callable[[bytes], object]) -> str:
    """What the settings shall hold in place of the path `given`; one that is kept already is returned as it is.

    `check` is asked first; what it raises is for it to word. Raises SettingsError for a file that cannot be read.
    """
    if _KEPT.fullmatch(given):
        return given
    try:
        data = read_regular(given)
    except (OSError, ValueError):
        raise SettingsError(
            f"cannot read the file that {setting} names", where=given, fix="Give the path of a file."
        ) from None
    check(data)
    path = f"{FOLDER}/{hash_bytes(data)}.{kind}"
    store.put_if_absent(path, data)
    return path
