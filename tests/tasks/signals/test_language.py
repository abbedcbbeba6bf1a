"""The language of a message: its own where there is enough prose, else its conversation's."""

from __future__ import annotations

import random

import pytest
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from tasks.signals.identify import BATCH, BATCH_BYTES, Model
from tasks.signals.language import MIN_CHARS, detect_languages

EN = "Could you explain how the tides work in the harbour?"
RO = "Mulțumesc frumos, mâine dimineață merg la piață cu bunica."
RO_PLAIN = "Multumesc frumos, maine dimineata merg la piata cu bunica."


def languages(*texts: str, conversations: list[int] | None = None) -> list[str]:
    return detect_languages(texts, conversations or [0] * len(texts), ("en", "ro"))[0]


@pytest.mark.parametrize(("text", "language"), [(EN, "en"), (RO, "ro"), (RO_PLAIN, "ro")])
def test_romanian_with_and_without_diacritics_and_english(text: str, language: str) -> None:
    assert detect_languages([text], [0], ("en", "ro")) == ([language], [False])


@pytest.mark.parametrize(("prose", "language"), [(EN, "en"), (RO, "ro")])
def test_short_messages_inherit_from_their_conversation(prose: str, language: str) -> None:
    found, inherited = detect_languages(["ok", prose, "super"], [0, 0, 0], ("en", "ro"))
    assert found == [language] * 3
    assert inherited == [True, False, True]


def test_short_messages_together_are_enough() -> None:
    assert languages("ce mai faci?", "bine, dar tu?", "și eu bine") == ["ro"] * 3


def test_a_conversation_with_too_little_prose_stays_undetermined() -> None:
    assert detect_languages(["da", "ok"], [0, 0], ("en", "ro")) == (["und", "und"], [True, True])


def test_two_adjacent_conversations_do_not_mix() -> None:
    assert languages(RO, "ok", "ok", EN, conversations=[0, 0, 1, 1]) == ["ro", "ro", "en", "en"]
    assert languages("ok", EN, conversations=[0, 1]) == ["und", "en"]


def test_long_messages_of_two_languages_keep_their_own() -> None:
    assert languages(RO, EN) == ["ro", "en"]


def test_code_and_addresses_are_not_prose() -> None:
    code = "```python\nfor the_item in the_list: print(the_item, the_other, and_this)\n```"
    assert languages(f"{code} vezi mai sus de ce nu merge bine codul") == ["ro"]
    assert detect_languages([code], [0], ("en", "ro")) == (["und"], [True])
    assert languages(RO, code, "https://example.org/the/english/words/in/this/address") == ["ro"] * 3
    unclosed = "```\nwhile the thing is not there, do the other thing and return it"
    assert languages(unclosed) == ["und"]


def test_only_emoji_is_undetermined() -> None:
    assert languages("🔥🔥") == ["und"]
    assert languages("🔥" * (MIN_CHARS + 1)) == ["und"]
    assert languages("1234567890 1234567890 !!!") == ["und"]


def test_one_language_needs_no_telling_apart() -> None:
    assert detect_languages([EN, "🔥" * 30], [0, 1], ("ro",))[0] == ["ro", "und"]


def test_only_the_asked_languages_come_out() -> None:
    german = "Ich habe gestern Abend noch lange mit meiner Schwester telefoniert."
    assert detect_languages([german], [0], ("de", "en"))[0] == ["de"]
    assert languages(german)[0] in ("en", "ro")


def test_nothing_in_nothing_out() -> None:
    assert detect_languages([], [], ("en", "ro")) == ([], [])


@pytest.mark.parametrize("chosen", [("en", "ro"), ("sr", "hr", "bs"), ("de", "nl", "en", "ja")])
def test_many_texts_are_told_apart_as_the_library_does_one_by_one(chosen: tuple[str, ...]) -> None:
    library = LanguageIdentifier.from_model_file(MODEL_FILE)
    library.set_languages(list(chosen))
    sentences = [
        EN,
        RO,
        RO_PLAIN,
        "Ја сам из Београда.",
        "Ja sam iz Beograda.",
        "日本語です。",
        "Ik ben het.",
        "ELLO?",
    ]
    draw = random.Random(1)
    texts = [" ".join(draw.choices(sentences, k=draw.randint(1, 4))) for _ in range(BATCH + 9)]
    texts += [sentence[:size] for sentence in sentences for size in range(1, len(sentence))]
    texts += ["\ud7ff", "q", "\x01a", EN * 40, *["日本語です。" * 300] * (BATCH_BYTES // 5_000)]
    assert Model.of(library).classify(texts) == [library.classify(text)[0] for text in texts]


def test_no_text_is_no_work() -> None:
    assert detect_languages([], [], ("en", "ro")) == ([], [])
