"""The `vatra` command: what can be typed, and where it goes.

    vatra build export.zip --settings mine.yaml --sources public.yaml
    vatra stage filter --set quality.min_chars=5
    vatra report | vatra export --format jsonl --out pairs.jsonl | vatra presets | vatra fetch toxicity
    vatra fetch --sources public.yaml
    vatra train lora --preset demo --name ada | vatra sample --adapter ada | vatra merge ada
    vatra train tribal --preset nova-tiny --name mine
    vatra nova generate "Te iubesc, iubito" --stream | vatra nova explain "Te iubesc, iubito"
    vatra up | vatra status | vatra down

Nothing heavy is imported before the arguments are known to be right: `vatra --help` answers within a second.
Exit codes: 0 the work was done, 1 a stage failed, 2 the arguments or settings are wrong, 130 interrupted (143: by
SIGTERM).
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from flows.adapter_arguments import add_adapter_commands
from flows.failures import answer_failure, install_crash_report, interruption, refusal, stop_on_signals
from flows.nova_arguments import add_nova_commands
from flows.stage_names import STAGE_NAMES
from flows.streams import prepare_streams
from schemas.errors import UsageError, VatraError


class _Parser(argparse.ArgumentParser):
    """argparse, but errors go the way of all others (one line, and the object of --json)."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, fix=f"See `{self.prog} --help`.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    prepare_streams()
    stop_on_signals()
    given = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in given
    install_crash_report(as_json)
    try:
        _check_unicode(given)
        chosen = build_parser().parse_args(given)
        module, _, name = chosen.runs.partition(":")
        code: int = getattr(importlib.import_module(module), name)(chosen)
        sys.stdout.flush()
        return code
    except VatraError as error:
        return answer_failure(error, as_json)
    except KeyboardInterrupt as stopped:
        return interruption(stopped, as_json)
    except (OSError, MemoryError) as error:
        return refusal(error, as_json)


def _check_unicode(arguments: Sequence[str]) -> None:
    """Bytes that are no UTF-8 reach Python as half characters, which no database or report can hold."""
    for argument in arguments:
        if not _is_unicode(argument):
            raise UsageError(
                "an argument is not valid UTF-8", where=ascii(argument), fix="Rename the file or folder."
            )


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def build_parser() -> argparse.ArgumentParser:
    """All commands and options."""
    parser = _Parser(
        prog="vatra",
        description="From exported AI conversations to a clean, explained, validated training corpus, "
        "and a model trained from it.",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _add_build(commands)
    _add_stage(commands)
    _add_report(commands)
    _add_export(commands)
    for command in (*add_adapter_commands(commands), *add_nova_commands(commands)):
        _add_home(command)
        command.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    presets = commands.add_parser(
        "presets", help="list build presets, mixtures, and model and NOVA presets with the memory they take"
    )
    presets.add_argument("--json", action="store_true", help="print one JSON object")
    presets.set_defaults(runs="flows.commands.inspecting:presets")
    _add_fetch(commands)
    _add_explain(commands)
    _add_diff(commands)
    _add_services(commands)
    return parser


def _add_build(commands: argparse._SubParsersAction[_Parser]) -> None:
    build = commands.add_parser("build", help="exports in, corpus and report (and adapter, and NOVA) out")
    build.set_defaults(runs="flows.commands.building:build")
    build.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="an export: file, folder or zip")
    _add_settings(build)
    _add_common(build)


def _add_stage(commands: argparse._SubParsersAction[_Parser]) -> None:
    stage = commands.add_parser(
        "stage",
        help="run one stage again, with other settings",
        description="Upstream stages that stand are reused. Preset, settings and sources are laid over those of the "
        "build: what they do not say stays.",
    )
    stage.set_defaults(runs="flows.commands.building:stage")
    stage.add_argument("name", choices=STAGE_NAMES, metavar="NAME", help=", ".join(STAGE_NAMES))
    stage.add_argument(
        "paths", nargs="*", type=Path, metavar="PATH", help="exports: start a new build over them"
    )
    stage.add_argument("--build", default="latest", help="the build to start from (default: the latest)")
    stage.add_argument(
        "--dry-run", action="store_true", help="filter only: say what would change, and change nothing"
    )
    stage.add_argument(
        "--downstream", action="store_true", help="carry on with the stages behind it, to a new corpus"
    )
    _add_settings(stage)
    _add_common(stage)


def _add_report(commands: argparse._SubParsersAction[_Parser]) -> None:
    report = commands.add_parser(
        "report", help="show a build's filtering table and write its page again, or serve all pages"
    )
    report.set_defaults(runs="flows.commands.inspecting:report")
    report.add_argument("build", nargs="?", default="latest", help="a build's id (default: the latest)")
    report.add_argument("--serve", action="store_true", help="serve all reports as pages on 127.0.0.1")
    report.add_argument("--port", type=int, metavar="N", help="with --serve: the port (default: a free one)")
    _add_home(report)
    report.add_argument("--json", action="store_true", help="print one JSON object as the last line")


def _add_export(commands: argparse._SubParsersAction[_Parser]) -> None:
    export = commands.add_parser(
        "export", help="write the corpus in the shape of another trainer, or as Parquet with a dataset card"
    )
    export.set_defaults(runs="flows.commands.inspecting:export")
    export.add_argument("--build", default="latest", help="a build's id (default: the latest)")
    shapes = ("jsonl", "json", "messages", "openai", "sharegpt", "alpaca", "trl", "parquet")
    export.add_argument(
        "--format",
        choices=(*shapes, "axolotl", "llama-factory", "unsloth"),
        default="jsonl",
        help="default: jsonl (pairs); the last three: a folder with data and configuration for that trainer",
    )
    export.add_argument("--preset", help="for a trainer: the model preset that its configuration says")
    export.add_argument("--out", required=True, help="the file (parquet: the folder) to write")
    export.add_argument("--overwrite", action="store_true", help="replace the file if it stands already")
    export.add_argument(
        "--split", action="append", choices=("train", "validation", "test"), help="default: all"
    )
    export.add_argument(
        "--phase", type=int, metavar="N", help="one phase of the curriculum (default: each example once)"
    )
    _add_home(export)
    export.add_argument("--json", action="store_true", help="print one JSON object as the last line")


def _add_fetch(commands: argparse._SubParsersAction[_Parser]) -> None:
    fetch = commands.add_parser(
        "fetch", help="download a model or data sets: the only command that uses the network"
    )
    fetch.set_defaults(runs="flows.commands.fetching:fetch")
    fetch.add_argument(
        "what", nargs="?", choices=("toxicity",), help="toxicity: the weights and tokenizer of Detoxify"
    )
    fetch.add_argument(
        "--sources",
        type=Path,
        metavar="FILE",
        help="the data sets that a file of sources names, each at its commit",
    )
    fetch.add_argument(
        "--variant",
        default="original",
        choices=("original", "unbiased", "multilingual", "original-small", "unbiased-small"),
        help="which Detoxify model (default: original, English)",
    )
    _add_home(fetch)
    fetch.add_argument("--json", action="store_true", help="print one JSON object as the last line")


def _add_explain(commands: argparse._SubParsersAction[_Parser]) -> None:
    explain = commands.add_parser("explain", help="the story of a message or a conversation")
    explain.set_defaults(runs="flows.commands.explaining:explain")
    explain.add_argument(
        "id", metavar="ID", help="a message's, conversation's or example's id, or 6 or more characters of it"
    )
    explain.add_argument("--build", default="latest", help="a build's id (default: the latest)")
    explain.add_argument(
        "--full", action="store_true", help="whole texts, and every copy, instead of the beginning"
    )
    _add_home(explain)
    explain.add_argument("--json", action="store_true", help="print one JSON object as the last line")


def _add_diff(commands: argparse._SubParsersAction[_Parser]) -> None:
    diff = commands.add_parser(
        "diff",
        help="what moved between two builds",
        description="One build is compared with its parent, else with the one before it; without any, the latest is.",
    )
    diff.set_defaults(runs="flows.commands.comparing:diff")
    diff.add_argument("builds", nargs="*", metavar="BUILD", help="an id, latest, latest~1, ... (at most two)")
    diff.add_argument("--ids", type=int, default=5, metavar="N", help="ids named for each move (default: 5)")
    _add_home(diff)
    diff.add_argument("--json", action="store_true", help="print one JSON object as the last line")


def _add_services(commands: argparse._SubParsersAction[_Parser]) -> None:
    texts = {
        "up": "start the home's server (with its UI), worker and schedules, in the background",
        "status": "what runs in the background, and what comes next",
        "down": "stop what `vatra up` started",
    }
    for name, text in texts.items():
        command = commands.add_parser(name, help=text)
        command.set_defaults(runs=f"flows.commands.serving:{name}")
        if name == "up":
            command.add_argument("--port", type=int, metavar="N", help="of 127.0.0.1 (default: 4200)")
        _add_home(command)
        command.add_argument("--json", action="store_true", help="print one JSON object as the last line")


def _add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--sources", type=Path, metavar="FILE", help="YAML file of sources: data sets, folders, narratives"
    )
    parser.add_argument(
        "--preset", help="a build preset or mixture by name, or a YAML file (see `vatra presets`)"
    )
    parser.add_argument("--settings", type=Path, metavar="FILE", help="YAML file of settings")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="key=value",
        help="one setting, e.g. quality.min_chars=5",
    )
    parser.add_argument("--no-ai-slop", action="store_true", help="leave overused assistant phrases alone")
    parser.add_argument(
        "--blacklist",
        nargs="+",
        action="extend",
        default=[],
        metavar="PATTERN",
        help="more patterns to filter",
    )
    parser.add_argument("--toxicity-threshold", type=float, metavar="T", help="0 to 1; lower filters more")


def _add_home(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--home", type=Path, metavar="DIR", help="the home folder (default: $VATRA_HOME or ~/vatra)"
    )


def _add_common(parser: argparse.ArgumentParser) -> None:
    _add_home(parser)
    parser.add_argument(
        "--workers", type=int, metavar="N", help="processes (default: one per core, at most 8)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")


if __name__ == "__main__":
    sys.exit(main())
