"""`vatra nova generate` and `vatra nova explain`, as they are typed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows.cli import main
from tests.models.tribal.trained import TALK, train

Say = Callable[..., tuple[int, str, str]]
ASKED, SAID = TALK["sora"][0]


@pytest.fixture(scope="module")
def nova(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("nova") / "model")


@pytest.fixture
def say(nova: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Say:
    """Run `vatra nova ...` with the trained model and a home where nothing lies: code, output, errors."""

    def run(*arguments: str, model: Path | None = nova) -> tuple[int, str, str]:
        which = () if model is None else ("--model", str(model))
        code = main(["nova", *arguments, *which, "--home", str(tmp_path / "home")])
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def test_text_goes_to_output_and_who_spoke_to_errors(say: Say) -> None:
    code, out, err = say("generate", ASKED, "--greedy")
    assert (code, out) == (0, SAID + "\n")
    assert err.startswith("Members  sora 1.00, ")
    assert "it ended the turn itself" in err
    assert "--seed" not in err


def test_the_object_of_json(say: Say) -> None:
    code, out, err = say("generate", ASKED, "--greedy", "--json", "--stream")
    told = json.loads(out)
    assert code == 0
    assert (told["text"], told["stopped"], told["strongest"]) == (SAID, "end", "sora")
    assert sum(told["alpha"].values()) == pytest.approx(1, abs=1e-5)
    assert SAID in err  # standard output is the object's alone


def test_a_terminal_is_told_what_takes_long_and_output_stays_the_text(
    say: Say, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    code, out, err = say("generate", ASKED, "--greedy")
    assert (code, out) == (0, SAID + "\n")
    assert "opening the NOVA" in err
    assert "writing" in err
    code, _, err = say("explain", ASKED, "--out", str(tmp_path / "page.html"))
    assert code == 0
    assert "taking it apart" in err


def test_a_new_seed_is_told_and_draws_the_same_again(say: Say) -> None:
    drawn = ("generate", "Focul", "--temperature", "3", "--max-new-tokens", "20", "--json")
    first = json.loads(say(*drawn)[1])
    again = json.loads(say(*drawn, "--seed", str(first["sampling"]["seed"]))[1])
    assert again == first


def test_streaming_and_int8_say_the_same(say: Say) -> None:
    assert say("generate", ASKED, "--greedy", "--stream")[1] == SAID + "\n"
    assert say("generate", ASKED, "--greedy", "--int8")[1] == SAID + "\n"


def test_a_member_can_be_given_the_word(say: Say) -> None:
    told = json.loads(say("generate", ASKED, "--greedy", "--member", "Lumin=0.75", "--json")[1])
    assert told["alpha"]["lumin"] == pytest.approx(0.75)
    assert told["strongest"] == "lumin"


def test_raw_goes_on_with_the_text_itself(say: Say) -> None:
    told = json.loads(say("generate", "Cine", "--greedy", "--raw", "--json")[1])
    replied = json.loads(say("generate", "Cine", "--greedy", "--json")[1])
    assert told["prompt_tokens"] == replied["prompt_tokens"] - 3


def test_cedillas_of_a_romanian_prompt_are_read_as_commas(say: Say) -> None:
    plain = say("generate", ASKED, "--greedy", "--json")[1]
    assert say("generate", ASKED.replace("ț", "ţ"), "--greedy", "--json")[1] == plain
    turkish = "Şimdi şarkı söylüyoruz ve çok güzel bir gün yaşıyoruz"
    comma = turkish.replace("Ş", "Ș").replace("ş", "ș")
    lengths = [json.loads(say("explain", text, "--json")[1])["tokens"] for text in (turkish, comma)]
    assert lengths[0] != lengths[1]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("generate", " "), "the text is empty"),
        (("generate", "", "--raw"), "the text is empty"),
        (("generate", "x" * 500), "context holds 128"),
        (("generate", "x", "--temperature", "0"), "--greedy"),
        (("generate", "x", "--temperature", "nan"), "above 0"),
        (("generate", "x", "--top-p", "1.5"), "--top-p"),
        (("generate", "x", "--top-k", "0"), "--top-k"),
        (("generate", "x", "--greedy", "--top-k", "5"), "Leave out"),
        (("generate", "x", "--max-new-tokens", "0"), "--max-new-tokens"),
        (("generate", "x", "--member", "ada"), "nova, sora, lumin"),
        (("generate", "x", "--member", "sora=1.5"), "from 0 to 1"),
        (("explain", "\n"), "the text is empty"),
        (("explain", "x", "--member", "ada"), "nova, sora, lumin"),
        (("explain", "x", "--layer", "3"), "layers 1 to 2"),
        (("explain", "x", "--head", "9"), "heads 1 to 2"),
        (("explain", "x", "--out", "/dev/null", "--overwrite"), "is no file"),
    ],
)
def test_what_cannot_be_done_is_one_line(say: Say, arguments: tuple[str, ...], told: str) -> None:
    code, out, err = say(*arguments)
    assert (code, out) == (2, "")
    assert told in err
    assert err.count("\n") == 1


def test_models_that_are_none_are_refused(say: Say, nova: Path, tmp_path: Path) -> None:
    assert "no such folder" in say("generate", "x", model=tmp_path / "none")[2]
    assert "there is no NOVA in this home" in say("generate", "x", model=None)[2]
    torn, other = (shutil.copytree(nova, tmp_path / name) for name in ("torn", "other"))
    weights = (torn / "model.safetensors").read_bytes()
    (torn / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    code, _, err = say("generate", "x", model=torn)
    assert (code, err.count("\n")) == (1, 1)
    assert "cannot be read" in err
    config: dict[str, Any] = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "model_type": "gpt2"}))
    code, _, err = say("explain", "x", model=other)
    assert (code, err.count("\n")) == (2, 1)
    assert "'gpt2', not a NOVA" in err


def test_a_page_is_written_and_never_replaced_unasked(say: Say, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    code, out, _ = say("explain", ASKED, "--out", str(page), "--role", "user", "--member", "lumin")
    assert code == 0
    assert str(page) in out
    written = page.read_bytes()
    assert b"Who speaks here?" in written
    assert b"lumin</bdi>, traced to tokens" in written
    page.write_bytes(b"mine")
    code, _, err = say("explain", ASKED, "--out", str(page))
    assert (code, page.read_bytes()) == (2, b"mine")
    assert "stands already" in err
    assert (
        say("explain", ASKED, "--out", str(page), "--role", "user", "--member", "lumin", "--overwrite")[0]
        == 0
    )
    assert page.read_bytes() == written
    assert "no such folder" in say("explain", "x", "--out", str(tmp_path / "none/page.html"))[2]


def test_without_a_place_the_page_lies_in_the_homes_reports(say: Say, tmp_path: Path) -> None:
    first, again, other = (json.loads(say("explain", text, "--json")[1]) for text in ("foc", "foc", "fire"))
    assert first == again
    assert Path(first["page"]).parent == tmp_path / "home/reports"
    assert first["page"] != other["page"]
    assert sum(first["members"].values()) == pytest.approx(1, abs=1e-5)
    assert len(first["next"]) == 10
    assert ASKED not in Path(first["page"]).name
