"""`train_lora` against a bare TRL script: the same tiny model, the same data, the same settings.

    python -m benchmarks.lora --steps 40

Prints one JSON object on its last line: tokens_per_cpu_s (of vatra, in steady state), ratio_to_trl (of tokens per CPU
second; 1.0 is the bare script's), rss_ratio (peak memory), startup_s (CPU seconds from the call to the first step,
beyond imports and what the bare script takes for the same). Each side runs `--repeat` times in processes of its own, in
turns; CPU figures are the least of these, memory figures the most. Also how near the plan's memory came to the peak.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SIDES = ("vatra", "bare")
_WORDS = [
    "the", "a", "we", "you", "house", "river", "light", "bread", "morning", "walk", "sing", "story", "warm", "quiet",
    "always", "never", "because",
]  # fmt: skip


def main() -> None:
    """Make base and corpus, measure both sides in turns, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--steps", type=int, default=40, help="optimizer steps of a run")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each side")
    parser.add_argument("--hidden", type=int, default=256, help="width of the model; the rest follows")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.side:
        measure = measure_vatra if given.side == "vatra" else measure_bare
        print(json.dumps(measure(given.folder)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_corpus(folder, rows=given.steps * 8)
        make_base(folder, given.hidden)
        write_preset(folder, given.steps)
        runs = [[_in_process_of_its_own(side, folder) for side in SIDES] for _ in range(given.repeat)]
    ours, theirs = (_best(side) for side in zip(*runs, strict=True))
    if ours["loss"] != theirs["loss"] or ours["tokens"] != theirs["tokens"]:
        print(f"the two sides learn differently: {ours} and {theirs}")
    print(json.dumps({"vatra": ours, "bare": theirs}))
    print(json.dumps(_figures(ours, theirs)))


def _figures(ours: dict[str, float], theirs: dict[str, float]) -> dict[str, float]:
    speed = ours["tokens"] / ours["cpu_s"]
    return {
        "tokens_per_cpu_s": round(speed, 1),
        "ratio_to_trl": round(speed / (theirs["tokens"] / theirs["cpu_s"]), 3),
        "rss_ratio": round(ours["peak_bytes"] / theirs["peak_bytes"], 3),
        "startup_s": round(ours["startup_s"] - theirs["startup_s"], 2),
        "planned_to_peak": round(ours["planned_bytes"] / (ours["peak_bytes"] - ours["bytes_before"]), 2),
    }


def make_corpus(folder: Path, rows: int) -> None:
    """A shard of short conversations of two turns each."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from schemas.tables import CORPUS

    chance = random.Random(1)

    def say(role: str, words: int) -> dict[str, Any]:
        text = " ".join(chance.choice(_WORDS) for _ in range(words))
        return {
            "role": role,
            "author": None,
            "intensity": None,
            "content": text,
            "trainable": role == "assistant",
        }

    table = [
        {
            "example_id": str(row), "conversation_id": str(row), "source": "made", "phase": 1, "category": None,
            "language": "en", "messages": [say(role, 60) for role in ("user", "assistant") * 2],
        }
        for row in range(rows)
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(table, schema=CORPUS), folder / "train.parquet")


def make_base(folder: Path, hidden: int, layers: int = 4) -> None:
    """A Llama with random weights and the demo's tokenizer, as a local folder."""
    import pyarrow.parquet as pq
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from models.chat_tokenizer import train_tokenizer

    rows = pq.read_table(folder / "train.parquet")["messages"].to_pylist()
    tokenizer = train_tokenizer((m["content"] for row in rows for m in row), 2000, 1024)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=hidden, intermediate_size=3 * hidden, num_hidden_layers=layers,
        num_attention_heads=hidden // 64, num_key_value_heads=hidden // 64, max_position_embeddings=1024,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, bos_token_id=None,
    )  # fmt: skip
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(folder / "base")
    tokenizer.save_pretrained(folder / "base")


def write_preset(folder: Path, steps: int) -> None:
    """The settings of both sides."""
    preset = {
        "description": "benchmark", "base": {"kind": "pretrained", "name": str(folder / "base")}, "backend": "trl",
        "dtype": "fp32", "rank": 8, "alpha": 16, "target_modules": ["q_proj", "k_proj", "v_proj", "o_proj"],
        "learning_rate": 1e-3, "batch_size": 8, "gradient_accumulation": 1, "max_length": 1024, "max_steps": steps,
        "checkpoint_steps": 1000,
    }  # fmt: skip
    (folder / "preset.json").write_text(json.dumps(preset))


def measure_vatra(folder: Path) -> dict[str, Any]:
    """A training as `vatra train lora` runs it, imports first."""
    import peft  # noqa: F401
    from trl import SFTTrainer  # noqa: F401

    from models.lora import Preflight, StepDone, Watcher, train_lora
    from schemas.settings import LoraPreset

    marks: list[tuple[float, int]] = []
    plans: list[Preflight] = []

    class Timer(Watcher):
        def planned(self, preflight: Preflight) -> None:
            plans.append(preflight)

        def stepped(self, step: StepDone) -> None:
            marks.append((cpu_seconds(), step.tokens))

    preset = LoraPreset.model_validate_json((folder / "preset.json").read_text())
    before, begun = peak_bytes(), cpu_seconds()
    with tempfile.TemporaryDirectory() as name:
        shards = {"train": [folder / "train.parquet"]}
        result = train_lora(preset, shards, Path(name) / "out", watcher=Timer())
    return {
        "cpu_s": marks[-1][0] - marks[0][0],
        "tokens": marks[-1][1] - marks[0][1],
        "startup_s": marks[0][0] - begun,
        "loss": result.last_loss,
        "peak_bytes": peak_bytes(),
        "bytes_before": before,
        "planned_bytes": plans[0].memory.total,
    }


def measure_bare(folder: Path) -> dict[str, Any]:
    """What a person writes with TRL alone for the same; the rows are ready, as vatra's are when it trains."""
    from transformers import TrainerCallback

    marks: list[tuple[float, int]] = []
    losses: list[float] = []

    class Timer(TrainerCallback):  # type: ignore[misc]
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **rest: Any) -> None:
            if logs and "loss" in logs:
                marks.append((cpu_seconds(), int(state.num_input_tokens_seen)))
                losses.append(logs["loss"])

    import peft  # noqa: F401
    from trl import SFTTrainer  # noqa: F401

    before, begun = peak_bytes(), cpu_seconds()
    with tempfile.TemporaryDirectory() as name:
        _bare_trainer(folder, name, Timer()).train()
    return {
        "cpu_s": marks[-1][0] - marks[0][0],
        "tokens": marks[-1][1] - marks[0][1],
        "startup_s": marks[0][0] - begun,
        "loss": losses[-1],
        "peak_bytes": peak_bytes(),
        "bytes_before": before,
    }


def _bare_trainer(folder: Path, output: str, timer: Any) -> Any:
    import pyarrow.parquet as pq
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    preset = json.loads((folder / "preset.json").read_text())
    tokenizer = AutoTokenizer.from_pretrained(folder / "base")
    rows = [
        _encoded(row, tokenizer) for row in pq.read_table(folder / "train.parquet")["messages"].to_pylist()
    ]
    model = AutoModelForCausalLM.from_pretrained(folder / "base", dtype=torch.float32)
    arguments = SFTConfig(
        output_dir=output, max_steps=preset["max_steps"], per_device_train_batch_size=preset["batch_size"],
        gradient_accumulation_steps=1, learning_rate=preset["learning_rate"], seed=42, data_seed=42,
        max_length=None, bf16=False, use_cpu=True, gradient_checkpointing=False, dataloader_pin_memory=False,
        include_num_input_tokens_seen="non_padding", logging_steps=1, save_strategy="no", report_to="none",
        disable_tqdm=True, dataset_kwargs={"skip_prepare_dataset": True}, max_grad_norm=1.0,
    )  # fmt: skip
    torch.manual_seed(42)
    return SFTTrainer(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        peft_config=LoraConfig(
            r=8,
            lora_alpha=16,
            lora_dropout=0.0,
            target_modules=preset["target_modules"],
            task_type="CAUSAL_LM",
        ),
        callbacks=[timer],
    )


def _encoded(messages: list[dict[str, Any]], tokenizer: Any) -> dict[str, list[int]]:
    """Token ids by the chat template, and labels by its generation marks."""
    found = tokenizer.apply_chat_template(
        messages, tokenize=True, return_dict=True, return_assistant_tokens_mask=True
    )
    ids, mask = found["input_ids"], found["assistant_masks"]
    return {"input_ids": ids, "labels": [i if on else -100 for i, on in zip(ids, mask, strict=True)]}


def cpu_seconds() -> float:
    """User and system time of this process, all threads."""
    return time.process_time()


def peak_bytes() -> int:
    """The most memory that this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _in_process_of_its_own(side: str, folder: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.lora", "--side", side, "--folder", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _best(runs: tuple[dict[str, float], ...]) -> dict[str, float]:
    worst = {"peak_bytes"}
    return {name: (max if name in worst else min)(run[name] for run in runs) for name in runs[0]}


if __name__ == "__main__":
    main()
