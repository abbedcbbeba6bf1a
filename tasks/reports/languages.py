"""Names of languages, for those who do not think in codes."""

from __future__ import annotations

from schemas.visible import visible

_NAMES = (
    "ar Arabic, bg Bulgarian, ca Catalan, cs Czech, da Danish, de German, el Greek, en English, es Spanish, "
    "et Estonian, fa Persian, fi Finnish, fr French, ga Irish, he Hebrew, hi Hindi, hr Croatian, "
    "hu Hungarian, hy Armenian, id Indonesian, it Italian, ja Japanese, ka Georgian, ko Korean, la Latin, "
    "lt Lithuanian, lv Latvian, nb Norwegian, nl Dutch, no Norwegian, pl Polish, pt Portuguese, ro Romanian, "
    "ru Russian, sk Slovak, sl Slovene, sq Albanian, sr Serbian, sv Swedish, sw Swahili, th Thai, "
    "und undetermined, tr Turkish, uk Ukrainian, ur Urdu, vi Vietnamese, zh Chinese"
)
NAMES = dict(entry.split(" ", 1) for entry in _NAMES.split(", "))


def language_name(code: str) -> str:
    """`Romanian` for `ro`; a code that is not known here stands for itself."""
    return NAMES.get(code, visible(code, 20) or "unknown")
