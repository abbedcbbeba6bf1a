from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.toxicity import open_scorer
from models.toxicity.checkpoint import read_checkpoint
from schemas.errors import MissingModel, UsageError
from schemas.tables import TOXICITY_LABELS

TEXTS = [
    "you are a fool",
    "we love the good tree",
    "",
    "x",
    "Noapte bună, ană! 🌳 \u200d\u0301 漢字 \x00",
    "they hate you, " * 400,  # 2,000 tokens: four times what the model has positions for
    *(f"{'good ' * n} day {n}" for n in range(40)),
]


def by_detoxify(folder: Path, copy: Path, texts: list[str]) -> dict[str, list[float]]:
    """The same scores by Detoxify itself, on a copy that names the local model folder."""
    import torch
    from detoxify import Detoxify

    loaded = torch.load(folder / "checkpoint.ckpt", weights_only=True)
    loaded["config"]["arch"]["args"]["model_type"] = str(folder / "model")
    torch.save(loaded, copy)
    detoxify = Detoxify(checkpoint=str(copy))
    rows = [detoxify.predict([text]) for text in texts]
    return {label: [row[label] for row in rows] for label in rows[0]}


def test_scores_are_those_of_detoxify_itself(tiny_cache: Path, tmp_path: Path) -> None:
    scores = open_scorer("detoxify:original", tiny_cache, "cpu").score(TEXTS)
    expected = by_detoxify(tiny_cache / "detoxify/original", tmp_path / "copy.ckpt", TEXTS)
    assert set(scores) == set(expected) == set(TOXICITY_LABELS)
    for label in TOXICITY_LABELS:
        assert scores[label].dtype == np.float32
        np.testing.assert_allclose(scores[label], expected[label], atol=1e-5)
    assert scores["toxicity"].std() > 0.01  # else any order would have passed


def test_a_roberta_with_more_outputs_than_labels(tmp_path: Path, write_roberta: Callable[..., Path]) -> None:
    folder = write_roberta(tmp_path)  # as in the unbiased checkpoint: seven labels of sixteen outputs
    scorer = open_scorer("detoxify:unbiased", tmp_path, "cpu")
    assert scorer.name == "detoxify:unbiased"
    assert scorer.labels == TOXICITY_LABELS
    scores, expected = scorer.score(TEXTS), by_detoxify(folder, tmp_path / "copy.ckpt", TEXTS)
    assert set(expected) - set(scores) == {"sexual_explicit"}
    for label in TOXICITY_LABELS:
        np.testing.assert_allclose(scores[label], expected[label], atol=1e-5)
    assert scores["insult"].std() > 0.001


def test_one_label_as_in_the_multilingual_checkpoint(
    tmp_path: Path, write_detoxify: Callable[..., Path]
) -> None:
    write_detoxify(tmp_path, "multilingual", ("toxicity",))
    scorer = open_scorer("detoxify:multilingual", tmp_path, "cpu")
    assert scorer.labels == ("toxicity",)
    assert list(scorer.score(["good day"])) == ["toxicity"]


def test_no_texts_and_one_text(tiny_cache: Path) -> None:
    scorer = open_scorer("detoxify:original", tiny_cache)
    nothing, one = scorer.score([]), scorer.score(["you are a fool"])
    assert {label: array.shape for label, array in nothing.items()} == dict.fromkeys(TOXICITY_LABELS, (0,))
    assert {label: array.shape for label, array in one.items()} == dict.fromkeys(TOXICITY_LABELS, (1,))
    assert all(0 <= array[0] <= 1 for array in one.values())


def test_half_a_surrogate_pair_is_scored(tiny_cache: Path) -> None:
    scorer = open_scorer("detoxify:original", tiny_cache)
    scores = scorer.score(["good \ud83d day", "good ? day"])["toxicity"]
    assert scores[0] == pytest.approx(scores[1], abs=1e-6)


def test_a_long_text_is_judged_by_its_first_512_tokens(tiny_cache: Path) -> None:
    scorer = open_scorer("detoxify:original", tiny_cache)
    start = "fool tree " * 255  # with [CLS] and [SEP]: 512
    scores = scorer.score([start, start + "love " * 500, "love " + start])["toxicity"]
    assert scores[0] == pytest.approx(scores[1], abs=1e-6)
    assert scores[0] != pytest.approx(scores[2], abs=1e-4)


def test_loading_and_scoring_say_nothing(tiny_cache: Path, capfd: pytest.CaptureFixture[str]) -> None:
    open_scorer("detoxify:original", tiny_cache).score(TEXTS)
    assert capfd.readouterr() == ("", "")


def test_code_in_a_checkpoint_is_never_run(tmp_path: Path, write_detoxify: Callable[..., Path]) -> None:
    import torch

    trace = tmp_path / "ran"

    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (trace,))

    checkpoint = write_detoxify(tmp_path) / "checkpoint.ckpt"
    loaded = torch.load(checkpoint, weights_only=True)
    torch.save({**loaded, "extra": Evil()}, checkpoint)
    with pytest.raises(MissingModel, match="was refused") as caught:
        open_scorer("detoxify:original", tmp_path)
    assert not trace.exists()
    assert "vatra fetch toxicity --variant original" in str(caught.value)
    torch.load(checkpoint, weights_only=False)  # the trap was real
    assert trace.exists()


def test_a_torn_checkpoint_is_refused(tmp_path: Path, write_detoxify: Callable[..., Path]) -> None:
    checkpoint = write_detoxify(tmp_path) / "checkpoint.ckpt"
    data = checkpoint.read_bytes()
    for torn in (data[: len(data) // 2], b"", b"\x80\x02}", data[:200] + bytes(2000) + data[2200:]):
        checkpoint.write_bytes(torn)
        with pytest.raises(MissingModel, match=r"torn|refused|not a Detoxify"):
            open_scorer("detoxify:original", tmp_path)


@settings(max_examples=60, derandomize=True, deadline=None, database=None)
@given(
    start=st.sampled_from([b"", b"\x80\x02", b"\x80\x04}", b"PK\x03\x04"]),
    data=st.binary(max_size=64) | st.text("(.]}tRbosc0u", max_size=20).map(str.encode),
)
def test_any_other_bytes_are_refused_and_never_crash(
    tmp_path_factory: pytest.TempPathFactory, start: bytes, data: bytes
) -> None:
    checkpoint = tmp_path_factory.getbasetemp() / "any.ckpt"
    checkpoint.write_bytes(start + data)
    with pytest.raises(MissingModel):
        read_checkpoint(checkpoint, "original")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda c: c.pop("config"),
        lambda c: c["config"]["dataset"]["args"].pop("classes"),
        lambda c: c["config"]["dataset"]["args"].update(classes=["sport"]),
        lambda c: c["config"]["arch"]["args"].update(model_name="pipeline"),
        lambda c: c["config"]["arch"]["args"].update(num_classes=2),
    ],
)
def test_another_kind_of_checkpoint_is_refused(
    tmp_path: Path, write_detoxify: Callable[..., Path], spoil: Callable[[dict[str, object]], object]
) -> None:
    import torch

    checkpoint = write_detoxify(tmp_path) / "checkpoint.ckpt"
    loaded = torch.load(checkpoint, weights_only=True)
    spoil(loaded)
    torch.save(loaded, checkpoint)
    with pytest.raises(MissingModel, match="is not a Detoxify checkpoint"):
        open_scorer("detoxify:original", tmp_path)


def test_missing_weights_are_not_filled_with_random_ones(
    tmp_path: Path, write_detoxify: Callable[..., Path]
) -> None:
    import torch

    checkpoint = write_detoxify(tmp_path) / "checkpoint.ckpt"
    loaded = torch.load(checkpoint, weights_only=True)
    del loaded["state_dict"]["classifier.weight"]
    torch.save(loaded, checkpoint)
    with pytest.raises(MissingModel, match=r"1 weights are missing, classifier\.weight first"):
        open_scorer("detoxify:original", tmp_path)


def test_a_device_that_is_not_there(tiny_cache: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    with pytest.raises(UsageError, match="no CUDA device"):
        open_scorer("detoxify:original", tiny_cache, "cuda")
