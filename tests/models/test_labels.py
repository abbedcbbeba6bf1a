"""The label classifier: its files hold together, its answers do not depend on how it is asked, and it is quick."""

from __future__ import annotations

import json
import resource
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.labels import BUILTIN, LinearClassifier, builtin_digest, open_classifier
from models.labels.features import feature_names, features_of
from schemas.categories import CATEGORIES
from schemas.errors import MissingModel
from schemas.settings import LabelSettings
from schemas.tables import EXAMPLE_MESSAGES, ROLES

CHATS = {
    "technical": ("Why does my Python function raise a TypeError?", "```python\ndef add(a, b):\n    return a + b\n```"),
    "empathetic": ("I feel so lonely since my husband left, I cry every night.", "I'm so sorry to hear that."),
    "factual": ("Who wrote Faust?", "Goethe"),
    "analytical": ("Solve 3x + 4 = 19 and calculate x.", "3x = 15, so x = 15 / 3 = 5."),
    "creative": ("Write a short story about a dragon and a princess.", '"Alas," said the dragon, and the moon sang.'),
    "specialised": ("What are the symptoms of this disease?", "Patients have chronic infections of the lungs."),
}  # fmt: skip


def column(*chats: tuple[tuple[str, str], ...]) -> pa.ListArray:
    rows = [[{"role": role, "content": text, "trainable": False} for role, text in chat] for chat in chats]
    return pa.array(rows, EXAMPLE_MESSAGES)


def pair(asked: str, said: str) -> tuple[tuple[str, str], ...]:
    return (("user", asked), ("assistant", said))


@pytest.fixture(scope="module")
def classifier() -> LinearClassifier:
    return open_classifier()


def test_plain_cases_are_surely_right(classifier: LinearClassifier) -> None:
    best, sure = classifier.classify(column(*(pair(*chat) for chat in CHATS.values())))
    assert [CATEGORIES[at] for at in best] == list(CHATS)
    assert (sure >= LabelSettings().confidence).all()


def test_nothing_to_go_by_is_not_sure(classifier: LinearClassifier) -> None:
    _, sure = classifier.classify(column(pair("Hmm.", "Bine."), (), (("system", "x"),)))
    assert (sure < LabelSettings().confidence).all()


def test_romanian_is_read_with_and_without_diacritics(classifier: LinearClassifier) -> None:
    with_them = column(pair("Mă simt atât de singură de când ne-am despărțit, mi-e frică.", "Îmi pare rău."))
    without = column(pair("Ma simt atat de singura de cand ne-am despartit, mi-e frica.", "Imi pare rau."))
    best, sure = classifier.classify(with_them)
    assert CATEGORIES[best[0]] == "empathetic"
    assert classifier.classify(without)[1][0] == sure[0]


texts = st.text(max_size=60) | st.sampled_from([text for chat in CHATS.values() for text in chat])
chats = st.lists(st.tuples(st.sampled_from(ROLES), texts), max_size=6).map(tuple)


@settings(derandomize=True, deadline=None, max_examples=12)
@given(st.lists(chats, max_size=4))
def test_an_example_is_judged_alone(listed: list[tuple[tuple[str, str], ...]]) -> None:
    classifier = open_classifier()
    together = classifier.classify(column(*listed))
    alone = [classifier.classify(column(chat)) for chat in listed]
    assert together[0].tolist() == [best[0] for best, _ in alone]
    assert together[1].tolist() == [sure[0] for _, sure in alone]
    features = features_of(column(*listed)) if listed else np.zeros((0, len(feature_names())))
    assert features.shape == (len(listed), len(feature_names()))
    assert ((features >= 0) & (features <= 1)).all()
    assert classifier.classify(column(*listed).slice(1))[1].tolist() == together[1][1:].tolist()


def test_five_thousand_examples_take_a_second_at_most(classifier: LinearClassifier) -> None:
    """Of 1,000 characters each, on a single core; several cores must not hide the cost."""
    said = "It is important to follow these steps, and they walked to the old castle of 1648. " * 9
    many = column(*[pair(f"{n}: {list(CHATS.values())[n % 6][0]} " * 3, said) for n in range(4000)])
    classifier.classify(many.slice(0, 10))
    best = min(_cpu(classifier, many) for _ in range(3))
    assert best < len(many) / 5000


def _cpu(classifier: LinearClassifier, messages: pa.ListArray) -> float:
    before = resource.getrusage(resource.RUSAGE_SELF)
    classifier.classify(messages)
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_the_settings_and_the_card_say_what_the_config_says() -> None:
    config = json.loads((BUILTIN / "config.json").read_text("utf-8"))
    held, at = config["held_out"], config["held_out"]["at_threshold"]
    assert LabelSettings().confidence == config["threshold"] == at["threshold"]
    assert at["precision"] >= 0.85
    assert at["coverage"] >= 0.40
    assert held["macro"] >= 0.60
    assert held["macro"] == pytest.approx(np.mean(list(held["by_category"].values())), abs=1e-4)
    documents = ["models/labels/builtin/CARD.md", "docs/labels.md"]
    for path in documents:
        text = (BUILTIN.parents[2] / path).read_text("utf-8")
        for figure in (held["macro"], held["macro_by_row"], at["precision"], at["coverage"]):
            assert f"{figure:.3f}" in text, (path, figure)
    assert f"{config['threshold']:.2f}" in text


def _copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BUILTIN, tmp_path / "model"))


def test_other_weights_are_refused(tmp_path: Path) -> None:
    folder = _copy(tmp_path)
    weights = bytearray((folder / "weights.safetensors").read_bytes())
    weights[-1] ^= 1
    (folder / "weights.safetensors").write_bytes(weights)
    with pytest.raises(MissingModel, match="weights are not those"):
        open_classifier(folder)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"lexicon_digest": "0" * 32}, "another lexicon"),
        ({"features": ["length"]}, "other features or categories"),
        ({"categories": list(reversed(CATEGORIES))}, "other features or categories"),
    ],
)
def test_a_model_for_something_else_is_refused(tmp_path: Path, change: dict[str, object], what: str) -> None:
    folder = _copy(tmp_path)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps(config | change), "utf-8")
    with pytest.raises(MissingModel, match=what):
        open_classifier(folder)


def test_a_torn_or_missing_file_is_said(tmp_path: Path) -> None:
    folder = _copy(tmp_path)
    (folder / "config.json").write_text("{", "utf-8")
    with pytest.raises(MissingModel, match="config is not JSON"):
        open_classifier(folder)
    (folder / "config.json").unlink()
    with pytest.raises(MissingModel, match=r"config\.json cannot be read") as refused:
        open_classifier(folder)
    assert "label.classifier=none" in str(refused.value)


def test_the_digest_names_the_shipped_weights() -> None:
    assert len(builtin_digest()) == 32
