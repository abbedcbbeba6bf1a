"""Names that a file's own name gives away: what comes beside the chats in an export, and what was never a chat."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

#: Personal data; not opened even when given by name.
_ACCOUNT = ("user.json", "users.json", "account.json", "user_settings.json")
_BESIDE = (
    "message_feedback.json", "shared_conversations.json", "group_chats.json", "shopping.json", "sora.json",
    "model_comparisons.json", "conversation_asset_file_names.json", "export_manifest.json", "chat.html",
    "memories.json", "projects.json", "conversations.json.index",
)  # fmt: skip
_SYSTEM = (".ds_store", "thumbs.db", "desktop.ini")
_MEDIA = (
    ".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".svg", ".heic", ".mp3", ".mp4", ".m4a", ".wav", ".ogg", ".webm",
    ".mov", ".pdf", ".dat", ".docx", ".xlsx", ".pptx", ".parquet", ".sqlite", ".db", ".exe", ".dll", ".so", ".ttf",
)  # fmt: skip
_DRIVE = re.compile(r"[A-Za-z]:")

NEVER_READ = "account data, which is never read"


def name_reason(name: str) -> str | None:
    """Why a file, or zip member, of this name is passed over without being opened; None: have a look."""
    path = PurePosixPath(name.replace("\\", "/"))
    last = path.name.lower()
    if "__MACOSX" in path.parts or last.startswith("._") or last in _SYSTEM:
        return "a leftover of the operating system"
    if last in _ACCOUNT:
        return NEVER_READ
    if last in _BESIDE:
        return "comes with exports and holds no chat"
    if last.endswith(_MEDIA):
        return "not a text file"
    return None


def is_unsafe(name: str) -> bool:
    """Whether a zip member's name points out of the folder that it would be unpacked to."""
    parts = re.split(r"[/\\]", name)
    return ".." in parts or parts[0] == "" or bool(_DRIVE.match(name)) or "\0" in name
