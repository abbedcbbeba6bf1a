"""How each public set is read as chats: a few lines for each, for the label classifier's training and tests."""

from __future__ import annotations

import ast
import csv
import gzip
import html
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Chat = list[tuple[str, str]]
Reader = Callable[[Path], Iterator[Chat]]


def _lines(path: Path) -> Iterator[Any]:
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8")
    yield from (json.loads(line) for line in text.split("\n") if line.strip())


def _json(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def _pair(prompt: str, reply: str) -> Chat:
    return [(role, text) for role, text in (("user", prompt), ("assistant", reply)) if text.strip()]


def _alpaca(name: str, reply: str) -> Callable[[Path], Iterator[Chat]]:
    def read(folder: Path) -> Iterator[Chat]:
        for row in _json(folder / name):
            yield _pair(f"{row['instruction']}\n{row['input']}".strip(), row[reply])

    return read


def _human_eval(folder: Path) -> Iterator[Chat]:
    for row in _lines(folder / "HumanEval.jsonl.gz"):
        yield _pair(row["prompt"], row["canonical_solution"])


def _preference(folder: Path) -> Iterator[Chat]:
    for row in _json(folder / "dpo_en_demo.json"):
        yield [*_share(row["conversations"]), ("assistant", row["chosen"]["value"])]
    for row in _json(folder / "kto_en_demo.json"):
        yield [(message["role"], message["content"]) for message in row["messages"]]


_ROLES = {"human": "user", "gpt": "assistant", "function_call": "assistant", "observation": "user"}


def _share(messages: list[dict[str, str]]) -> Chat:
    """Calls and results as plain turns: what shows by structure needs no classifier."""
    return [(_ROLES.get(message["from"], "system"), message["value"]) for message in messages]


def _glaive(folder: Path) -> Iterator[Chat]:
    for row in _json(folder / "glaive_toolcall_en_demo.json"):
        yield _share(row["conversations"])


def _gsm8k(folder: Path) -> Iterator[Chat]:
    for row in _lines(folder / "train.jsonl"):
        yield _pair(row["question"], row["answer"])


def _aqua(folder: Path) -> Iterator[Chat]:
    for name in ("dev.json", "test.json"):
        for row in _lines(folder / name):
            yield _pair("\n".join([row["question"], *row["options"]]), row["rationale"])


def _bbh(folder: Path) -> Iterator[Chat]:
    for path in sorted(folder.glob("*.json")):
        for row in _json(path)["examples"]:
            yield _pair(row["input"], row["target"])


def _oasst(folder: Path) -> Iterator[Chat]:
    for row in _lines(folder / "en_100_tree.jsonl"):
        chat, node = [("user", row["prompt"]["text"])], row["prompt"]
        while node["replies"]:
            node = node["replies"][0]
            chat.append(("user" if node["role"] == "prompter" else "assistant", node["text"]))
        yield chat


def _sgd(folder: Path) -> Iterator[Chat]:
    for row in _json(folder / "dialogues_034.json"):
        yield [("user" if t["speaker"] == "USER" else "assistant", t["utterance"]) for t in row["turns"]]


def _typed(name: str) -> Callable[[Path], Iterator[Chat]]:
    def read(folder: Path) -> Iterator[Chat]:
        for row in _lines(folder / name):
            yield [
                (m["role"], "\n".join(p["value"] for p in m["content"] if p["type"] != "reasoning"))
                for m in row["messages"]
            ]

    return read


def _counsel(folder: Path) -> Iterator[Chat]:
    with (folder / "20200325_counsel_chat.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            reply = html.unescape(re.sub(r"<[^>]+>", " ", row["answerText"] or ""))
            yield _pair(f"{row['questionTitle']}\n{row['questionText']}", reply)


def _counsel_json(folder: Path) -> Iterator[Chat]:
    for row in _json(folder / "counsel_chat_250-tokens_full.json")["train"]:
        for utterance in row["utterances"]:
            yield _pair(utterance["history"][-1], utterance["candidates"][-1])


def _shakespeare(folder: Path) -> Iterator[Chat]:
    speeches = (folder / "input.txt").read_text("utf-8").split("\n\n")
    for at in range(0, len(speeches), 6):
        yield [("assistant", "\n\n".join(speeches[at : at + 6]))]


def _xhtml(cut: str) -> Callable[[Path], Iterator[Chat]]:
    def read(folder: Path) -> Iterator[Chat]:
        for path in sorted(folder.glob("*.xhtml")):
            if path.stem not in ("colophon", "imprint", "uncopyright", "titlepage", "halftitlepage"):
                for piece in re.split(cut, path.read_text("utf-8").partition("<body")[2])[1:]:
                    lines = re.sub(r"<h\d.*?</h\d>|<[^>]+>", "", piece.partition(">")[2], flags=re.S).split(
                        "\n"
                    )
                    text = "\n".join(line.strip() for line in lines if line.strip())
                    if len(text) > 100:
                        yield [("assistant", html.unescape(text)[:3000])]

    return read


def _bfcl(folder: Path) -> Iterator[Chat]:
    for path in sorted(folder.glob("*.json")):
        for row in _lines(path):
            if "function" in row:
                asked = [(m["role"], m["content"]) for m in row["question"][0]]
                yield [("system", json.dumps(row["function"])), *asked]


def _apibench(folder: Path) -> Iterator[Chat]:
    for row in _lines(folder / "torchhub_train.json"):
        try:
            said = ast.literal_eval(row["code"])
            yield _pair(str(said["Instruction"]), str(said["Output"]))
        except (ValueError, SyntaxError, KeyError, TypeError):
            asked, _, answer = row["code"].partition("Output")
            yield _pair(asked.replace("###Instruction:", "").strip("{'# :"), answer.strip("'# :"))


def _toolalpaca(folder: Path) -> Iterator[Chat]:
    for row in _json(folder / "eval_simulated.json"):
        for asked, answer in zip(row["Instructions"], row["Golden_Answers"], strict=True):
            yield [("system", row["NLDocumentation"]), ("user", asked), ("assistant", json.dumps(answer))]


def _nq(folder: Path) -> Iterator[Chat]:
    for row in _lines(folder / "NQ-open.dev.jsonl"):
        yield _pair(row["question"], row["answer"][0])


def _trivia(folder: Path) -> Iterator[Chat]:
    for name in ("geography", "history", "science-technology"):
        text = (folder / name).read_text("cp1252", errors="replace")
        for asked, answer in re.findall(r"#Q (.*?)\n\^ (.*?)\n", text, flags=re.S):
            yield _pair(asked, answer)


def _raw(folder: Path) -> Iterator[Chat]:
    for line in (folder / "wiki_demo.txt").read_text("utf-8").splitlines():
        yield [("assistant", line[:3000])]
    for row in _lines(folder / "c4_demo.jsonl"):
        yield [("assistant", row["text"][:3000])]


def _hh(folder: Path) -> Iterator[Chat]:
    for row in _lines(folder / "test.jsonl.gz"):
        turns = re.split(r"\n\n(Human|Assistant): ?", row["chosen"])[1:]
        yield [
            ("user" if who == "Human" else "assistant", text)
            for who, text in zip(turns[::2], turns[1::2], strict=True)
        ]


def _persona(folder: Path) -> Iterator[Chat]:
    for path in sorted(folder.glob("*.jsonl")):
        for row in _lines(path):
            yield _pair(row["question"], row["answer_matching_behavior"])


def _arct(folder: Path) -> Iterator[Chat]:
    with (folder / "train-w-swap-doubled.tsv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            reply = f"{row['claim']}. {row['reason']}. {row['warrant' + row['correctLabelW0orW1']]}."
            yield _pair(f"{row['debateTitle']}\n{row['debateInfo']}", reply)


_QUESTION = re.compile(r"<Question[^>]*>(.*?)</Question>\s*<Answer>(.*?)</Answer>", flags=re.S)


def _medquad(folder: Path) -> Iterator[Chat]:
    for path in sorted(folder.glob("*.xml")):
        for asked, answer in _QUESTION.findall(path.read_text("utf-8")):
            if answer.strip():
                yield _pair(html.unescape(asked), html.unescape(re.sub(r"[ \t]+", " ", answer)))


def _divination(folder: Path) -> Iterator[Chat]:
    for card in _json(folder / "tarot_interpretations.json")["tarot_interpretations"]:
        said = [*card["fortune_telling"], *card["meanings"]["light"], *card["meanings"]["shadow"]]
        yield _pair(f"What does the card {card['name']} mean?", " ".join(said))
    for sign in _json(folder / "hexagrams.json")["hexagrams"].values():
        yield _pair(f"What does the hexagram {sign['definition']} say?", sign["description"])
    for name, sign in _json(folder / "zodiac.json")["western_zodiac"].items():
        yield _pair(f"What is the sign {name} like?", ", ".join(sign["keywords"]))


def _comments(folder: Path) -> Iterator[Chat]:
    with (folder / "train.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield _pair(row["text"], "")


def _squad(folder: Path) -> Iterator[Chat]:
    for article in _json(folder / "xquad.ro.json")["data"]:
        for paragraph in article["paragraphs"]:
            for asked in paragraph["qas"]:
                yield _pair(asked["question"], asked["answers"][0]["text"])


def _poems(folder: Path) -> Iterator[Chat]:
    for poem in (folder / "eminescu.txt").read_text("utf-8").split("\n\n"):
        yield _pair("", poem)


#: By the name of the set; `folder` is the set's own.
READERS: dict[str, Reader] = {
    "human_eval": _human_eval,
    "gpteacher_codegen": _alpaca("codegen-instruct.json", "response"),
    "alpaca_en_demo": _alpaca("alpaca_en_demo.json", "output"),
    "llamafactory_preference": _preference,
    "gsm8k_train": _gsm8k,
    "aqua": _aqua,
    "bbh": _bbh,
    "oasst_en_100": _oasst,
    "sgd_test034": _sgd,
    "llamafactory_v1_sft": _typed("v1_sft_demo.jsonl"),
    "counsel_chat": _counsel,
    "counsel_chat_json": _counsel_json,
    "tinyshakespeare": _shakespeare,
    "aesop_fables": _xhtml("<article"),
    "whitman_leaves": _xhtml("<(?:article|section)"),
    "glaive_toolcall_en": _glaive,
    "reason_tool_use": _typed("reason_tool_use_demo_50.jsonl"),
    "bfcl_basic": _bfcl,
    "apibench_torchhub": _apibench,
    "toolalpaca_eval": _toolalpaca,
    "nq_open": _nq,
    "opentrivia_a": _trivia,
    "llamafactory_raw": _raw,
    "hh_rlhf_harmless_test": _hh,
    "anthropic_evals_ethics": _persona,
    "arct": _arct,
    "medquad": _medquad,
    "corpora_divination": _divination,
    "ro_offense_train": _comments,
    "xquad_ro": _squad,
    "eminescu_nodiacritics": _poems,
}
