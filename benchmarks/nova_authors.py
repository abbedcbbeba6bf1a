"""Does alpha earn its place? NOVA against its neighbours on five real authors.

    python -m benchmarks.nova_authors --data DIR --home DIR [--seeds 3] [--set epochs=3]

DIR holds books of the public domain as XHTML (Standard Ebooks): `narratives/pepys_diary`, `narratives/helen_keller`,
`narratives/douglass`, `creative/whitman_leaves`, `creative/aesop_fables`. Each paragraph (of verse: stanza) of 200
characters or more is a conversation by itself, whose author is a member. A paragraph says nothing of its author beside
the text: headings are no paragraphs, numbers of notes and the dates that open diary entries are taken off. The build
sets copies aside and splits by paragraph. Then `vatra nova compare`; killed, the same command goes on where it was, and
started twice, two processes share the trainings. Prints one JSON object on its last line.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

#: Numbers of notes stand behind a letter or a mark; dates open the entries of a diary.
NOTES = {r"([\p{L}.,;:!?’”)])[0-9]{1,4}": r"\1"}
DATES = {
    r"^(?:[A-Z][a-z]+ )?[0-9]{1,2}(?:st|nd|rd|th)[.,]?\s*(?:16[0-9]{2}[.,]?\s*)?": "",
    r"^(?:\([A-Z][a-z’ ]+\)|Th\[ursday\])[.,]?\s*": "",
}
SPACES = {r"\s+": " "}
#: Author, files, and how a paragraph becomes a text. Shares bring the authors to some 90 to 190 kB each.
PROSE: dict[str, Any] = {"path": "text", "replace": {**SPACES, **NOTES}}
AUTHORS: tuple[tuple[str, str, dict[str, Any], float | None], ...] = (
    (
        "Pepys",
        "narratives/pepys_diary/chapter-*.xhtml",
        {**PROSE, "replace": {**SPACES, **NOTES, **DATES}},
        0.75,
    ),
    ("Keller", "narratives/helen_keller/chapter-*.xhtml", PROSE, None),
    ("Douglass", "narratives/douglass/chapter-*.xhtml", PROSE, None),
    (
        "Whitman",
        "creative/whitman_leaves/[ab]*.xhtml",
        {"first_of": [{"join": "span", "separator": "\n", "replace": NOTES}, PROSE]},
        None,
    ),
    ("Aesop", "creative/aesop_fables/fables.xhtml", PROSE, None),
)
MEMBERS = ("nova", *(name for name, *_ in AUTHORS))
#: No rule is asked here: the texts stand as they were printed. More is held out than by default, for narrow intervals.
SETTINGS = (
    "languages=[en]",
    "toxicity.scorer=none",
    "slop.enabled=false",
    "blacklist.enabled=false",
    "mix.validation=0.1",
    "mix.test=0.2",
)


def sources(data: Path) -> dict[str, Any]:
    """The declaration of the authors, as a file of sources holds it."""
    return {
        "sources": {
            name.lower(): {
                "path": str(data / files),
                "category": "creative",
                "read": {"kind": "xml", "element": "p"},
                "narrative": {"form": "text", "text": text, "author": {"constant": name}},
                "filters": {"min_chars": 200},
                **({"sample": share} if share else {}),
            }
            for name, files, text, share in AUTHORS
        }
    }


def main() -> None:
    """Build the corpus, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True, help="the folder of the books")
    parser.add_argument("--home", type=Path, required=True, help="a home folder of its own")
    parser.add_argument("--preset", default="nova-tiny", help="the NOVA that is trained")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each arm")
    parser.add_argument("--arms", help="arms by name, with commas (default: all)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="key=value", help="a setting of the preset"
    )
    parser.add_argument("--build-only", action="store_true", help="make the corpus and stop")
    given = parser.parse_args()
    build = build_corpus(given.data.resolve(), given.home)
    print(json.dumps(build))
    if not given.build_only:
        print(json.dumps(compare(given, str(build["build"]))))


def build_corpus(data: Path, home: Path) -> dict[str, Any]:
    """A build of the authors in the home; one that stands is used again."""
    import yaml

    home.mkdir(parents=True, exist_ok=True)
    declared = home / "authors.yaml"
    declared.write_text(yaml.safe_dump(sources(data), allow_unicode=True, sort_keys=False), "utf-8")
    settings = [word for item in SETTINGS for word in ("--set", item)]
    return _vatra("build", "--sources", str(declared), *settings, "--home", str(home))


def compare(given: argparse.Namespace, build: str) -> dict[str, Any]:
    """`vatra nova compare` with the authors as members."""
    members = ",".join(MEMBERS)
    changes = [word for item in (f"members=[{members}]", *given.set) for word in ("--set", item)]
    arms = ["--arms", given.arms] if given.arms else []
    return _vatra(
        *("nova", "compare", "--preset", given.preset, "--build", build, "--seeds", str(given.seeds)),
        *arms,
        *changes,
        *("--home", str(given.home)),
    )


def _vatra(*arguments: str) -> dict[str, Any]:
    """One command of vatra with --json; what it tells meanwhile goes to standard error."""
    command = [sys.executable, "-m", "flows.cli", *arguments, "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.returncode)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


if __name__ == "__main__":
    main()
