"""A generated ChatGPT export of any size: conversation trees with branches, hidden and tool nodes, emoji, diacritics.

    python benchmarks/chatgpt_export.py PATH MEGABYTES [SEED]

The same size and seed give the same bytes. About 26 KB per conversation, in the shape of a real export: one minified
top-level array, a root without message, a blank system message, hidden custom instructions.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path
from typing import Any

SENTENCES = (
    "The hearth is the oldest room of the house, and the talk around it is older than the walls.",
    "Da, sigur: întâi verificăm dacă fișierul există, apoi îl citim rând cu rând.",
    "Here is one way to do it, with the trade-offs spelled out below 🙂.",
    "Țărmul mării era pustiu, iar vântul bătea dinspre răsărit 🌊.",
    "If the list is empty, return early; otherwise walk it once and keep the running total.",
    "Aș începe cu o rețetă simplă: făină, apă, sare și răbdare 🍞.",
    "That error means the connection was closed before the answer arrived; retry with a longer timeout.",
    "Nu uita să mulțumești celor care te-au ajutat, chiar și pentru lucruri mici ❤️.",
    "A good test fails for one reason only, and says which.",
    "```python\ndef total(values):\n    return sum(value for value in values if value is not None)\n```",
    "În concluzie, ambele variante merg; prima este mai ușor de întreținut.",
    "Think of the cache as a promise: if the key is the same, the value must be the same too 🔑.",
)
CITED = "The figures were published last spring \ue200cite\ue202turn0search{0}\ue202turn0news1\ue201."


def write_export(path: Path, megabytes: int, seed: int) -> int:
    """Write an export of about `megabytes` MB (10^6 bytes) to `path`; returns the number of conversations."""
    target, written, count = megabytes * 1_000_000, 2, 0
    rng = random.Random(seed)
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write("[")
        while written < target:
            # Half of the conversations spell their emoji and diacritics as escapes, as exports of some years do.
            text = json.dumps(_conversation(rng, count), ensure_ascii=count % 2 == 0)
            file.write(("," if count else "") + text)
            written += len(text.encode()) + 1
            count += 1
        file.write("]")
    return count


def _conversation(rng: random.Random, number: int) -> dict[str, Any]:
    tree = _Tree(rng, 1_700_000_000.0 + number * 3600)
    tree.add(None)
    tree.add(tree.message("system", [""], weight=0))
    if number % 3 == 0:
        context = {
            "content_type": "user_editable_context",
            "user_profile": "",
            "user_instructions": "Be brief.",
        }
        tree.add(tree.message("user", [], content=context, hidden=True))
    for turn in range(rng.randint(5, 13)):
        question = tree.add(tree.message("user", [_text(rng, 1, 4)]))
        if rng.random() < 0.12:  # an answer that was generated again
            tree.add(tree.message("assistant", [_text(rng, 4, 16)]), parent=question)
            tree.at = question
        if rng.random() < 0.15:
            tree.add(tree.message("assistant", ['search("hearth")'], recipient="web.run"))
            tree.add(tree.message("tool", ["Results of the search."], name="web.run"))
        cited = CITED.format(turn) if rng.random() < 0.2 else ""
        tree.add(tree.message("assistant", [_text(rng, 6, 22) + cited]))
    identity = f"{rng.getrandbits(128):032x}"
    return {
        "title": f"Conversation {number}", "create_time": tree.start, "update_time": tree.now, "mapping": tree.nodes,
        "moderation_results": [], "current_node": tree.at, "plugin_ids": None, "conversation_id": identity,
        "conversation_template_id": None, "gizmo_id": None, "gizmo_type": None, "is_archived": number % 17 == 0,
        "is_starred": None, "safe_urls": [], "blocked_urls": [], "default_model_slug": "gpt-5",
        "conversation_origin": None, "voice": None, "async_status": None, "disabled_tool_ids": [],
        "is_do_not_remember": False, "memory_scope": "global_enabled", "id": identity,
    }  # fmt: skip


class _Tree:
    """A mapping under construction; `at` is the node that the next one hangs from."""

    def __init__(self, rng: random.Random, start: float) -> None:
        self.rng, self.start, self.now = rng, start, start
        self.nodes: dict[str, Any] = {}
        self.at: str | None = None

    def add(self, message: dict[str, Any] | None, parent: str | None = None) -> str:
        parent = parent or self.at
        name = message["id"] if message else "client-created-root"
        self.nodes[name] = {"id": name, "message": message, "parent": parent, "children": []}
        if parent:
            self.nodes[parent]["children"].append(name)
        self.at = name
        return str(name)

    def message(
        self, role: str, parts: list[str], *, content: dict[str, Any] | None = None, hidden: bool = False,
        recipient: str = "all", name: str | None = None, weight: float = 1.0,
    ) -> dict[str, Any]:  # fmt: skip
        self.now += self.rng.randint(5, 90) + 0.25
        metadata: dict[str, Any] = {"can_save": True, "request_id": f"{self.rng.getrandbits(64):016x}"}
        if hidden:
            metadata["is_visually_hidden_from_conversation"] = True
        if role == "assistant":
            metadata |= {"model_slug": "gpt-5", "finish_details": {"type": "stop", "stop_tokens": [200002]}}
            metadata |= {"citations": [], "content_references": [], "is_complete": True, "parent_id": self.at}
        return {
            "id": f"{self.rng.getrandbits(128):032x}", "author": {"role": role, "name": name, "metadata": {}},
            "create_time": None if weight == 0 else self.now, "update_time": None,
            "content": content or {"content_type": "text", "parts": parts}, "status": "finished_successfully",
            "end_turn": role == "assistant", "weight": weight, "metadata": metadata, "recipient": recipient,
            "channel": "final" if role == "assistant" else None,
        }  # fmt: skip


def _text(rng: random.Random, least: int, most: int) -> str:
    return " ".join(rng.choices(SENTENCES, k=rng.randint(least, most))) + f" ({rng.randrange(10**6)})"


def main() -> None:
    """Write one export from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("path", type=Path)
    parser.add_argument("megabytes", type=int)
    parser.add_argument("seed", type=int, nargs="?", default=42)
    given = parser.parse_args()
    count = write_export(given.path, given.megabytes, given.seed)
    print(f"{count} conversations, {given.path.stat().st_size} bytes: {given.path}")


if __name__ == "__main__":
    main()
