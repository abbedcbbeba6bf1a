from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from models.lora import LIBRARIES, LoraResult, train_lora
from models.lora.inspection import Shown
from models.lora.proof import check_adapter, check_moved, check_reread
from models.lora.rendering import IGNORED
from models.lora.template import read_template
from models.lora.windows import cut_windows
from schemas.errors import InputError, SettingsError, StageFailed, StoreError
from schemas.settings import LoraPreset


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def load(out: Path) -> Any:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    return PeftModel.from_pretrained(
        AutoModelForCausalLM.from_pretrained(out / "base"), out / "adapter"
    ).eval()


def encode_example(messages: Any, run: Any, tokenizer: Any, max_length: int) -> Any:
    """The one window of a short conversation."""
    template = read_template(run.out / "adapter")
    (window,) = cut_windows(messages, template, tokenizer, max_length, 0).windows
    return window.tokens


def test_what_is_written(run: Any) -> None:
    assert set(files(run.out)) == {
        "train.json", "curve.jsonl", "windows.jsonl", "seen.parquet", "adapter/template.json",
        "adapter/adapter_config.json", "adapter/adapter_model.safetensors",
        "adapter/chat_template.jinja", "adapter/tokenizer.json", "adapter/tokenizer_config.json",
        "base/config.json", "base/generation_config.json", "base/model.safetensors",
        "base/chat_template.jinja", "base/tokenizer.json", "base/tokenizer_config.json",
    }  # fmt: skip
    assert LoraResult.model_validate_json((run.out / "train.json").read_text()) == run.result


def test_the_result_says_what_happened(run: Any, rows: Any, tokenizer: Any, preset: LoraPreset) -> None:
    result, encoded = run.result, [encode_example(m, run, tokenizer, preset.max_length) for m in rows]
    assert result.base_is_demo
    assert "random weights" in result.base
    assert (result.steps, result.examples, result.validation_examples) == (6, 10, 3)
    assert (result.replies, result.replies_left_out, result.replies_too_long) == (20, 0, 0)
    assert result.examples_set_aside == {}
    assert result.tokens == sum(len(e.input_ids) for e in encoded)
    assert result.trained_tokens == sum(label != IGNORED for e in encoded for label in e.labels)
    assert result.trained_tokens < result.tokens / 2
    assert result.vocab_size == len(tokenizer) <= 400
    assert set(result.libraries) == set(LIBRARIES)
    steps = run.watched.steps
    assert [(step.step, step.steps) for step in steps] == [(n, 6) for n in range(1, 7)]
    assert (steps[0].loss, steps[-1].loss) == (result.first_loss, result.last_loss)
    (phase,) = result.phases
    assert (phase.steps, phase.windows, phase.windows_not_reached, phase.batch_size) == (6, 10, 0, 4)
    assert (result.backend, result.quantization, result.dtype) == ("trl", "none", "float32")
    assert result.template == read_template(run.out / "adapter").digest
    assert result.marks_defused == 20
    # A model that knows nothing gives each token 1 / vocabulary.
    assert result.first_loss == pytest.approx(math.log(result.vocab_size), abs=0.3)
    assert result.last_loss < result.first_loss - 0.1
    assert result.validation_loss_after < result.validation_loss_before - 0.1


def test_the_adapter_has_the_size_of_the_formula(run: Any) -> None:
    from safetensors.torch import load_file

    weights = load_file(run.out / "adapter/adapter_model.safetensors")
    expected = 2 * 4 * ((32 + 32) + (32 + 32) + (48 + 32))  # layers * rank * (in + out) of q, v and down
    assert run.result.trainable_parameters == expected == sum(w.numel() for w in weights.values())
    assert run.result.adapted_layers == 6
    assert {name.split(".")[-3] for name in weights} == {"q_proj", "v_proj", "down_proj"}


def test_the_saved_adapter_gives_the_measured_loss(run: Any, tokenizer: Any, preset: LoraPreset) -> None:
    import pyarrow.parquet as pq
    import torch

    model, total, count = load(run.out), 0.0, 0
    for messages in pq.read_table(run.corpus["validation"][0])["messages"].to_pylist():
        encoded = encode_example(messages, run, tokenizer, preset.max_length)
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([encoded.input_ids])).logits[0, :-1]
        labels = torch.tensor(encoded.labels[1:])
        total += torch.nn.functional.cross_entropy(logits, labels, reduction="sum").item()
        count += int((labels != IGNORED).sum())
    assert total / count == pytest.approx(run.result.validation_loss_after, abs=1e-5)
    with model.disable_adapter(), torch.no_grad():
        plain = model(input_ids=torch.tensor([encoded.input_ids])).logits[0, :-1]
    assert float((plain - logits).abs().max()) > 1e-3


def test_no_path_of_this_machine_and_no_pickle(run: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    places = {str(tmp_path_factory.getbasetemp()), str(Path.home()), str(Path.cwd()), str(run.out)}
    for name, data in files(run.out).items():
        assert not name.endswith((".bin", ".pt", ".pkl"))
        if name.endswith(".json"):
            text = data.decode()
            assert not [place for place in places if f'"{place}' in text or f"{place}/" in text], name
            strings = [v for v in json.loads(text).values() if isinstance(v, str)]
            assert not [v for v in strings if v.startswith(("/", "file:"))], name
    config = json.loads((run.out / "adapter/adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "../base"


def test_equal_inputs_give_equal_bytes_and_touch_nothing_else(
    run: Any, preset: LoraPreset, tmp_path: Path, isolated_environment: tuple[dict[str, str], list[Path]]
) -> None:
    environment, folders = isolated_environment
    code = (
        "import json, sys; from pathlib import Path; from models.lora import train_lora;"
        "from schemas.settings import LoraPreset;"
        "corpus = {k: [Path(p) for p in v] for k, v in json.loads(sys.argv[2]).items()};"
        "train_lora(LoraPreset.model_validate_json(sys.argv[1]), corpus, Path(sys.argv[3]))"
    )
    corpus = json.dumps({split: [str(path) for path in paths] for split, paths in run.corpus.items()})
    root = str(Path(__file__).parents[3])
    command = [sys.executable, "-c", code, preset.model_dump_json(), corpus, str(tmp_path / "again")]
    done = subprocess.run(
        command,
        env={**environment, "PYTHONPATH": root},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert files(tmp_path / "again") == files(run.out)
    assert [path for folder in folders for path in folder.rglob("*")] == []
    assert [path.name for path in tmp_path.iterdir()] == ["again"]
    assert (done.stdout, done.stderr) == ("", "")


def test_another_seed_gives_another_adapter(run: Any, preset: LoraPreset, tmp_path: Path) -> None:
    train_lora(preset.model_copy(update={"seed": 7}), run.corpus, tmp_path / "out")
    name = "adapter/adapter_model.safetensors"
    assert files(tmp_path / "out")[name] != files(run.out)[name]


def test_one_example_and_no_validation(
    preset: LoraPreset,
    tmp_path: Path,
    write_shard: Callable[..., Path],
    rows: Any,
    capfd: pytest.CaptureFixture[str],
) -> None:
    few = preset.model_copy(update={"max_steps": 3, "gradient_accumulation": 4})
    shards = {
        "train": [write_shard(tmp_path / "train.parquet", rows[:1])],
        "validation": [write_shard(tmp_path / "validation.parquet", [])],
    }
    result = train_lora(few, shards, tmp_path / "out")
    assert (result.steps, result.examples, result.validation_examples) == (3, 1, 0)
    assert result.validation_loss_before is result.validation_loss_after is None
    assert result.last_loss < result.first_loss
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("messages", "reasons"),
    [
        ([], None),
        ([{"role": "user", "content": "da", "trainable": False}], r"1 nothing_to_train"),
        ([{"role": "assistant", "content": "lung " * 400, "trainable": True}], r"1 too_long"),
    ],
)
def test_nothing_to_train_on(
    preset: LoraPreset, tmp_path: Path, write_shard: Callable[..., Path], messages: Any, reasons: str | None
) -> None:
    shard = write_shard(tmp_path / "train.parquet", [messages] if reasons else [])
    with pytest.raises(StageFailed, match=reasons or "no training example"):
        train_lora(preset, {"train": [shard]}, tmp_path / "out")
    assert not (tmp_path / "out/.work").exists()
    assert not (tmp_path / "out/train.json").exists()


def test_a_target_that_the_base_does_not_have(preset: LoraPreset, run: Any, tmp_path: Path) -> None:
    for target in ("c_attn", "lm_head", "embed_tokens"):
        wrong = preset.model_copy(update={"target_modules": ("q_proj", target)})
        with pytest.raises(SettingsError, match=rf"no layer '{target}'.*There are: down_proj, gate_proj"):
            train_lora(wrong, run.corpus, tmp_path / target)


def test_a_shard_that_is_no_parquet_file(preset: LoraPreset, tmp_path: Path) -> None:
    (tmp_path / "train.parquet").write_bytes(b"PAR1 but torn")
    for shard in ("train.parquet", "absent.parquet"):
        with pytest.raises(InputError, match="not a Parquet file") as caught:
            train_lora(preset, {"train": [tmp_path / shard]}, tmp_path / "out" / shard)
        assert caught.value.where == str(tmp_path / shard)


def test_a_folder_with_something_in_it_is_left_alone(preset: LoraPreset, run: Any) -> None:
    before = files(run.out)
    with pytest.raises(StoreError, match="not empty"):
        train_lora(preset, run.corpus, run.out)
    assert files(run.out) == before


def test_the_curve_and_what_was_seen(run: Any) -> None:
    import pyarrow.parquet as pq

    lines = [json.loads(line) for line in (run.out / "curve.jsonl").read_text().splitlines()]
    assert [(line["phase"], line["step"]) for line in lines] == [(1, n) for n in range(1, 7)]
    assert lines[-1]["loss"] == run.result.last_loss
    assert [line["learning_rate"] for line in lines] == [step.learning_rate for step in run.watched.steps]
    seen = pq.read_table(run.out / "seen.parquet").to_pandas()
    assert sorted(seen["example_id"]) == sorted(
        [f"train-00000-{i}" for i in range(7)] + [f"train-00002-{i}" for i in range(3)]
    )
    assert (seen["windows"].sum(), seen["tokens"].sum()) == (10, run.result.tokens)
    assert seen["trained_tokens"].sum() == run.result.trained_tokens


def test_the_shown_windows_tell_what_carries_loss(run: Any) -> None:
    shown = run.watched.shown
    assert len(shown) == 10
    lines = (run.out / "windows.jsonl").read_text("utf-8").split("\n")
    assert [Shown.model_validate_json(line) for line in lines if line] == shown
    for one in shown:
        first, second = [piece.text for piece in one.pieces if piece.trained]
        assert first.startswith("Bine, mulțumesc!")
        assert first.endswith("🌳<|end|>")
        assert second.startswith("Odd back")
        assert second.endswith("<|end|>")
        read = "".join(piece.text for piece in one.pieces if not piece.trained)
        assert "MASKED" in read
        assert "INTENSITYMARK" not in read
        assert one.tokens > one.trained_tokens > 0


def test_examples_that_trl_loses_stop_the_run(
    preset: LoraPreset, run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trl import SFTTrainer

    build = SFTTrainer.__init__

    def lossy(self: Any, **arguments: Any) -> None:
        build(self, **arguments)
        self.train_dataset = self.train_dataset.select(range(4))

    monkeypatch.setattr(SFTTrainer, "__init__", lossy)
    with pytest.raises(StageFailed, match="kept 4 of 10 rows"):
        train_lora(preset, run.corpus, tmp_path / "out")


def test_a_loss_that_is_not_a_number_stops_the_run(preset: LoraPreset, run: Any, tmp_path: Path) -> None:
    from trl import SFTTrainer

    broken = SFTTrainer.compute_loss
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SFTTrainer, "compute_loss", lambda *a, **k: broken(*a, **k) * float("nan"))
        with pytest.raises(StageFailed, match=r"not a number at step 1.*learning_rate"):
            train_lora(preset, run.corpus, tmp_path / "out")
    assert not (tmp_path / "out/train.json").exists()


def test_an_adapter_that_was_changed_on_disk_is_noticed(run: Any, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    shutil.copytree(run.out, tmp_path / "out")
    model = load(run.out)
    check_reread(model, tmp_path / "out/adapter", [2, 9, 30, 1])
    assert list(model.peft_config) == ["default"]
    path = tmp_path / "out/adapter/adapter_model.safetensors"
    weights = load_file(path)
    name = next(n for n in weights if "lora_B" in n)
    weights[name][0, 0] += 1
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(StageFailed, match="answers differently"):
        check_reread(model, tmp_path / "out/adapter", [2, 9, 30, 1])


def test_an_adapter_in_the_wrong_places_is_noticed(run: Any, preset: LoraPreset) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(run.out / "base")
    model = PeftModel.from_pretrained(base, run.out / "adapter", is_trainable=True)
    assert check_adapter(model, preset).adapted_layers == 6
    check_moved(model)
    with pytest.raises(StageFailed, match="6 of 8 layers"):
        check_adapter(model, preset.model_copy(update={"target_modules": (*preset.target_modules, "k_proj")}))
    with pytest.raises(StageFailed, match="6 of 4 layers"):
        check_adapter(model, preset.model_copy(update={"target_modules": ("q_proj", "v_proj")}))
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if "lora_B" in name:
                weights.zero_()
    with pytest.raises(StageFailed, match="did not change"):
        check_moved(model)
