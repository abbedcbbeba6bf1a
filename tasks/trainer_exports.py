"""Export for other trainers: a folder with the data in their shape and the configuration that reads it as it is.

What must not be learned is not learned there either. Axolotl has a switch per message; LLaMA-Factory can learn the
last reply of a row only, so a corpus with masked replies becomes a row per reply; Unsloth learns every reply of a row,
so conversations are cut where a masked reply stands. What a shape cannot say is counted and told.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from schemas.errors import StoreError, UsageError
from schemas.settings import LoraPreset
from schemas.settings.training import PretrainedBase
from storage.datasets import Dataset
from tasks.trainer_configs import axolotl_config, llama_factory_config, unsloth_config

FORMATS = ("axolotl", "llama-factory", "unsloth")
#: Trainers read these two; what is held out for testing is nobody's to learn from.
SPLITS = ("train", "validation")
Turn = dict[str, Any]


@dataclass
class TrainerExport:
    """What was written: rows by split, replies that are learned there, and what could not be said, by reason."""

    rows: Counter[str] = field(default_factory=Counter)
    replies: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    files: tuple[str, ...] = ()
    per_reply: bool = False


def export_for_trainer(
    corpus: Dataset, form: str, out: Path, preset: LoraPreset, overwrite: bool = False
) -> TrainerExport:
    """Write the corpus's train and validation splits for another trainer to the folder `out`.

    Raises UsageError when something stands there already (`overwrite` replaces a folder of an earlier export), or when
    the preset's base has no name in the other trainer; StoreError when it cannot be written.
    """
    _check(out, preset, overwrite)
    temporary = out.with_name(f".{out.name[:100]}.{os.getpid()}.part")
    try:
        temporary.mkdir(parents=True)
        made = _write(corpus, form, temporary, preset)
        if out.is_dir():
            shutil.rmtree(out)
        temporary.replace(out)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else "not possible"
        raise StoreError(f"cannot write the export: {reason.lower()}", where=str(out)) from None
    finally:
        with suppress(OSError):
            shutil.rmtree(temporary)
    return made


def _write(corpus: Dataset, form: str, folder: Path, preset: LoraPreset) -> TrainerExport:
    made = TrainerExport(per_reply=form == "llama-factory" and _any_masked(corpus))
    for split in SPLITS:
        if not corpus.rows(split):
            continue
        with (folder / f"{split}.jsonl").open("w", encoding="utf-8") as sink:
            for messages in _conversations(corpus, split):
                turns = plain_turns(messages, preset.system)
                for row in _ROWS[form](turns, made, split):
                    sink.write(json.dumps(row, ensure_ascii=False) + "\n")
                    made.rows[split] += 1
    if not made.rows["train"]:
        raise UsageError("the corpus has nothing to learn from in this shape", fix="Build the corpus again.")
    splits = [split for split in SPLITS if made.rows[split]]
    for split in {*SPLITS} - {*splits}:
        (folder / f"{split}.jsonl").unlink(missing_ok=True)
    for name, value in _CONFIGS[form](preset, splits, made.per_reply).items():
        text = (
            json.dumps(value, indent=2) + "\n"
            if name.endswith(".json")
            else yaml.safe_dump(value, sort_keys=False, allow_unicode=True)
        )
        (folder / name).write_text(text, "utf-8")
    made.files = tuple(sorted(path.name for path in folder.iterdir()))
    return made


def plain_turns(messages: Sequence[Mapping[str, Any]], system: str | None) -> list[Turn]:
    """System, user, assistant and tool turns with `learn`; neighbours of one side are joined by an empty line.

    A joined reply is learned only when all of it may be. `system` stands first where a conversation has none.
    """
    turns: list[Turn] = []
    if system and not (messages and messages[0]["role"] == "system"):
        turns.append({"role": "system", "content": system, "learn": False, "replies": 0})
    for message in messages:
        role = "assistant" if message["role"] == "tool_call" else message["role"]
        learn = role == "assistant" and bool(message["trainable"])
        turn = {"role": role, "content": message["content"] or "", "learn": learn, "replies": int(learn)}
        if turns and turns[-1]["role"] == role:
            before = turns[-1]
            before["content"] = f"{before['content']}\n\n{turn['content']}"
            before["learn"] = before["learn"] and learn
            before["replies"] += turn["replies"]
        else:
            turns.append(turn)
    return turns


def _axolotl(turns: Sequence[Turn], made: TrainerExport, split: str) -> Iterator[dict[str, Any]]:
    """One row per conversation; each message says whether it is trained on."""
    _count_joined(turns, made)
    if not any(turn["learn"] for turn in turns):
        made.left_out["conversations with nothing to learn"] += 1
        return
    made.replies[split] += sum(turn["replies"] for turn in turns if turn["learn"])
    yield {
        "messages": [
            {"role": turn["role"], "content": turn["content"], "train": turn["learn"]} for turn in turns
        ]
    }


def _llama_factory(turns: Sequence[Turn], made: TrainerExport, split: str) -> Iterator[dict[str, Any]]:
    """ShareGPT turns that begin with the human and alternate; a row per conversation, or per reply."""
    system, spoken = _alternating(turns, made)
    tags = {"user": "human", "tool": "observation", "assistant": "gpt"}
    ends = [number for number, turn in enumerate(spoken) if turn["learn"]]
    if not ends:
        made.left_out["conversations with nothing to learn"] += 1
        return
    for end in ends if made.per_reply else ends[-1:]:
        learned = [spoken[end]] if made.per_reply else [turn for turn in spoken[: end + 1] if turn["learn"]]
        made.replies[split] += sum(turn["replies"] for turn in learned)
        said = [{"from": tags[turn["role"]], "value": turn["content"]} for turn in spoken[: end + 1]]
        yield {"conversations": said, "system": system}
    for turn in spoken[ends[-1] + 1 :]:  # a row ends with a reply that is learned
        made.left_out["masked replies" if turn["role"] == "assistant" else "questions without a reply"] += 1


def _unsloth(turns: Sequence[Turn], made: TrainerExport, split: str) -> Iterator[dict[str, Any]]:
    """Role and content; a conversation ends where a masked reply stands, and begins anew behind it."""
    system, spoken = _alternating(turns, made)
    head = [{"role": "system", "content": system}] if system else []
    stretch: list[Turn] = []
    for turn in [*spoken, None]:
        if turn is not None and (turn["role"] != "assistant" or turn["learn"]):
            stretch.append(turn)
            continue
        while stretch and stretch[-1]["role"] != "assistant":
            stretch.pop()  # the question that the masked reply answers
            if turn is None:
                made.left_out["questions without a reply"] += 1
        if turn is not None:
            made.left_out["masked replies, with their questions"] += 1
        if stretch:
            made.replies[split] += sum(one["replies"] for one in stretch)
            roles = {"tool": "user"}
            said = [{"role": roles.get(t["role"], t["role"]), "content": t["content"]} for t in stretch]
            yield {"conversations": [*head, *said]}
        stretch = []


def _alternating(turns: Sequence[Turn], made: TrainerExport) -> tuple[str, list[Turn]]:
    """The system text, and turns that begin with a question and alternate; what does not fit is counted."""
    system = "\n\n".join(turn["content"] for turn in turns if turn["role"] == "system")
    spoken = [turn for turn in turns if turn["role"] != "system"]
    while spoken and spoken[0]["role"] == "assistant":
        made.left_out["opening replies"] += 1
        del spoken[0]
    joined: list[Turn] = []
    for turn in spoken:
        side = turn["role"] == "assistant"
        if joined and (joined[-1]["role"] == "assistant") == side:  # a tool's answer and a question, say
            before = joined[-1]
            joined[-1] = {
                **before,
                "content": f"{before['content']}\n\n{turn['content']}",
                "learn": before["learn"]
                and turn["learn"],  # a system turn may have stood between two replies
                "replies": before["replies"] + turn["replies"],
            }
        else:
            joined.append(turn)
    _count_joined(joined, made)
    return system, joined


def _count_joined(turns: Sequence[Turn], made: TrainerExport) -> None:
    lost = sum(turn["replies"] for turn in turns if not turn["learn"])
    if lost:
        made.left_out["replies joined to a masked one"] += lost


def _any_masked(corpus: Dataset) -> bool:
    return any(
        message["role"] in ("assistant", "tool_call") and not message["trainable"]
        for split in SPLITS
        for messages in _conversations(corpus, split)
        for message in messages
    )


def _conversations(corpus: Dataset, split: str) -> Iterator[list[dict[str, Any]]]:
    """Distinct examples: one that stands in several phases comes once."""
    seen: set[str] = set()
    for part in corpus.scan(split, ["example_id", "messages"]):
        for batch in part.to_batches(max_chunksize=1_024):
            for row in batch.to_pylist():
                if row["example_id"] not in seen:
                    seen.add(row["example_id"])
                    yield row["messages"]


def _check(out: Path, preset: LoraPreset, overwrite: bool) -> None:
    if not out.name:
        raise UsageError("--out needs the name of a folder", where=str(out))
    if not isinstance(preset.base, PretrainedBase):
        raise UsageError(
            "the demo base is nothing that another trainer could load",
            where="--preset",
            fix="Name a model preset with a real base, such as --preset llama-3-8b.",
        )
    if preset.role_names:
        raise UsageError(
            "other trainers write roles as the base does, not names",
            where="role_names",
            fix="Name a preset without role_names, or train it with vatra.",
        )
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    ours = out.is_dir() and (out / "train.jsonl").is_file()
    if not (overwrite and ours):
        fix = "Choose another with --out" + (", or replace it with --overwrite." if ours else ".")
        raise UsageError("something of this name stands already", where=str(out), fix=fix)


_Row = Callable[[Sequence[Turn], TrainerExport, str], Iterable[dict[str, Any]]]
_ROWS: dict[str, _Row] = {"axolotl": _axolotl, "llama-factory": _llama_factory, "unsloth": _unsloth}
_CONFIGS: dict[str, Callable[[LoraPreset, Sequence[str], bool], dict[str, Any]]] = {
    "axolotl": axolotl_config,
    "llama-factory": llama_factory_config,
    "unsloth": unsloth_config,
}
