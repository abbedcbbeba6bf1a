"""From parsed conversations to Arrow tables: ids, hashes, and batches that are made as the text comes."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from schemas.ids import DIGEST_BYTES, encode_fields, hash_bytes, hash_fields
from schemas.manifest import DECLARED, SourceFile
from schemas.parts import Part
from schemas.tables import SCHEMAS
from tasks.parsers.account import NULS, SURROGATES
from tasks.parsers.columns import arrow_array
from tasks.parsers.contract import ParsedConversation

#: Rows become Arrow memory whenever they hold so much text: as Python objects they take several times as much.
BATCH_BYTES = 1 << 20
_TABLES = ("conversations", "messages")


class FileRows:
    """Ids of one file's conversations; those without a native id are told apart by how often their content came."""

    def __init__(self, source: SourceFile) -> None:
        self.source = source
        # A provider's ids are the same whatever a person calls the source; those of a mapping are the source's own.
        self._owner = source.source if source.source != DECLARED else source.name
        self._occurrences: Counter[bytes] = Counter()

    def conversation_id(self, conversation: ParsedConversation, content_hash: str) -> str:
        """Hash of provider and native id, or of source, content and occurrence."""
        if conversation.native_id:
            return hash_fields(self._owner, conversation.native_id)
        key = bytes.fromhex(content_hash)
        self._occurrences[key] += 1
        return hash_fields(self.source.name, content_hash, self._occurrences[key] - 1)


class PartBuilder:
    """Collects conversations; `close` gives them as a part. Text is counted in UTF-8 bytes."""

    def __init__(self) -> None:
        self.text_bytes = 0
        self._pending = 0
        self._conversations: list[tuple[Any, ...]] = []
        self._messages: list[tuple[Any, ...]] = []
        self._batches: tuple[list[pa.RecordBatch], list[pa.RecordBatch]] = ([], [])
        self._tally: Counter[str] = Counter()

    def add(self, conversation: ParsedConversation, file: FileRows) -> Counter[str]:
        """Append a conversation with its messages; returns warnings about texts that had to be repaired."""
        warnings: Counter[str] = Counter()
        encoded = [_encode(message.content, warnings) for message in conversation.messages]
        hashes = [hash_bytes(data) for data in encoded]
        content_hash = _content_hash(conversation, hashes)
        conversation_id = file.conversation_id(conversation, content_hash)
        self._add_conversation(conversation, file.source, conversation_id, content_hash)
        self._add_messages(conversation, conversation_id, encoded, hashes)
        if self._pending >= BATCH_BYTES:
            self._flush()
        return warnings

    def close(self, imports: pa.Table | None = None, tally: Mapping[str, int] | None = None) -> Part:
        """What was collected, as a part; the builder starts anew. With `imports`, the last part of a call."""
        self._flush()
        tables = {}
        if self._tally["conversations"]:
            for name, batches in zip(_TABLES, self._batches, strict=True):
                tables[name] = pa.Table.from_batches(batches, SCHEMAS[name])
        if imports is not None:
            tables["imports"] = imports
        part = Part(tables, {**self._tally, **(tally or {})})
        self._batches, self._tally, self.text_bytes = ([], []), Counter(), 0
        return part

    def __bool__(self) -> bool:
        return bool(self._tally["conversations"])

    def _add_conversation(
        self, conversation: ParsedConversation, source: SourceFile, conversation_id: str, content_hash: str
    ) -> None:
        self._conversations.append(
            (
                conversation_id,
                source.name,
                source.source,
                source.digest,
                content_hash,
                len(conversation.messages),
                conversation.branches,
                conversation.flags,
                repaired(conversation.native_id),
                repaired(conversation.model),
                repaired(conversation.title),
                conversation.created,
                conversation.updated,
                conversation.category,
            )
        )
        self._tally["conversations"] += 1
        self._tally["messages"] += len(conversation.messages)

    def _add_messages(
        self, conversation: ParsedConversation, conversation_id: str, encoded: list[bytes], hashes: list[str]
    ) -> None:
        occurrences: dict[str, int] = {}
        begun = encode_fields(conversation_id)
        size = 0
        for position, message in enumerate(conversation.messages):
            data, content_hash = encoded[position], hashes[position]
            # A file may repeat a native id: the occurrence keeps ids apart.
            key = f"id:{message.native_id}" if message.native_id else f"{message.role}:{content_hash}"
            occurrence = occurrences.get(key, 0)
            occurrences[key] = occurrence + 1
            self._messages.append(
                (
                    hash_bytes(begun + encode_fields(key, occurrence)),
                    conversation_id,
                    position,
                    message.role,
                    data,
                    content_hash,
                    message.author and repaired(message.author),
                    message.intensity and repaired(message.intensity),
                    message.created,
                    message.model and repaired(message.model),
                    message.rating,
                )
            )
            self._tally[f"role:{message.role}"] += 1
            size += len(data)
        self._pending += size
        self.text_bytes += size

    def _flush(self) -> None:
        for name, rows, batches in zip(
            _TABLES, (self._conversations, self._messages), self._batches, strict=True
        ):
            if rows:
                batches.append(_batch(name, rows))
                rows.clear()
        self._pending = 0


def _batch(table: str, rows: list[tuple[Any, ...]]) -> pa.RecordBatch:
    """Rows, in the order of the table's columns, as Arrow memory."""
    schema = SCHEMAS[table]
    columns = zip(schema, zip(*rows, strict=True), strict=True)
    return pa.RecordBatch.from_arrays(
        [arrow_array(values, field.type) for field, values in columns], schema=schema
    )


def imports_table(rows: list[dict[str, Any]]) -> pa.Table:
    """The table of imports from the rows of the accounts."""
    schema = SCHEMAS["imports"]
    arrays = [arrow_array([row[field.name] for row in rows], field.type) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def repaired(text: str | None) -> str | None:
    """A text without NULs and lone surrogates, which UTF-8 cannot hold."""
    if text is None or (text.isascii() and "\0" not in text):
        return text
    return _encode(text, Counter()).decode()


def _encode(text: str, warnings: Counter[str]) -> bytes:
    """The text in UTF-8, without NULs; halves of surrogate pairs are joined, or replaced where one is missing."""
    if "\0" in text:
        warnings[NULS] += 1
        text = text.replace("\0", "")
    try:
        return text.encode()
    except UnicodeEncodeError:
        warnings[SURROGATES] += 1
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


def _content_hash(conversation: ParsedConversation, hashes: list[str]) -> str:
    hasher = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for message, content_hash in zip(conversation.messages, hashes, strict=True):
        hasher.update(f"{message.role}:{content_hash};".encode())
    return hasher.hexdigest()
