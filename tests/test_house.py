"""Promises about the project as a whole."""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from flows.cli import build_parser
from flows.stage_names import STAGE_NAMES
from schemas.settings import load_build_settings

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("torch", "transformers", "prefect", "pandas", "pyarrow", "great_expectations", "datasets", "polars")


def subcommands() -> dict[str, argparse.ArgumentParser]:
    """By what is typed: `build`, and `nova generate` for a command under another."""
    return dict(under(build_parser(), ""))


def under(parser: argparse.ArgumentParser, words: str) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if words and not groups:
        yield words.strip(), parser
    for group in groups:
        for name, command in group.choices.items():
            yield from under(command, f"{words} {name}")


def test_readme_tells_of_every_command_and_option() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    for name, parser in subcommands().items():
        assert f"`vatra {name}" in readme, name
        for action in parser._actions:
            long = [
                option for option in action.option_strings if option.startswith("--") and option != "--help"
            ]
            assert all(option in readme for option in long), (name, long)


def test_examples_to_try_run_as_they_are_written() -> None:
    """Nothing but `vatra fetch` brings weights: what a newcomer copies must not ask for them."""
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), ROOT / "examples/README.md"]
    found = [
        line
        for page in pages
        for line in re.findall(r"vatra (build[^`\n]*examples/[^`\n]*)", page.read_text())
    ]
    assert found
    for line in found:
        given = build_parser().parse_args(shlex.split(line))
        assert given.sources is None or (ROOT / given.sources).exists(), line
        assert not load_build_settings(given.preset, given.settings, given.set).toxicity.scorer.startswith(
            "detox"
        )


def test_help_imports_nothing_heavy() -> None:
    code = (
        f"import sys, flows.cli; flows.cli.build_parser(); print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_stage_names_are_those_of_the_pipeline() -> None:
    from flows.pipeline import PIPELINE

    assert tuple(step.name for step, _ in PIPELINE) == STAGE_NAMES


def test_top_level_packages_are_ours() -> None:
    """Their names are generic: a package of the same name in the environment would win silently."""
    for name in ("flows", "tasks", "schemas", "storage", "models"):
        module = __import__(name)
        assert Path(str(module.__file__)).parent == ROOT / name
