"""A whole run on a small corpus: what it writes, what it says of itself, and that equal inputs give equal bytes."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from models.tribal import LIBRARIES, TribalResult, plan_tribal, train_tribal
from models.tribal.batches import IGNORED
from models.tribal.measuring import measure_validation
from models.tribal.opening import open_nova
from models.tribal.preparing import Prepared
from models.tribal.schedule import validation_rows
from schemas.errors import StageFailed, StoreError
from schemas.settings.tribal import TribalPreset
from tests.models.tribal.training.conftest import Corpus, Run, Watched, WriteShard
from tests.models.tribal.training.test_documents import changed


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_it_learns_words(run: Run) -> None:
    before, after = run.result.before, run.result.after
    assert before is not None
    assert after is not None
    assert before.lm_loss == pytest.approx(math.log(400), abs=0.2)
    assert after.lm_loss < before.lm_loss - 1
    assert after.bits_per_byte < before.bits_per_byte


def test_it_learns_who_speaks(preset: TribalPreset, corpus: Corpus, tmp_path: Path) -> None:
    """On conversations that it has not read; a guess costs log 4."""
    result = train_tribal(
        changed(preset, max_steps=80, label_loss_weight=1, validation_steps=20), corpus, tmp_path / "out"
    )
    assert result.before is not None
    assert result.after is not None
    assert result.before.label_loss == pytest.approx(math.log(4), abs=0.05)
    assert result.after.label_loss is not None
    assert result.after.label_loss < 1


def test_what_is_said_is_what_the_saved_model_does(run: Run, prepared: Prepared) -> None:
    """The validation, computed again by hand from the folder: window by window, in bits of text."""
    model, tokenizer = open_nova(run.out / "model")
    assert tokenizer.get_vocab() == prepared.tokenizer.get_vocab()
    collate, nats, tokens, text = prepared.collator(prepared.validation), 0.0, 0, 0
    for number in (number for row in validation_rows(prepared) for number in row):
        _, start, stop = prepared.validation.windows[number]
        ids = prepared.validation.documents.ids[start:stop]
        with torch.no_grad():
            chances = model(input_ids=torch.from_numpy(ids).long()[None]).logits[0].log_softmax(-1)
        labels = collate([[number]])["labels"][0, : stop - start]
        for place in np.flatnonzero(labels != IGNORED).tolist():
            nats -= float(chances[place - 1, labels[place]])
            tokens += 1
            name = tokenizer.convert_ids_to_tokens(int(labels[place]))
            text += 0 if name == "<|end|>" else len(name)
    after = run.result.after
    assert after is not None
    assert nats / tokens == pytest.approx(after.lm_loss, rel=1e-4)
    assert nats / text / math.log(2) == pytest.approx(after.bits_per_byte, rel=1e-4)


def test_the_account_adds_up(run: Run, prepared: Prepared) -> None:
    result, train = run.result, prepared.train
    (phase,) = result.phases
    assert result.steps == phase.steps == phase.steps_planned == 12
    assert result.examples + result.examples_set_aside.get("not_reached", 0) == 60
    seen = pq.read_table(run.out / "seen.parquet").to_pydict()
    assert len(seen["example_id"]) == len(set(seen["example_id"])) == result.examples
    for name in ("windows", "tokens", "trained_tokens"):
        assert sum(seen[name]) == getattr(result, name) == getattr(phase, name)
    assert result.tokens <= len(train.documents.ids)
    assert result.labels.turns == {name: train.labels.turns[name] for name in result.members}
    assert set(result.libraries) == set(LIBRARIES)
    kept = min(
        (json.loads(line) for line in (run.out / "validation.jsonl").read_text().splitlines()[1:]),
        key=lambda found: found["lm_loss"],
    )
    assert result.after is not None
    assert (phase.kept_step, result.after.lm_loss) == (kept["step"], kept["lm_loss"])


def test_the_curve_has_every_step(run: Run) -> None:
    steps = [json.loads(line) for line in (run.out / "curve.jsonl").read_text().splitlines()]
    assert [(step["phase"], step["step"]) for step in steps] == [(1, n) for n in range(1, 13)]
    rates = [step["learning_rate"] for step in steps]
    assert max(rates) == pytest.approx(1e-2)
    assert rates[-1] > 1e-3 * 0.9
    for step in steps:
        assert step["loss"] > step["lm_loss"] > 0
        assert step["label_loss"] > 0
    measured = [json.loads(line) for line in (run.out / "validation.jsonl").read_text().splitlines()]
    assert [found["step"] for found in measured] == [0, 3, 6, 9, 12]
    assert [step.step for step in run.watched.steps] == list(range(1, 13))
    assert run.watched.steps[-1].tokens > 0
    assert run.watched.peaks[0].peak_bytes > 0


def test_whoever_watches_hears_the_plan_and_later_the_hours(
    run: Run, preset: TribalPreset, tmp_path: Path
) -> None:
    plan, timed = run.watched.plans
    assert plan.hours is None
    assert timed.hours is not None
    assert plan == timed.model_copy(update={"hours": None})
    (tmp_path / "work").mkdir()
    again = plan_tribal(preset, run.corpus, tmp_path / "work")
    volatile = {"free_bytes": 0, "free_disk_bytes": 0}
    assert again.model_copy(update=volatile) == plan.model_copy(update=volatile)
    assert (plan.steps, plan.examples, plan.tokens) == (12, run.result.examples, run.result.tokens)
    assert plan.parameters == sum(w.numel() for w in open_nova(run.out / "model")[0].parameters())


def test_the_folder_is_a_model_of_the_library_without_path_or_pickle(
    run: Run, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(run.out / "model")
    tokenizer = AutoTokenizer.from_pretrained(run.out / "model")
    ids = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Ce faci?"}], add_generation_prompt=True, return_tensors="pt"
    )
    assert model.generate(**ids, max_new_tokens=5, do_sample=False).shape[0] == 1
    assert model.config.use_cache
    places = {str(tmp_path_factory.getbasetemp()), str(Path.home()), str(Path.cwd())}
    for name, data in files(run.out).items():
        assert not name.endswith((".bin", ".pt", ".pkl", ".pth"))
        if not name.endswith((".safetensors", ".parquet")):
            assert not [place for place in places if f"{place}/" in data.decode()], name
    assert {path.name for path in run.out.iterdir()} == {
        "model", "train.json", "curve.jsonl", "validation.jsonl", "evaluation.json", "seen.parquet",
    }  # fmt: skip
    assert TribalResult.model_validate_json((run.out / "train.json").read_text()) == run.result


def test_equal_inputs_give_equal_bytes_in_another_process(
    run: Run, preset: TribalPreset, tmp_path: Path
) -> None:
    code = (
        "import json, sys; from pathlib import Path; from models.tribal import train_tribal;"
        "from schemas.settings.tribal import TribalPreset;"
        "corpus = {k: [Path(p) for p in v] for k, v in json.loads(sys.argv[2]).items()};"
        "train_tribal(TribalPreset.model_validate_json(sys.argv[1]), corpus, Path(sys.argv[3]))"
    )
    corpus = json.dumps({split: [str(path) for path in paths] for split, paths in run.corpus.items()})
    done = subprocess.run(
        [sys.executable, "-c", code, preset.model_dump_json(), corpus, str(tmp_path / "again")],
        env={"PATH": "/usr/bin", "PYTHONHASHSEED": "7", "PYTHONPATH": str(Path(__file__).parents[4]),
             "HOME": str(tmp_path / "home"), "OMP_NUM_THREADS": str(torch.get_num_threads())},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )  # fmt: skip
    assert files(tmp_path / "again") == files(run.out)
    assert (done.stdout, done.stderr) == ("", "")


def test_without_validation_the_last_weights_are_kept_and_that_is_said(
    preset: TribalPreset, corpus: Corpus, tmp_path: Path, write_shard: WriteShard
) -> None:
    watched = Watched()
    empty = write_shard(tmp_path / "validation.parquet", [])
    short = changed(preset, max_steps=3, patience=1, validation_steps=1)
    shards = {"train": corpus["train"], "validation": [empty]}
    result = train_tribal(short, shards, tmp_path / "out", watcher=watched)
    assert result.before is result.after is None
    assert result.phases[0].kept_step == result.steps == 3
    assert "no validation split" in watched.notes[0]
    assert result.notes == (watched.notes[0],)
    assert (tmp_path / "out/validation.jsonl").read_text() == ""


def test_a_phase_ends_when_validations_no_longer_get_better_and_keeps_the_best(
    preset: TribalPreset, corpus: Corpus, tmp_path: Path
) -> None:
    wild = changed(preset, learning_rate=0.3, max_steps=30, validation_steps=2, patience=2, warmup_ratio=0.5)
    result = train_tribal(wild, corpus, tmp_path / "out")
    (phase,) = result.phases
    assert phase.steps < phase.steps_planned == 30
    assert phase.kept_step == phase.steps - 4
    lines = [json.loads(line) for line in (tmp_path / "out/validation.jsonl").read_text().splitlines()]
    losses = {line["step"]: line["lm_loss"] for line in lines[1:]}
    assert min(losses, key=lambda step: losses[step]) == phase.kept_step
    assert result.after is not None
    assert result.after.lm_loss == losses[phase.kept_step]


@pytest.mark.parametrize("changes", [{"mixing": "concat"}, {"members": None}, {"label_loss_weight": 0}])
def test_other_ways_to_be_a_nova(
    preset: TribalPreset, corpus: Corpus, tmp_path: Path, changes: dict[str, Any]
) -> None:
    result = train_tribal(changed(preset, max_steps=2, **changes), corpus, tmp_path / "out")
    assert result.steps == 2
    model, _ = open_nova(tmp_path / "out/model")
    assert model.config.mixing == changes.get("mixing", "residual")
    if "members" in changes:
        assert result.members[0] == "nova"
        assert sorted(result.members[1:]) == ["Lumin", "Sophia", "Sora"]


def test_the_bf16_of_a_preset_is_what_is_computed_in(
    preset: TribalPreset, corpus: Corpus, tmp_path: Path
) -> None:
    result = train_tribal(changed(preset, max_steps=2, dtype="bf16"), corpus, tmp_path / "out")
    assert result.dtype == "bfloat16"
    model, _ = open_nova(tmp_path / "out/model")
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}


def test_out_of_memory_halves_the_batch_once(
    preset: TribalPreset, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from models.tribal.trainer import TribalTrainer

    step, fits = TribalTrainer.training_step, 2

    def hungry(self: Any, model: Any, inputs: Any, *rest: Any, **named: Any) -> Any:
        if len(inputs["input_ids"]) > fits and self.state.global_step >= 3:
            torch.empty(1 << 62, dtype=torch.uint8)  # the allocator itself refuses
        return step(self, model, inputs, *rest, **named)

    monkeypatch.setattr(TribalTrainer, "training_step", hungry)
    watched = Watched()
    few = changed(preset, max_steps=6, checkpoint_steps=2)
    result = train_tribal(few, corpus, tmp_path / "out", work=tmp_path / "work", watcher=watched)
    (phase,) = result.phases
    assert (result.out_of_memory, phase.batch_size, phase.gradient_accumulation) == (1, 2, 2)
    assert "going on with batch_size 2 and gradient_accumulation 2" in watched.notes[0]
    assert [one.step for one in watched.steps] == [1, 2, 3, 3, 4, 5, 6]
    fits = 1
    with pytest.raises(StageFailed, match=r"ran out of memory again, with half the batch.*max_length"):
        train_tribal(few, corpus, tmp_path / "out2", work=tmp_path / "work2")


def test_a_loss_that_is_no_number_overwrites_nothing(
    preset: TribalPreset, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from models.tribal.trainer import TribalTrainer

    loss = TribalTrainer.compute_loss

    def broken(self: Any, *arguments: Any, **named: Any) -> Any:
        return loss(self, *arguments, **named) * (float("nan") if self.state.global_step >= 3 else 1)

    monkeypatch.setattr(TribalTrainer, "compute_loss", broken)
    with pytest.raises(StageFailed, match=r"not a number at step 4.*Lower learning_rate"):
        train_tribal(changed(preset, checkpoint_steps=1), corpus, tmp_path / "out", work=tmp_path / "work")
    assert files(tmp_path / "out") == {}
    assert (tmp_path / "work/phase-1/checkpoint-3/model.safetensors").exists()


def test_a_folder_that_is_not_empty_and_a_working_folder_of_another_run(
    preset: TribalPreset, run: Run, tmp_path: Path
) -> None:
    with pytest.raises(StoreError, match="not empty"):
        train_tribal(preset, run.corpus, run.out)
    plan_tribal(preset, run.corpus, tmp_path / "work")
    other = changed(preset, seed=7)
    with pytest.raises(StoreError, match="belongs to another run"):
        train_tribal(other, run.corpus, tmp_path / "out", work=tmp_path / "work")


def test_too_little_memory_is_refused_with_what_to_change(
    preset: TribalPreset, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from models.tribal import memory
    from schemas.errors import UsageError

    monkeypatch.setattr(memory, "free_memory", lambda: ("a small GPU", 2_000_000))
    with pytest.raises(
        UsageError, match=r"a small GPU has 0\.0 free.*batch_size: 2 and gradient_accumulation: 2"
    ):
        plan_tribal(preset, corpus, tmp_path)
    monkeypatch.setattr(memory, "free_memory", lambda: ("a tiny GPU", 1000))
    with pytest.raises(UsageError, match="Not even batch_size: 1"):
        plan_tribal(preset, corpus, tmp_path)


def test_importing_the_package_loads_no_model_library() -> None:
    code = "import sys, models.tribal; print([m for m in ('torch', 'transformers') if m in sys.modules])"
    told = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[4],
    )
    assert told.stdout == "[]\n"


def test_a_plain_gpt2_is_fitted_to_the_same_data(
    prepared: Prepared, tmp_path: Path, write_shard: Callable[..., Path]
) -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    from models.tribal.curriculum import fit

    def build() -> Any:
        torch.manual_seed(3)
        config = GPT2Config(
            vocab_size=400, n_embd=32, n_layer=2, n_head=2, n_positions=64, bos_token_id=None,
            eos_token_id=prepared.tokenizer.eos_token_id, pad_token_id=prepared.tokenizer.pad_token_id,
        )  # fmt: skip
        return GPT2LMHeadModel(config)

    fitted = fit(build, prepared, tmp_path)
    (phase,) = fitted.phases
    assert len(phase.steps) == 12
    assert "label_loss" not in phase.steps[0]
    assert phase.validations[-1].label_loss is None
    assert phase.validations[-1].lm_loss < phase.validations[0].lm_loss - 1
    assert type(fitted.model).__name__ == "GPT2LMHeadModel"


def test_a_curriculum_is_measured_on_everything_and_each_phase_on_its_own(
    preset: TribalPreset, corpus: Corpus, tmp_path: Path, prepared: Prepared
) -> None:
    phases = [
        {"name": "mix", "learning_rate": 1e-2, "epochs": 0.1},
        {"name": "sora", "learning_rate": 5e-3, "epochs": 0.2, "member": "sora", "replay": 0.3},
    ]
    result = train_tribal(changed(preset, phases=phases, max_steps=None), corpus, tmp_path / "out")
    mix, sora = result.phases
    assert sora.validation_windows < mix.validation_windows == result.validation_windows
    assert result.before == mix.before
    assert mix.after is not None
    assert result.after is not None
    assert sora.before is not None
    assert sora.after is not None
    assert sora.before.lm_loss != mix.after.lm_loss
    again = measure_validation(open_nova(tmp_path / "out/model")[0], prepared, validation_rows(prepared))
    assert again is not None
    assert again.lm_loss == pytest.approx(result.after.lm_loss, rel=1e-5)
    assert result.after.lm_loss != sora.after.lm_loss
