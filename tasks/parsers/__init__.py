"""From exported chats to conversations and messages: files are found, read as a stream, parsed, one parser a format.

    found = discover([Path("export.zip")])
    for part in parse_files(found.files, ParseSettings()):
        ...

A new format is one file with a `Parser` and one line in `tasks.parsers.registry`.
"""

from schemas.manifest import SourceFile
from tasks.parsers.contract import ParsedConversation, ParsedMessage, Parser
from tasks.parsers.discovery import Discovery, Skipped, discover
from tasks.parsers.parsing import parse_files
from tasks.parsers.sources import examine

__all__ = [
    "Discovery",
    "ParsedConversation",
    "ParsedMessage",
    "Parser",
    "Skipped",
    "SourceFile",
    "discover",
    "examine",
    "parse_files",
]
