"""A NOVA as a folder: it comes back as it was, and what is no NOVA or a torn one is refused in a line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel

from models.chat_tokenizer import train_tokenizer
from models.tribal.configuration import NovaConfig
from models.tribal.modeling import NovaForCausalLM
from models.tribal.opening import check_folder, open_nova
from schemas.errors import StoreError, UsageError, VatraError
from tests.models.tribal.tribes import KINDS, save_nova, small_nova, some_ids


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_nova(small_nova(), tmp_path_factory.mktemp("nova"))


@pytest.fixture
def copied(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "model"))


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_saved_comes_back_by_the_library_and_by_ours(kind: str, tmp_path: Path) -> None:
    model, ids = small_nova(kind), some_ids(2, 12)
    save_nova(model, tmp_path)
    ours, tokenizer = open_nova(tmp_path)
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    for again in (ours, theirs):
        assert isinstance(again, NovaForCausalLM)
        out, expected = again(ids, return_alpha=True), model(ids, return_alpha=True)
        assert torch.equal(out.logits, expected.logits)
        assert torch.equal(out.alpha, expected.alpha)
        assert again.lm_head.weight is again.model.token_embedding.weight
        assert again.config.members == model.config.members
    assert tokenizer.eos_token == "<|end|>"
    assert isinstance(AutoConfig.from_pretrained(tmp_path), NovaConfig)


def test_a_folder_holds_each_weight_once_and_nothing_pickled(saved: Path) -> None:
    assert not [p.name for p in saved.rglob("*") if p.suffix in {".bin", ".pt", ".pkl", ".pth"}]
    with safe_open(saved / "model.safetensors", "pt") as file:
        names = set(file.keys())
    assert "model.token_embedding.weight" in names
    assert "lm_head.weight" not in names
    assert str(saved) not in (saved / "config.json").read_text()


def test_dtype_and_attention_are_chosen_when_it_is_opened(saved: Path) -> None:
    model = open_nova(saved, attention="eager", dtype="bfloat16")[0]
    assert model.dtype is torch.bfloat16
    assert model(some_ids(1, 4), output_attentions=True).attentions[0].shape == (1, 3, 4, 4)


def test_a_vocabulary_that_grows_keeps_head_and_table_one(tmp_path: Path) -> None:
    model, ids = small_nova(), some_ids(2, 12)
    logits = model(ids).logits
    model.resize_token_embeddings(80, mean_resizing=False)
    assert model.config.vocab_size == 80
    assert model.lm_head.weight is model.model.token_embedding.weight
    torch.testing.assert_close(model(ids).logits[..., : logits.shape[-1]], logits)
    model.save_pretrained(tmp_path)
    again = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert again(torch.tensor([[79]])).logits.shape == (1, 1, 80)


def test_code_that_lies_in_a_folder_is_neither_run_nor_asked_about(
    copied: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (copied / "evil.py").write_text(f"open({str(copied / 'run')!r}, 'w')\nclass Evil: ...\n")
    with_tokenizer_config(auto_map={"AutoTokenizer": ["evil.Evil", None]}, tokenizer_class="Evil")(copied)
    monkeypatch.setattr("builtins.input", lambda *asked: "y")
    with pytest.raises(StoreError, match="cannot be read"):
        open_nova(copied)
    assert not (copied / "run").exists()
    assert capsys.readouterr().out == ""


def another_architecture(folder: Path) -> None:
    GPT2LMHeadModel(GPT2Config(vocab_size=9, n_embd=8, n_layer=1, n_head=1, n_positions=8)).save_pretrained(
        folder
    )


def without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def with_config(**changes: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return change


def torn(name: str, share: float) -> Callable[[Path], None]:
    def tear(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: int(len(content) * share)])

    return tear


def with_weights(change: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        weights = load_file(folder / "model.safetensors")
        change(weights)
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})

    return apply


def with_tokenizer(tokens: int) -> Callable[[Path], None]:
    def exchange(folder: Path) -> None:
        text = " ".join(f"{number:x}" for number in range(4000))
        train_tokenizer([text], tokens, 48).save_pretrained(folder)

    return exchange


def with_tokenizer_config(**changes: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "tokenizer_config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return change


@pytest.mark.parametrize(
    ("damage", "error", "said"),
    [
        (another_architecture, UsageError, "'gpt2', not a NOVA"),
        (without("config.json"), UsageError, "config.json is missing"),
        (without("model.safetensors"), StoreError, "lost model.safetensors"),
        (without("tokenizer.json"), StoreError, "lost tokenizer.json"),
        (without("tokenizer_config.json"), StoreError, "lost tokenizer_config.json"),
        (torn("config.json", 0.5), StoreError, "config.json is damaged"),
        (torn("tokenizer.json", 0.5), StoreError, "cannot be read"),
        (torn("model.safetensors", 0.7), StoreError, "cannot be read"),
        (torn("model.safetensors", 0.0), StoreError, "cannot be read"),
        (with_config(model_type=None), UsageError, "not a NOVA"),
        (with_config(d_model=25), StoreError, "cannot be read"),
        (with_config(d_model="wide"), StoreError, "cannot be read"),
        (with_config(dropout=None), StoreError, "cannot be read"),
        (with_config(members="nova"), StoreError, "cannot be read|do not fit"),
        (with_config(members=[1, 2, 3]), StoreError, "cannot be read"),
        (with_config(dtype="float99"), StoreError, "cannot be read"),
        (with_config(quantization_config={"quant_method": "bitsandbytes"}), UsageError, "--int8"),
        (with_config(n_layers=3), StoreError, "do not fit the configuration"),
        (with_config(n_layers=1), StoreError, "do not fit the configuration"),
        (with_config(vocab_size=62), StoreError, "do not fit the configuration"),
        (with_config(members=["nova", "sora"]), StoreError, "do not fit the configuration"),
        (with_config(mixing="concat"), StoreError, "do not fit the configuration"),
        (with_tokenizer(270), StoreError, "not this model's: it has 270 tokens"),
        (with_tokenizer(400), StoreError, "not this model's: it has 400 tokens"),
        (with_tokenizer_config(eos_token=None), StoreError, "not this model's: it lacks the marks"),
        (with_weights(lambda w: w.pop("model.detector.score.bias")), StoreError, "missing key"),
        (with_weights(lambda w: w.update(more=torch.ones(1))), StoreError, "unexpected key"),
        (with_weights(lambda w: w["model.norm.weight"].fill_(torch.nan)), StoreError, "not a number"),
    ],
)
def test_what_is_damaged_or_foreign_is_refused_in_a_line(
    copied: Path, damage: Callable[[Path], None], error: type[VatraError], said: str
) -> None:
    damage(copied)
    before = {p.name: p.read_bytes() for p in copied.iterdir()}
    with pytest.raises(error, match=said) as caught:
        open_nova(copied)
    assert "\n" not in caught.value.args[0]
    assert {p.name: p.read_bytes() for p in copied.iterdir()} == before


@pytest.mark.parametrize("written", ["[]", "null", "{}", "\ufeff{", "\x00", "[" * 100_000])
def test_a_configuration_that_is_none_is_damaged(copied: Path, written: str) -> None:
    (copied / "config.json").write_text(written)
    with pytest.raises(StoreError, match="damaged"):
        check_folder(copied)


def test_a_folder_that_is_not_there_holds_no_model(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no model here"):
        open_nova(tmp_path / "nowhere")


def test_what_the_tokenizer_gives_is_what_the_model_takes(saved: Path) -> None:
    model, tokenizer = open_nova(saved)
    batch = tokenizer(["Te iubesc, iubito.", "River"], return_tensors="pt", padding=True, padding_side="left")
    out = model.generate(**batch, max_new_tokens=5, min_new_tokens=5, do_sample=False)
    assert out.shape == (2, batch["input_ids"].shape[1] + 5)
    alone = tokenizer("River", return_tensors="pt")
    expected = model.generate(**alone, max_new_tokens=5, min_new_tokens=5, do_sample=False)
    assert torch.equal(out[1, -5:], expected[0, -5:])


def test_how_a_folder_would_generate_is_not_taken_from_it(copied: Path) -> None:
    (copied / "generation_config.json").write_text('{"repetition_penalty": 9.0, "bad_words_ids": 3}')
    model, _ = open_nova(copied)
    assert (model.generation_config.repetition_penalty, model.generation_config.bad_words_ids) == (None, None)
    assert model.generation_config.eos_token_id == model.config.eos_token_id


def test_outputs_come_as_a_tuple_where_one_is_asked_for() -> None:
    model, ids = small_nova(), some_ids(1, 5)
    loss, logits = model(ids, labels=ids, return_dict=False)[:2]
    assert loss.ndim == 0
    assert torch.equal(logits, model(ids).logits)
    kept = model(ids, logits_to_keep=2, return_alpha=True)
    assert torch.allclose(kept.logits, logits[:, -2:], atol=1e-6)
    assert kept.alpha.shape == (1, 5, 3)
