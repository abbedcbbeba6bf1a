"""Who is the person and who the assistant, among the speakers of a conversation."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.parsers.markdown.metadata import Metadata

#: The tribe: known as assistants wherever nothing else is said (folded names).
TRIBE = frozenset({"nova", "sora", "lumin", "sophia", "samanta"})
#: Words for a role in place of a name.
_USER_WORDS = "user human om omul utilizator utilizatoare prompter person persoana eu me you tu i"
_AI_WORDS = "assistant ai asistent asistenta bot model chatbot chatgpt gpt claude gemini"
_USER, _AI = frozenset(_USER_WORDS.split()), frozenset(_AI_WORDS.split())
_SYSTEM = frozenset({"system", "sistem"})
#: Of these words too many stand before a colon in ordinary text: with declared speakers they name nobody.
PRONOUNS = frozenset(["eu", "me", "you", "tu", "i"])
ROLE_WORDS = _USER | _AI | _SYSTEM


def roles_of(speakers: Sequence[str], about: Metadata) -> tuple[dict[str, str], int]:
    """The role of each speaker (folded names, in order of their first turn), and how many of them were guessed.

    What is declared counts first, then words for roles, then the names of the tribe. Whoever is left is an assistant
    where the persons alone are declared, else the person where an assistant is known, and an assistant where only the
    person is. Where nobody is known, whoever opens is the person and all others are assistants.
    """
    roles = {name: role for name in dict.fromkeys(speakers) if (role := _known(name, about))}
    rest = [name for name in dict.fromkeys(speakers) if name not in roles]
    persons_listed = bool(about.humans) and not about.assistants
    has_assistant = "assistant" in roles.values() and not persons_listed
    has_person = "user" in roles.values() or persons_listed
    for place, name in enumerate(rest):
        if has_assistant:
            roles[name] = "user"
        elif has_person:
            roles[name] = "assistant"
        else:
            roles[name] = "assistant" if place else "user"
    return roles, len(rest)


def _known(name: str, about: Metadata) -> str | None:
    if name in about.humans:
        return "user"
    if name in about.assistants:
        return "assistant"
    if name in _SYSTEM:
        return "system"
    if name in _USER:
        return "user"
    return "assistant" if name in _AI or name in TRIBE else None
