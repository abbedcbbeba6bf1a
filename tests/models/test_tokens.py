"""Token counts with a tokenizer of one's own, and files that are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.tokens import check_tokenizer, open_counter, tokenizer_file
from schemas.errors import SettingsError


def made(folder: Path) -> Path:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, "<s>": 1}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    tokenizer.enable_truncation(2)
    tokenizer.enable_padding(length=9)
    path = folder / "tokenizer.json"
    tokenizer.save(str(path))
    return path


def test_tokens_are_those_of_the_text_alone_uncut_and_unpadded(tmp_path: Path) -> None:
    count = open_counter(made(tmp_path).read_bytes())
    assert count(["one two three", "", "ă 🌳"]).tolist() == [3, 0, 2]
    assert count(["a b"] * 3_000).sum() == 6_000
    assert count([]).tolist() == []


def test_a_folder_means_the_file_in_it(tmp_path: Path) -> None:
    assert tokenizer_file(str(tmp_path)) == str(tmp_path / "tokenizer.json")
    assert tokenizer_file("x/y.json") == "x/y.json"


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff\xfe", b"not json"])
def test_what_is_no_tokenizer_is_refused(data: bytes) -> None:
    with pytest.raises(SettingsError, match=r"the file is no tokenizer .*mix\.tokenizer"):
        check_tokenizer(data)
