"""From chat files to parts of the tables `conversations`, `messages` and `imports`, as a stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from schemas.manifest import SourceFile
from schemas.parts import Part
from schemas.settings import ParseSettings
from tasks.parsers.account import Account, totals
from tasks.parsers.contract import ParsedConversation, Unparsable
from tasks.parsers.items import items_of, older_copies
from tasks.parsers.registry import parser_for
from tasks.parsers.rows import FileRows, PartBuilder, imports_table
from tasks.parsers.stream import Broken


def parse_files(
    files: Sequence[SourceFile], settings: ParseSettings, on_bytes: Callable[[int], None] = lambda count: None
) -> Iterator[Part]:
    """Parts of conversations and their messages, in the order of files and items; `files` have one source.

    A part is closed when its text reaches `settings.part_bytes` and another conversation follows. The last one also
    holds `imports`, a row per file, and the tally of the whole call; without any conversation it holds nothing else.
    `on_bytes` is told of the bytes read, of each file once. Raises InputError when a file cannot be read any more.
    """
    builder = PartBuilder()
    accounts = []
    for source in files:
        account, rows = Account(source), FileRows(source)
        accounts.append(account)
        for conversation in kept_conversations(source, settings, account, on_bytes):
            if builder.text_bytes >= settings.part_bytes:
                yield builder.close()
            account.warnings.update(builder.add(conversation, rows))
    yield builder.close(imports_table([account.row() for account in accounts]), totals(accounts))


def kept_conversations(
    source: SourceFile,
    settings: ParseSettings,
    account: Account,
    on_bytes: Callable[[int], None],
    refuse: Callable[[ParsedConversation], str | None] = lambda conversation: None,
) -> Iterator[ParsedConversation]:
    """The conversations of a file that become rows; the account is told of all of them.

    `refuse` gives the reason for which a declared source leaves one out.
    """
    parser = parser_for(source.format)
    older = older_copies(source, parser, settings)
    ids: set[str | None] = set()
    for ordinal, (item, place) in enumerate(items_of(source, parser, on_bytes)):
        if isinstance(item, Broken):
            account.fail(item.at, item.reason)
            continue
        try:
            conversation = parser.parse(item, settings)
        except Unparsable as error:
            account.fail(place(), error.reason)
            continue
        # An empty copy is empty, and no duplicate, wherever it stands.
        if not conversation.says_something:
            account.empty(conversation)
        elif ordinal in older or conversation.native_id in ids:
            account.duplicate(conversation)
        elif reason := refuse(conversation):
            account.leave_out(reason, place, conversation)
        else:
            account.keep(conversation)
            if conversation.native_id:
                ids.add(conversation.native_id)
            yield conversation
