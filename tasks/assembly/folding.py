"""The form in which two texts count as the same: case, space and diacritics folded."""

from __future__ import annotations

import unicodedata

import pyarrow as pa
import pyarrow.compute as pc


def fold(text: str) -> str:
    """Casefolded, without combining marks, runs of space as one. `Știu că` and `stiu  ca` fold to the same."""
    if not text.isascii():
        decomposed = unicodedata.normalize("NFKD", text)
        text = "".join(character for character in decomposed if not unicodedata.combining(character))
    return " ".join(text.casefold().split())


def fold_all(texts: pa.Array) -> list[bytes]:
    """`fold` of each text, in UTF-8. Each distinct word is folded once: many texts have few words."""
    words = pc.utf8_split_whitespace(pc.utf8_trim_whitespace(texts))
    coded = pc.dictionary_encode(words.flatten())
    dictionary = _fold_words(coded.dictionary)
    joined = pc.binary_join(pa.ListArray.from_arrays(words.offsets, dictionary.take(coded.indices)), " ")
    found: list[bytes] = joined.cast(pa.binary()).to_pylist()
    # A word of nothing but marks vanishes, and some signs fold to words with spaces: not word by word, then.
    odd = pc.or_(pc.equal(dictionary, ""), pc.match_substring(dictionary, " "))
    if pc.any(odd).as_py():
        parents = pc.list_parent_indices(words).filter(odd.take(coded.indices))
        for row in pc.unique(parents).to_pylist():
            found[row] = fold(texts[row].as_py()).encode()
    return found


def _fold_words(words: pa.Array) -> pa.Array:
    foreign = pc.invert(pc.string_is_ascii(words))
    folded = pa.array([fold(word) for word in words.filter(foreign).to_pylist()], pa.string())
    return pc.replace_with_mask(pc.ascii_lower(words), foreign, folded)
