"""The arguments of `vatra train`, and of the commands about adapters: `vatra sample`, `vatra merge`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any, TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[Any]"


def add_adapter_commands(commands: Commands) -> Iterator[argparse.ArgumentParser]:
    """The three commands, one after the other, for what all commands share to be added."""
    yield _add_train(commands)
    yield _add_sample(commands)
    yield _add_merge(commands)


def _add_train(commands: Commands) -> argparse.ArgumentParser:
    train: argparse.ArgumentParser = commands.add_parser(
        "train",
        help="train an adapter (LoRA) or a NOVA (tribal) from a corpus",
        description="Killed or stopped, the same command goes on where it was.",
    )
    train.set_defaults(runs="flows.commands.training:train")
    train.add_argument(
        "what",
        choices=("lora", "tribal"),
        metavar="lora|tribal",
        help="lora: an adapter on an open model; tribal: a NOVA, a model of your own from the beginning",
    )
    train.add_argument(
        "--preset",
        help="a preset by name (see `vatra presets`), or a YAML file (default: demo, and nova-tiny for tribal)",
    )
    train.add_argument(
        "--build", default="latest", help="the build whose corpus is read (default: the latest)"
    )
    train.add_argument("--corpus", metavar="FINGERPRINT", help="a corpus by its fingerprint instead")
    train.add_argument("--name", help="what to call it (default: preset and fingerprint)")
    train.add_argument("--overwrite", action="store_true", help="move the name when another run has it")
    train.add_argument(
        "--epochs", type=float, metavar="E", help="passes over the examples; lifts the preset's max_steps"
    )
    train.add_argument("--batch-size", type=int, metavar="N", help="windows in one forward pass")
    train.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="key=value",
        help="one setting of the preset, e.g. seed=7",
    )
    train.add_argument(
        "--track",
        choices=("tensorboard", "wandb"),
        help="tell the steps to this one too (default: to nobody)",
    )
    train.add_argument(
        "--dry-run",
        action="store_true",
        help="say what it would take (memory, steps, hours), and train nothing",
    )
    return train


def _add_sample(commands: Commands) -> argparse.ArgumentParser:
    sample: argparse.ArgumentParser = commands.add_parser(
        "sample", help="what the base says and what an adapter says, side by side"
    )
    sample.set_defaults(runs="flows.commands.adapters:sample")
    sample.add_argument(
        "--adapter", required=True, metavar="NAME", help="its name, or 6 characters of its fingerprint"
    )
    sample.add_argument(
        "--prompt",
        action="append",
        metavar="TEXT",
        help="what to ask (again for more; default: four prompts)",
    )
    sample.add_argument("--max-tokens", type=int, default=96, metavar="N", help="of an answer (default: 96)")
    return sample


def _add_merge(commands: Commands) -> argparse.ArgumentParser:
    merge: argparse.ArgumentParser = commands.add_parser(
        "merge",
        help="base and adapter as one model in full precision, with an Ollama Modelfile",
        description="The merged model must give the logits of base and adapter, or it is not kept.",
    )
    merge.set_defaults(runs="flows.commands.adapters:merge")
    merge.add_argument(
        "adapter", metavar="NAME", help="the adapter's name, or 6 characters of its fingerprint"
    )
    merge.add_argument(
        "--dtype", choices=("fp32", "bf16"), default="fp32", help="numbers of the files (default: fp32)"
    )
    merge.add_argument(
        "--modelfile-only",
        action="store_true",
        help="merge nothing: print a Modelfile of base and adapter as they are",
    )
    return merge
