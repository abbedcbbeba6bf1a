"""A story (schemas/story.py) in lines for the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.outcomes import evidence_name
from schemas.story import ConversationStory, CorpusStory, MessageStory, SignalStory, Story, VerdictStory

WIDTH = 14
#: Twins named on the terminal unless all are asked for; the object of `--json` has all.
TWINS = 5


def told(story: Story, full: bool = False) -> Iterator[str]:
    """The story, one fact per line; of a conversation one line per message. `full`: every copy is named."""
    yield f"{story.kind} {story.id}, build {story.build}"
    if story.kind == "message":
        (line,) = story.lines
        yield ""
        yield from (f"│ {text}" for text in line.text.split("\n"))
        yield ""
        yield from _told_place(line, story.conversation)
    yield from _told_origin(story)
    if story.kind == "message":
        yield from _told_signals(story.lines[0].signals)
        yield from _told_verdict(story.lines[0].verdict)
        yield from _told_placement(story.lines[0])
    yield from _told_corpus(story, full)
    if story.unreached:
        yield _fact("not reached", f"this build has not done {', '.join(story.unreached)}")
    if story.kind == "conversation":
        yield ""
        yield from (_line(line) for line in story.lines)


def _fact(name: str, value: str) -> str:
    return f"{name:<{WIDTH}}{value}"


def _joined(*facts: str | None) -> str:
    return ", ".join(fact for fact in facts if fact)


def _told_place(line: MessageStory, conversation: ConversationStory) -> Iterator[str]:
    yield _fact(
        "message",
        _joined(
            line.role,
            f"number {line.position + 1} of {conversation.messages}",
            line.author and f"author {line.author}",
            line.model,
            line.created_at or "time not known",
        ),
    )


def _told_origin(story: Story) -> Iterator[str]:
    chat, file = story.conversation, story.conversation.file
    yield _fact("file", f"{file.label or 'no longer named by the plan'} ({file.digest})")
    if file.path:
        yield _fact("", file.path)
    yield _fact("format", _joined(file.format, f"provider {chat.provider}", f"source {chat.source}"))
    yield _fact(
        "conversation",
        _joined(chat.conversation_id, chat.native_id and f"the provider calls it {chat.native_id}"),
    )
    yield _fact("title", chat.title or "none")
    yield _fact("from", f"{chat.created_at or 'not known'}, last change {chat.updated_at or 'not known'}")
    forks = (
        "it never forks" if not chat.branches else f"it forks at {chat.branches} points; read: the last seen"
    )
    yield _fact(
        "branch", _joined(f"{chat.messages} messages", forks, *(f"flag {flag}" for flag in chat.flags))
    )
    if chat.standing is not None:
        newer = chat.standing.superseded_by_label or chat.standing.superseded_by
        yield _fact(
            "standing",
            "current" if chat.standing.current else f"superseded by the copy in {newer}",
        )
    for copy in story.copies:
        yield _fact("other copy", f"{copy.label} ({copy.digest})")


def _told_signals(signals: SignalStory | None) -> Iterator[str]:
    if signals is None:
        return
    inherited = " (of its conversation: too short to tell)" if signals.language_inherited else ""
    yield _fact("language", signals.language + inherited)
    yield _fact(
        "length",
        f"{signals.chars:,} characters, {signals.visible_chars:,} visible, {signals.words:,} words, "
        f"repetition {signals.repetition:.2f}{', only an ellipsis' if signals.ellipsis_only else ''}",
    )
    for hit in signals.hits:
        times = f", {hit.count} times" if hit.count > 1 else ""
        yield _fact("rule hit", f"{hit.rule} at {hit.start}-{hit.end}{times}: {hit.text}")
    if signals.not_scored:
        yield _fact("toxicity", f"not scored: {signals.not_scored}")
    else:
        scored = [f"{label} {score:.3f}" for label, score in signals.toxicity.items() if score is not None]
        others = [label for label, score in signals.toxicity.items() if score is None]
        rest = f"; not scored: {', '.join(others)}" if others else ""
        yield _fact("toxicity", ", ".join(scored) + rest)


def _told_verdict(verdict: VerdictStory | None) -> Iterator[str]:
    if verdict is None:
        return
    yield _fact("verdict", _joined(verdict.action, verdict.reason))
    for item in verdict.evidence:
        span = f" at {item.start}-{item.end}: {item.text}" if item.end > item.start else ""
        yield _fact("  evidence", f"{evidence_name(item.rule, item.score)}{span}")


def _told_placement(line: MessageStory) -> Iterator[str]:
    if line.placement is not None:
        yield _fact("placement", _joined(line.placement, line.placement_reason))


def _told_corpus(story: Story, full: bool) -> Iterator[str]:
    corpus = story.conversation.corpus
    if corpus is None:
        if "assemble" not in story.unreached:
            yield _fact("example", "none was made of this copy of the conversation")
        return
    yield _fact("example", corpus.example_id)
    if corpus.cluster_id is not None:
        yield from _told_cluster(corpus, full)
    elif corpus.evaluation is not None:
        yield _fact("contaminated", f"it asks what an evaluation asks: {corpus.evaluation}")
    elif "dedup" not in story.unreached:
        yield _fact("cluster", "no twin")
    yield from _told_category(corpus)
    for number, place in enumerate(corpus.places):
        told_place = f"{place.split}, phase {place.phase}, number {place.order + 1:,} of {place.size:,}"
        yield _fact("" if number else "corpus", told_place)
    if corpus.left_out is not None:
        yield _fact("corpus", f"not in it: {corpus.left_out}")


def _told_cluster(corpus: CorpusStory, full: bool) -> Iterator[str]:
    """The cluster, and its other members with their sources and where they begin."""
    keeper = "itself" if corpus.keeper_id == corpus.example_id else corpus.keeper_id
    yield _fact(
        "cluster",
        f"{corpus.cluster_id}, keeper {keeper}, similarity {corpus.similarity:.2f} ({corpus.method}); "
        f"{len(corpus.twins)} {'twin' if len(corpus.twins) == 1 else 'twins'}",
    )
    shown = corpus.copies if full else corpus.copies[:TWINS]
    for copy in shown:
        opening = f": {copy.opening}" if copy.opening else ""
        found = f"similarity {copy.similarity:.2f} ({copy.method})"
        yield _fact("  twin", f"{copy.example_id}, source {copy.source}, {found}{opening}")
    if more := len(corpus.copies) - len(shown):
        yield _fact("", f"and {more} more, which --full names")


#: How a category was come by, in words.
_BY = {
    "declared": "its source says so",
    "structure": "it has tool calls",
    "classifier": "the classifier says so",
    "unassigned": "nothing says which",
}


def _told_category(corpus: CorpusStory) -> Iterator[str]:
    if corpus.label_method is not None:
        sure = "" if corpus.confidence is None else f", confidence {corpus.confidence:.2f}"
        why = _BY.get(corpus.label_method, corpus.label_method)
        yield _fact("category", f"{corpus.category or 'unassigned'} ({why}{sure})")


def _line(line: MessageStory) -> str:
    """One line per message: number, role, what became of it, and the beginning of its text."""
    state = line.placement or (line.verdict.action if line.verdict else "read")
    reason = line.placement_reason or (line.verdict.reason if line.verdict else None)
    fate = state + (f":{reason}" if reason else "")
    text = " ".join(line.text.split())
    return f"{line.position:>4}  {line.message_id[:12]}  {line.role:<9}  {fate:<24}  {text}"
