"""The form in which two texts count as the same: case, space and diacritics folded."""

from __future__ import annotations

import unicodedata


def fold(text: str) -> str:
    """Casefolded, without combining marks, runs of space as one. `Știu că` and `stiu  ca` fold to the same."""
    if not text.isascii():
        decomposed = unicodedata.normalize("NFKD", text)
        text = "".join(character for character in decomposed if not unicodedata.combining(character))
    return " ".join(text.casefold().split())
