"""Made-up words in the proportions of natural language, as numbers that spell out to text in bulk.

A token is a word in one of four forms: as it is, before a full stop, before a comma, or after a full stop (capital).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

WORDS, PLAIN, STOP, COMMA, CAPITAL = 40_000, 0, 1, 2, 3
LANGUAGES = ("en", "ro", "ro without diacritics")
LANGUAGE_SHARES = (0.66, 0.25, 0.09)
EMOJI = "😀 🙂 🎉 ❤️ 👍 🤔 😢 🚀 👩‍💻 🇷🇴 ☕ 🌧️"
_HEADS = {
    "en": "the of and to a in is you that it for on with as be this are not your can or have but we what if do how "
    "so they my would like me about from an will was feel more just time at want help when there I it's",
    "ro": "și de în la cu că nu o pe un să este mai ce din sunt pentru care a am fi dar când se așa știu îți îmi "
    "ești tău mâine după până doar acum foarte bine atunci lucruri aș vrea poți încă însă fără asta oră",
}
_SYLLABLES = {
    "en": "an er in on al is en or at ing ter con per ma lo ti re de co pro tion ble ment ness ful ship ly str gr th "
    "ch fr cl br pl ou ea ee ai",
    "ro": "ri ța că lu te re și ne tă mi la do că ție mân în pă stre ban vor glă pri tru că ză șe lui lor toa rea ște "
    "găs țin cor da pe su",
}
_STRIP = str.maketrans("ăâîșțĂÂÎȘȚ", "aaistAAIST")
#: Share of tokens that begin a stock phrase, that end a sentence, that are followed by a comma, that are emoji.
PHRASES, STOPS, COMMAS, FACES = 0.004, 0.07, 0.05, 0.004
_WINDOW = 1 << 20


@dataclass(frozen=True)
class Vocabulary:
    """`spellings[token]`; words of a language lie together, form after form. `lottery` draws words by frequency."""

    spellings: pa.Array
    lottery: np.ndarray
    phrases: tuple[np.ndarray, ...]

    def draw(self, rng: np.random.Generator, starts: np.ndarray) -> np.ndarray:
        """Tokens of texts that begin at `starts` (the last one is the end), each in one language."""
        size = int(starts[-1])
        word = self.lottery[rng.integers(_WINDOW, size=size)]
        self._insert_phrases(rng, word)
        chance = rng.random(size, np.float32)
        stop = chance < STOPS
        stop[starts[1:] - 1] = True
        form = np.where(stop, STOP, np.where(chance < STOPS + COMMAS, COMMA, PLAIN))
        form[1:][stop[:-1] & ~stop[1:]] = CAPITAL
        form[starts[:-1]] = CAPITAL
        language = rng.choice(len(LANGUAGES), len(starts) - 1, p=LANGUAGE_SHARES)
        token = word + WORDS * (form + 4 * np.repeat(language, np.diff(starts)))
        face = rng.random(size, np.float32) < FACES
        token[face] = 4 * WORDS * len(LANGUAGES) + rng.integers(len(EMOJI.split()), size=int(face.sum()))
        return token.astype(np.int32)

    def draw_like(self, rng: np.random.Generator, text: np.ndarray, count: int) -> np.ndarray:
        """So many plain words of the text's language."""
        known = text[text < 4 * WORDS * len(LANGUAGES)]
        language = int(known[0]) // (4 * WORDS) if len(known) else 0
        return self.lottery[rng.integers(_WINDOW, size=count)] + 4 * WORDS * language

    def spell(self, tokens: np.ndarray, lengths: np.ndarray) -> pa.Array:
        """The texts that these tokens spell, one after another, words a space apart."""
        offsets = pa.array(np.r_[0, np.cumsum(lengths)].astype(np.int32))
        return pc.binary_join(pa.ListArray.from_arrays(offsets, self.spellings.take(pa.array(tokens))), " ")

    def _insert_phrases(self, rng: np.random.Generator, word: np.ndarray) -> None:
        places = np.flatnonzero(rng.random(len(word), np.float32) < PHRASES)
        # Some phrases are met far more often than others, as greetings and disclaimers are.
        picks = (len(self.phrases) * rng.random(len(places)) ** 2).astype(np.int64)
        for place, pick in zip(places.tolist(), picks.tolist(), strict=True):
            phrase = self.phrases[pick][: len(word) - place]
            word[place : place + len(phrase)] = phrase


def build_vocabulary(seed: int) -> Vocabulary:
    """The words of both languages: real ones where they are frequent, made of syllables where they are rare."""
    rng = np.random.default_rng([seed, 7])
    english, romanian = (_words(rng, language) for language in ("en", "ro"))
    stripped = [word.translate(_STRIP) for word in romanian]
    spellings: list[str] = []
    for words in (english, romanian, stripped):
        spellings += words
        spellings += [word + "." for word in words]
        spellings += [word + "," for word in words]
        spellings += [word[0].upper() + word[1:] for word in words]
    rank = np.arange(WORDS)
    weight = 1 / (rank + 2.7) ** 1.05
    lottery = np.searchsorted(np.cumsum(weight / weight.sum()), rng.random(_WINDOW)).clip(max=WORDS - 1)
    phrases = tuple(lottery[rng.integers(_WINDOW, size=int(rng.integers(4, 13)))] for _ in range(400))
    return Vocabulary(pa.array(spellings + EMOJI.split()), lottery.astype(np.int64), phrases)


def _words(rng: np.random.Generator, language: str) -> list[str]:
    syllables = np.array(_SYLLABLES[language].split())
    words = dict.fromkeys(_HEADS[language].split())
    while len(words) < WORDS:
        count = 2 + int(len(words) > 400) + int(rng.random() < 0.3)
        words["".join(syllables[rng.integers(len(syllables), size=count)])] = None
    return list(words)
