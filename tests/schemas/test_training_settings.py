"""Presets of models to train: those that ship say what their documents say, and impossible ones are refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from schemas.errors import SettingsError
from schemas.settings.loading import lifted_steps, load_lora_preset, load_tribal_preset
from schemas.settings.presets import preset_names
from schemas.settings.training import DemoBase, LoraPreset, Phase, PretrainedBase
from schemas.settings.tribal import TribalPhase, TribalPreset

DOCS = Path(__file__).resolve().parents[2] / "docs"
DOCUMENTATION = DOCS / "training.md"
#: What stands behind it in the documentation is made from the models.
MARK = "by `python -m tests.schemas.test_training_settings` -->"
SEVEN = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def test_the_presets_that_ship() -> None:
    wanted = {"demo", "emergent", "llama-3-8b", "mistral-7b", "qwen-2.5-7b", "qwen3-8b-ada"}
    assert set(preset_names("train")) == wanted
    for name in wanted:
        preset = load_lora_preset(name)
        assert preset.target_modules == SEVEN
        assert isinstance(preset.base, DemoBase if name == "demo" else PretrainedBase)


@pytest.mark.parametrize("name", ["llama-3-8b", "mistral-7b", "qwen-2.5-7b"])
def test_the_guides_presets(name: str) -> None:
    preset = load_lora_preset(name)
    assert (preset.rank, preset.alpha, preset.learning_rate) == (16, 16, 2e-4)
    assert (preset.batch_size, preset.gradient_accumulation, preset.quantization) == (4, 4, "nf4")


def test_ada() -> None:
    ada = load_lora_preset("qwen3-8b-ada")
    assert (ada.rank, ada.alpha, ada.batch_size, ada.gradient_accumulation) == (64, 128, 1, 4)
    assert (ada.learning_rate, ada.epochs, ada.scheduler, ada.quantization) == (5e-5, 3, "cosine", "nf4")
    assert ada.role_names == {"user": "Drew", "assistant": "Ada"}


def test_the_curriculum() -> None:
    emergent = load_lora_preset("emergent")
    assert (emergent.rank, emergent.alpha, emergent.dropout) == (32, 64, 0.05)
    assert (emergent.batch_size, emergent.gradient_accumulation) == (4, 8)
    assert (emergent.warmup_ratio, emergent.max_grad_norm, emergent.dtype) == (0.03, 1.0, "bf16")
    assert [phase.learning_rate for phase in emergent.phases] == [2e-5, 1.5e-5, 1e-5, 5e-6, 3e-6]
    assert [phase.epochs for phase in emergent.phases] == [1.0] * 5


def test_who_asks_for_epochs_of_a_nova_gets_them(tmp_path: Path) -> None:
    short = tmp_path / "short.yaml"
    short.write_text("description: mine\nmax_steps: 3\n", "utf-8")
    assert load_tribal_preset(str(short)).max_steps == 3
    assert load_tribal_preset(str(short), {"epochs": 2}).max_steps is None
    assert load_tribal_preset(str(short), {"epochs": 2, "max_steps": 5}).max_steps == 5
    assert lifted_steps("tribal", str(short), {"epochs": 2}) == 3


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("layer: 2", r"unknown setting layer.*Did you mean layers\?"),
        ("heads: 5", r"these settings do not go together: d_model 192 is not .* heads 5 \(NOVA preset "),
        ("max_length: 1024", "longer than the context 512"),
        ("members: [nova, Nova]", "two members have one name"),
        ("members: ['']", "cannot be a member"),
        ("member_widths: [96, 96]", "member_widths are for mixing: concat"),
        ("{mixing: concat, members: [a, b], member_widths: [96, 95]}", "member_widths sum to 191"),
        ("phases: [{name: a, learning_rate: 0.1, member: ada}]", "'ada', which is not among the members"),
        ("phases: [{name: a, learning_rate: 0.1, replay: 0.5}]", "name the member"),
        ("default_intensity: 1.5", "setting default_intensity"),
    ],
)
def test_impossible_nova_presets_are_refused_by_name(tmp_path: Path, change: str, complaint: str) -> None:
    file = tmp_path / "mine.yaml"
    flow = change.startswith("{")
    file.write_text(
        change.replace("{", "{description: x, ", 1) if flow else f"description: x\n{change}\n", "utf-8"
    )
    with pytest.raises(SettingsError, match=complaint):
        load_tribal_preset(str(file))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("learning_rate: 0", "setting learning_rate: input should be greater than 0"),
        ("phases: [{name: a, learning_rate: 0}]", r"setting phases.0.learning_rate: input should be greater"),
        ("phases: [{name: a, learning_rate: 1e-5}, {name: a, learning_rate: 1e-5}]", "two phases have one"),
        ("epochs: 0", "setting epochs"),
        ("rank: 0", "setting rank"),
        ("rank: 1000000000", "setting rank"),
        ("alpha: 1000000000", "setting alpha"),
        ("batch_size: 1000000000", "setting batch_size"),
        ("gradient_accumulation: 1000000000", "setting gradient_accumulation"),
        ("max_length: 1000000000000", "setting max_length"),
        ("max_grad_norm: .inf", "finite number"),
        ("dropout: .nan", "finite number"),
        ("rank: !!python/name:os.system ''", "not valid YAML"),
        ("max_length: 64\ncontext: 64", "leaves no room"),
        ("quantization: nf4", "too small to be quantized"),
        ("role_names: {user: Drew}", "give a name to both"),
        ("role_names: {user: Ada, assistant: Ada}", "different names"),
        ("base: {kind: pretrained}", "setting base.name: field required"),
        ("base: {kind: pretrained, name: a/b, revision: main}", "setting base.revision"),
        ("base: {kind: pretrained, name: a/b, revison: null}", r"Did you mean base.revision\?"),
        ("base: {kind: rented, name: a/b}", "setting base"),
    ],
)
def test_impossible_presets_are_refused_by_name(tmp_path: Path, change: str, complaint: str) -> None:
    file = tmp_path / "mine.yaml"
    base = "" if change.startswith("base") else "base: {kind: built}\n"
    file.write_text(f"description: mine\ntarget_modules: [q_proj]\n{base}{change}\n", "utf-8")
    with pytest.raises(SettingsError, match=complaint):
        load_lora_preset(str(file))


def test_a_preset_that_is_not_there_is_called_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no such model preset file"):
        load_lora_preset(str(tmp_path / "mine.yaml"))


def test_a_base_is_a_mapping(tmp_path: Path) -> None:
    """What a beginner writes first: the folder, as it is."""
    file = tmp_path / "mine.yaml"
    file.write_text("description: mine\nbase: /models/llama\ntarget_modules: [q_proj]\n", "utf-8")
    with pytest.raises(SettingsError, match=r"write base: \{kind: pretrained, name: /models/llama\}"):
        load_lora_preset(str(file))
    file.write_text("description: mine\nbase: {name: a/b}\ntarget_modules: [q_proj]\n", "utf-8")
    with pytest.raises(SettingsError, match="its kind is missing: pretrained"):
        load_lora_preset(str(file))


def test_every_setting_says_what_it_is() -> None:
    for model in (LoraPreset, PretrainedBase, DemoBase, TribalPreset, TribalPhase):
        missing = [n for n, f in model.model_fields.items() if not f.description and n != "kind"]
        assert missing == []


def table_of(model: type[BaseModel]) -> str:
    """The fields of a model as docs/training.md shows them, from what the schema says."""
    schema = model.model_json_schema()
    lines = ["| setting | value | default | what it is |", "|---|---|---|---|"]
    for name, field in schema["properties"].items():
        default = (
            "needed"
            if name == "kind" or name in schema.get("required", ())
            else f"`{json.dumps(field['default'])}`"
        )
        told = "Which base this is." if name == "kind" else field["description"]
        lines.append(f"| `{name}` | {_values(field)} | {default} | {told} |")
    return "\n".join(lines)


def _values(field: dict[str, Any]) -> str:
    if "anyOf" in field:
        return " or ".join(_values(one) for one in field["anyOf"])
    if "$ref" in field or "oneOf" in field:
        return "mapping, below"
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if field["type"] == "array":
        items = {"string": "list of texts", "integer": "list of whole numbers"}
        return items.get(field["items"].get("type"), "list of mappings, below")
    words = {
        "null": "`null`",
        "string": "text",
        "integer": "whole number",
        "boolean": "`true`, `false`",
        "object": "mapping",
    }
    return words.get(field["type"], field["type"])


#: The pages of presets, with the tables that stand at their ends.
PAGES: dict[Path, tuple[tuple[str, type[BaseModel]], ...]] = {
    DOCUMENTATION: (
        ("", LoraPreset),
        ("### base, a model that somebody trained: `kind: pretrained`\n\n", PretrainedBase),
        ("### base, the tiny random one: `kind: built`\n\n", DemoBase),
        ("### one of the phases\n\n", Phase),
    ),
    DOCS / "nova-presets.md": (("", TribalPreset), ("### one of the phases\n\n", TribalPhase)),
}


def _documented(page: Path) -> str:
    parts = PAGES[page]
    return "\n\n".join(title + table_of(model) for title, model in parts) + "\n"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_documentation_has_every_setting(page: Path) -> None:
    """A setting that is not in the table cannot be found by who writes a preset."""
    text = page.read_text("utf-8")
    assert text.partition(MARK)[2].strip() == _documented(page).strip(), (
        "run this module to write the table again"
    )


def test_the_documented_example_is_a_preset(tmp_path: Path) -> None:
    example = DOCUMENTATION.read_text("utf-8").partition("```yaml\n")[2].partition("```")[0]
    (tmp_path / "mine.yaml").write_text(example, "utf-8")
    preset = load_lora_preset(str(tmp_path / "mine.yaml"))
    assert isinstance(preset.base, PretrainedBase)
    assert preset.system == "You are Ada."
    example = (DOCS / "nova-presets.md").read_text("utf-8").partition("```yaml\n")[2].partition("```")[0]
    (tmp_path / "tribe.yaml").write_text(example, "utf-8")
    tribe = load_tribal_preset(str(tmp_path / "tribe.yaml"))
    assert [phase.member for phase in tribe.phases] == [None, "sora"]


if __name__ == "__main__":
    for page in PAGES:
        before, mark, _ = page.read_text("utf-8").partition(MARK)
        page.write_text(f"{before}{mark}\n\n{_documented(page)}", "utf-8")
