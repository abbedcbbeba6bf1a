"""From the files of a declared source to parts of the tables, as a stream: the twin of `parse_files`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import groupby

from schemas.manifest import SourceFile
from schemas.parts import Part
from schemas.settings import ParseSettings
from schemas.settings.sources import Source
from tasks.parsers.account import Account, totals
from tasks.parsers.contract import ParsedConversation
from tasks.parsers.declared.needs import columns_needed
from tasks.parsers.declared.paths import MISSING, Record, getter
from tasks.parsers.declared.recipe import Left, Recipe
from tasks.parsers.declared.records import Found, records_of
from tasks.parsers.declared.selection import Detect, Selection
from tasks.parsers.parsing import kept_conversations
from tasks.parsers.rows import FileRows, PartBuilder, imports_table
from tasks.parsers.stream import Broken

_LIMIT_REACHED = "the limit of the source was reached: what follows was not read"
#: How the note begins that a row of `imports` tells of a piece of a file.
PIECE = "a piece of the file"
#: The list of the records of a group.
ROWS = "rows"


def parse_declared(
    files: Sequence[SourceFile],
    source: Source,
    settings: ParseSettings,
    on_bytes: Callable[[int], None] = lambda count: None,
    detect: Detect | None = None,
) -> Iterator[Part]:
    """Parts of conversations and their messages, in the order of files and records; `files` are of `source`.

    A part is closed when its text reaches `settings.part_bytes` and another conversation follows. The last one also
    holds `imports`, a row per file (or span), and the tally of the whole call. `detect` is asked for the language when
    the source filters by it. Raises InputError when a file cannot be read any more.
    """
    builder, accounts = PartBuilder(), []
    name = files[0].name
    selection = Selection(name, source, detect)
    recipe = Recipe(name, source) if source.is_mapped else None
    for file in files:
        account, rows = Account(file), FileRows(file)
        accounts.append(account)
        if recipe is None:
            kept = kept_conversations(file, settings, account, on_bytes, selection.reason)
        else:
            kept = _mapped(file, source, recipe, selection, account, on_bytes)
        for conversation in () if selection.full else kept:
            conversation.category = source.category
            if builder.text_bytes >= settings.part_bytes:
                yield builder.close()
            account.warnings.update(builder.add(conversation, rows))
            if selection.full:
                break
        if selection.full:
            account.warnings[_LIMIT_REACHED] += 1
    yield builder.close(imports_table([account.row() for account in accounts]), totals(accounts))


def _mapped(
    file: SourceFile,
    source: Source,
    recipe: Recipe,
    selection: Selection,
    account: Account,
    on_bytes: Callable[[int], None],
) -> Iterator[ParsedConversation]:
    """The conversations of a file that become rows; the account is told of all of them."""
    ids: set[str] = set()
    span = file.spans[0] if file.spans else None
    if span:
        account.warnings[f"{PIECE}, bytes {span.start} to {span.stop}"] += 1
    for found, place in grouped(
        records_of(file, source.read, columns_needed(source), span, on_bytes), source
    ):
        if isinstance(found, Broken):
            account.fail(place(), found.reason)
            continue
        for conversation in conversations_of(recipe, found):
            if isinstance(conversation, Left):
                account.leave_out(conversation.reason, place)
            elif not conversation.says_something:
                account.empty(conversation)
            elif conversation.native_id is not None and conversation.native_id in ids:
                account.duplicate(conversation)
            elif reason := selection.reason(conversation):
                account.leave_out(reason, place, conversation)
            else:
                account.keep(conversation)
                if conversation.native_id is not None:
                    ids.add(conversation.native_id)
                yield conversation


def conversations_of(recipe: Recipe, record: Record) -> Iterator[ParsedConversation | Left]:
    """All that one record of a file gives."""
    for exploded in recipe.exploded(record):
        if isinstance(exploded, Left):
            yield exploded
        else:
            yield from recipe.conversations(exploded)


def grouped(found: Iterator[Found], source: Source) -> Iterator[Found]:
    """Records that follow one another with the same value of the group's column as one, with their list in `rows`."""
    records = source.mapping or source.narrative
    if records is None or records.group is None:
        yield from found
        return
    get = getter(records.group)
    numbered = ((_key(record, get, number), record, place) for number, (record, place) in enumerate(found))
    for _, members in groupby(numbered, key=lambda member: member[0]):
        rows: list[Record] = []
        first = ""
        for _, record, place in members:
            if isinstance(record, Broken):
                yield record, place
                continue
            first = first or place()
            rows.append(record)
        if rows:
            yield {**rows[0], ROWS: rows}, partial(str, first)


def _key(record: Record | Broken, get: Callable[[Record], object], number: int) -> tuple[str, object]:
    """What a record has in common with its group; broken ones, and those without a value, stand alone."""
    value = MISSING if isinstance(record, Broken) else get(record)
    return ("alone", number) if value in (MISSING, None, "") else ("value", str(value))
