"""`vatra sample` and `vatra merge`: using an adapter that stands, by the agreement that it was trained with."""

from __future__ import annotations

import argparse
import textwrap

from rich.console import Console

from flows.commands.session import print_json
from schemas.errors import UsageError
from schemas.training_run import SaidSample
from schemas.visible import visible
from storage.home import find_home

LONGEST = 4_000


def sample(given: argparse.Namespace) -> int:
    """Base and adapter side by side, on the terminal and in the run's report."""
    if not 1 <= given.max_tokens <= 4096:
        raise UsageError("an answer has 1 to 4096 tokens", where="--max-tokens")
    if given.prompt and not all(prompt.strip() for prompt in given.prompt):
        raise UsageError("a prompt is empty", where="--prompt")
    home = find_home(given.home)
    from tasks.adapters import find_adapter, sample_adapter

    adapter = find_adapter(home, given.adapter)
    console = Console(stderr=given.json, highlight=False, soft_wrap=True, markup=False, emoji=False)
    if adapter.account["base_is_demo"]:
        console.print(
            "The base is the demo base, a tiny random model: neither side says anything worth reading."
        )
    told = []
    for one in sample_adapter(adapter, given.prompt, given.max_tokens):
        _print_sample(console, one)
        told.append(one)
    page = adapter.write_page(told)
    console.print(f"Report   {page}")
    return print_json(
        given, {"adapter": adapter.name, "samples": [one.model_dump() for one in told], "report": str(page)}
    )


def merge(given: argparse.Namespace) -> int:
    """One model of base and adapter, or a Modelfile of the two as they are."""
    home = find_home(given.home)
    from tasks.adapters import find_adapter, merge_adapter, modelfile_of

    adapter = find_adapter(home, given.adapter)
    console = Console(stderr=given.json, highlight=False, soft_wrap=True, markup=False)
    if given.modelfile_only:
        text = modelfile_of(adapter)
        Console(stderr=given.json, highlight=False, soft_wrap=True, markup=False, emoji=False).print(
            text, end=""
        )
        return print_json(given, {"adapter": adapter.name, "modelfile": text})
    folder, merged, cached = merge_adapter(adapter, given.dtype)
    console.print(f"Merged   {folder}{' (stood already)' if cached else ''}")
    console.print(
        f"Checked  {merged['positions']} positions: logits differ by {merged['difference']:.1e} in float32, "
        f"by {merged['saved_difference']:.1e} as saved in {merged['dtype']}; "
        f"the likeliest token is the same at {merged['same_choice']:.1%}"
    )
    if merged["modelfile"] is None:
        console.print(f"Ollama   cd {folder} && ollama create {adapter.name} -f Modelfile")
    else:
        console.print(f"Ollama   no Modelfile: {merged['modelfile']}")
    return print_json(given, {"adapter": adapter.name, "folder": str(folder), "cached": cached, **merged})


def _print_sample(console: Console, one: SaidSample) -> None:
    console.print(f"\n> {visible(one.prompt, LONGEST)}")
    for who, answer in (("base", one.base), ("adapter", one.adapter)):
        text = visible(answer.text, LONGEST) or "(nothing)"
        cut = "" if answer.stopped else " …"
        console.print(
            textwrap.indent(f"{text}{cut}", "  | ", lambda line: True).replace("  | ", f"  {who:<8}| ", 1)
        )
