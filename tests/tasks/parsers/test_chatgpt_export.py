from __future__ import annotations

import importlib.util
import json
from pathlib import Path

from tasks.parsers import discover

ROOT = Path(__file__).resolve().parents[3]


def load():
    spec = importlib.util.spec_from_file_location("chatgpt_export", ROOT / "benchmarks" / "chatgpt_export.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generated_export_is_repeatable_and_like_a_real_one(tmp_path, read):
    write_export = load().write_export
    count = write_export(tmp_path / "a.json", 1, seed=1)
    write_export(tmp_path / "b.json", 1, seed=1)
    data = (tmp_path / "a.json").read_bytes()
    assert data == (tmp_path / "b.json").read_bytes()
    assert 1_000_000 <= len(data) < 1_100_000
    assert 20_000 < len(data) / count < 40_000
    result = read(discover([tmp_path / "a.json"]).files)
    assert result.tally["kept"] == count == len(json.loads(data))
    assert result.set_aside.keys() == {"hidden", "other_branch", "system", "tool", "tool_call"}
    assert any(row["branches"] for row in result.conversations)
    assert not any("turn0" in text or "\ue200" in text for _, text in result.texts)
    assert any("🙂" in text and "ă" in text for _, text in result.texts)
