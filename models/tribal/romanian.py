"""Romanian letters: what old keyboards wrote with a cedilla is written with a comma below."""

from __future__ import annotations

#: The name of the language whose texts are mended; elsewhere (in Turkish) the cedilla is the right letter.
ROMANIAN = "ro"
_COMMA = str.maketrans("ŞşŢţ", "ȘșȚț")


def comma_below(text: str) -> str:
    """The text with ş and ţ as ș and ț, one character for one."""
    return text.translate(_COMMA)
