"""`vatra nova generate` and `vatra nova explain`: a NOVA that stands, at work and taken apart."""

from __future__ import annotations

import argparse
import os
import secrets
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from rich.console import Console

from flows.commands.session import print_json
from schemas.errors import UsageError
from schemas.files import expanded
from schemas.ids import hash_bytes
from schemas.visible import visible
from storage.home import Home, name_home
from storage.store import translated

#: As a new seed: few enough digits to be typed again.
NEW_SEEDS = 2**31
#: Said on a terminal for as long as it takes: libraries alone take seconds.
OPENING = "opening the NOVA"
ENDINGS = {
    "end": "it ended the turn itself",
    "limit": "cut at --max-new-tokens",
    "context": "cut where its context is full",
}


def generate(given: argparse.Namespace) -> int:
    """What the NOVA replies, on standard output; who spoke, on standard error."""
    if given.max_new_tokens < 1:
        raise UsageError(
            f"at least 1 token must be asked for, not {given.max_new_tokens}", where="--max-new-tokens"
        )
    from models.tribal.sampling import read_sampling

    seed = secrets.randbelow(NEW_SEEDS) if given.seed is None else given.seed
    sampling = read_sampling(
        greedy=given.greedy,
        temperature=given.temperature,
        top_k=given.top_k,
        top_p=given.top_p,
        seed=seed,
    )
    words, console = _console(stderr=given.json), _console(stderr=True)
    with console.status(OPENING):
        text = _romanian_letters(_not_empty(given.text))
        model, tokenizer, name = _open(given)
        from models.tribal.generating import generate as go_on
        from models.tribal.generating import prompt_ids

        ids = prompt_ids(tokenizer, text, model.config.context, raw=given.raw)
        if given.int8:
            from models.tribal.quantising import quantise

            model = quantise(model)
    show = (lambda piece: _print_piece(words, piece)) if given.stream else None
    waiting = nullcontext() if given.stream else console.status("writing")
    with _voice(model, given.member), waiting:
        told = go_on(model, tokenizer, ids, sampling, given.max_new_tokens, show=show)
    words.print("" if given.stream else visible(told.text, len(told.text)))
    for line in _account(told, model.config.context, sampling):
        console.print(line)
    drawn = {"greedy": True} if sampling.greedy else vars(sampling)
    return print_json(given, {"model": name, "int8": given.int8, "sampling": drawn, **told.model_dump()})


def explain(given: argparse.Namespace) -> int:
    """One page of what the NOVA sees in a text."""
    text, home = _not_empty(given.text), name_home(given.home)
    out = None if given.out is None else expanded(given.out)
    if out is not None:
        check_page(out, given.overwrite)
    wait = _console(stderr=True)
    with wait.status(OPENING):
        text = _romanian_letters(text)
        model, tokenizer, name = _open(given, attention="eager")
    from models.tribal.explaining import check_choice, text_ids
    from models.tribal.explaining import explain as take_apart
    from tasks.reports.nova_explained import render_explanation

    member = check_choice(model.config, given.member, given.layer, given.head)
    ids = text_ids(tokenizer, text, model.config.context, given.role)
    with wait.status("taking it apart"):
        explained = take_apart(model.float(), tokenizer, ids, member)
        page = render_explanation(explained, name, given.role, given.layer or 1, given.head or 1)
    path = write_page(page, out, home)
    console = _console(stderr=given.json)
    console.print("Members  " + _shares(explained.mean))
    console.print(f"Page     {path}")
    return print_json(given, {"model": name, "role": given.role, "page": str(path), **explained.as_object()})


def check_page(path: Path, overwrite: bool) -> None:
    """Before any work: whether the page may be written there. Raises UsageError."""
    if path.is_dir():
        raise UsageError("a folder stands where the page is to be", where=str(path), fix="Name a file.")
    if path.exists() and not path.is_file():
        raise UsageError("what stands there is no file", where=str(path), fix="Name a file.")
    if path.exists() and not overwrite:
        raise UsageError(
            "the file stands already", where=str(path), fix="Choose another, or replace it with --overwrite."
        )
    if not path.parent.is_dir():
        raise UsageError("there is no such folder", where=str(path.parent), fix="Make it, or choose another.")


def write_page(page: str, out: Path | None, home: Home) -> Path:
    """The page at `out`, or in the home's reports by what it says: the same page has the same name."""
    path = out or home.reports / f"nova-explain-{hash_bytes(page.encode())[:12]}.html"
    with translated("write the page", str(path)):
        if out is None:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
        temporary.write_text(page, "utf-8")
        temporary.replace(path)
    return path


def _voice(model: Any, member: str | None) -> AbstractContextManager[None]:
    from models.tribal.steering import read_steering, steered

    return nullcontext() if member is None else steered(model, *read_steering(model.config.members, member))


def _account(told: Any, context: int, sampling: Any) -> list[str]:
    lines = []
    if told.alpha is not None:
        lines.append("Members  " + _shares(told.alpha))
    room = "" if told.stopped != "context" else f" ({told.prompt_tokens} of the prompt, {context} in all)"
    lines.append(
        f"Tokens   {told.tokens}: {ENDINGS[told.stopped]}{room}"
        + ("" if sampling.greedy else f"; --seed {sampling.seed} draws this again")
    )
    return lines


def _shares(alpha: dict[str, float]) -> str:
    ranked = sorted(alpha.items(), key=lambda one: -one[1])
    return ", ".join(f"{visible(name)} {share:.2f}" for name, share in ranked)


def _open(given: argparse.Namespace, attention: str = "sdpa") -> tuple[Any, Any, str]:
    """The model that is meant, its tokenizer, and what it is called."""
    from models.tribal.opening import open_nova
    from tasks.nova import find_nova

    nova = find_nova(name_home(given.home), given.model)
    model, tokenizer = open_nova(nova.model, attention=attention)
    return model, tokenizer, nova.name


def _not_empty(text: str) -> str:
    if not text.strip():
        raise UsageError("the text is empty", where="TEXT", fix="Say something.")
    return text


def _romanian_letters(text: str) -> str:
    """Cedillas as commas below where the text is Romanian, as it was in training.

    ţ is in no other language's alphabet; ş alone is Romanian where the text is long enough to tell.
    """
    from models.tribal.romanian import ROMANIAN, comma_below

    mended = comma_below(text)
    if mended == text:
        return text
    from tasks.signals.language import detect_languages

    if "ţ" in text.casefold():
        return mended
    (language,), _ = detect_languages([text], [0], (ROMANIAN, "tr"))
    return mended if language == ROMANIAN else text


def _print_piece(console: Console, piece: str) -> None:
    console.print(visible(piece, len(piece)), end="")
    console.file.flush()


def _console(stderr: bool) -> Console:
    return Console(stderr=stderr, highlight=False, soft_wrap=True, markup=False, emoji=False)
