"""`vatra nova compare`, for real on the corpus of the examples, with models of a few steps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.flows.conftest import Answer, Built, vatra

SMALL = [
    word
    for item in (
        "max_steps=2", "vocab_size=320", "d_model=16", "layers=1", "heads=2", "context=64", "max_length=64",
        "batch_size=2", "detector_dim=8", "member_rank=2", "members=[nova,sora]",
    )
    for word in ("--set", item)
]  # fmt: skip


def compare(built: Built, *more: object) -> Answer:
    return vatra(
        *("nova", "compare", "--preset", "nova-tiny", "--build", built.summary["build"], "--seeds", 1),
        *("--arms", "gpt2", *SMALL, "--home", built.home, "--json", *more),
    )


@pytest.fixture(scope="module")
def compared(built: Built) -> Answer:
    answer = compare(built)
    assert answer.code == 0, answer.errors
    return answer


def test_a_page_and_its_figures(built: Built, compared: Answer) -> None:
    told = compared.object
    page, figures = Path(told["page"]), Path(told["figures"])
    assert page.parent == figures.parent == built.home / "reports"
    assert [(run["arm"], run["seed"], run["steps"]) for run in told["runs"]] == [
        ("nova", 42, 2),
        ("gpt2", 42, 2),
    ]
    text = page.read_text("utf-8")
    assert told["verdict"] in text
    assert told["differences"][0]["verdict"] in compared.errors
    kept = json.loads(figures.read_text("utf-8"))
    assert len(kept["runs"][0]["scores"]) == kept["conversations"] == told["conversations"]
    assert "scores" not in told["runs"][0]


def test_no_text_of_the_corpus_is_told(built: Built, compared: Answer) -> None:
    import pyarrow.parquet as pq

    said = [
        message["content"]
        for path in built.home.glob(f"datasets/mix/{compared.object['corpus']}/test-*.parquet")
        for row in pq.read_table(path, columns=["messages"])["messages"].to_pylist()
        for message in row
    ]
    assert said
    told = compared.out + compared.errors + Path(compared.object["page"]).read_text("utf-8")
    told += Path(compared.object["figures"]).read_text("utf-8")
    assert not [text for text in said if len(text) > 40 and text[:40] in told]


def test_again_it_trains_nothing_and_says_the_same(built: Built, compared: Answer) -> None:
    again = compare(built)
    assert again.object == compared.object
    assert "step 1 of 2" not in again.errors


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--seeds", 0), "0 trainings of each arm"),
        (("--arms", "gtp2"), "there is no arm 'gtp2'"),
        (("--arms", "residual"), "the preset's mixing is residual already"),
        (("--out", "page.txt"), "the page is an HTML file"),
        (("--set", "epochs=-1"), "epochs"),
        (("--preset", "nova-giant"), "nova-giant"),
    ],
)
def test_refusals_are_one_line(built: Built, given: tuple[object, ...], said: str) -> None:
    answer = vatra("nova", "compare", "--build", built.summary["build"], "--home", built.home, *given)
    assert answer.code == 2
    assert said in answer.errors
    assert len(answer.errors.strip().splitlines()) == 1


def test_a_page_that_stands_is_kept(built: Built, compared: Answer, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("mine", "utf-8")
    answer = compare(built, "--out", page)
    assert (answer.code, page.read_text("utf-8")) == (2, "mine")
    assert compare(built, "--out", page, "--overwrite").code == 0
    assert "does alpha earn its place?" in page.read_text("utf-8")
