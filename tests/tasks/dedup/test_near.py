"""Near copies: what is one, who is kept, what must not be glued together, and that order changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import combinations, pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.ledger import draw_ledger
from tests.tasks.dedup.texts import deduplicated, edited, example, keepers, prose, row_of, spoken


def true_similarity(one: list[str], other: list[str]) -> float:
    a, b = (set(pairwise(words)) for words in (one, other))
    return len(a & b) / len(a | b)


def test_a_near_copy_joins_with_its_true_similarity() -> None:
    words = prose("a")
    copy = edited(words, 4)
    part = deduplicated([spoken("a", [*words, "longer"]), spoken("b", copy), spoken("c", prose("c"))])
    assert keepers(part) == {"a": "a", "b": "a"}
    found = row_of(part, "b")
    assert found["method"] == "near"
    assert found["similarity"] == pytest.approx(true_similarity([*words, "longer"], copy), abs=1e-6)
    assert row_of(part, "a")["similarity"] == 1.0
    assert (part.tally["keepers"], part.tally["set_aside:near_duplicate"]) == (2, 1)


def test_exact_and_near_copies_are_one_cluster() -> None:
    words = prose("a")
    loud = [word.upper() for word in words]
    rows = [
        spoken("a", [*words, "more", "words"]),
        spoken("b", [*words, "more", "words"]),
        spoken("c", words),
        spoken("d", loud),
    ]
    part = deduplicated(rows)
    assert set(keepers(part).values()) == {"a"}
    clusters = part.tables["clusters"].to_pylist()
    assert len({row["cluster_id"] for row in clusters}) == 1
    assert {row["example_id"]: row["method"] for row in clusters} == {
        "a": "exact", "b": "exact", "c": "near", "d": "near",
    }  # fmt: skip
    assert part.tally["set_aside:exact_duplicate"] == 1
    assert part.tally["set_aside:near_duplicate"] == 2


def test_case_space_diacritics_and_punctuation_do_not_count() -> None:
    words = prose("ro", 40)
    marked = [word.replace("a", "ă").replace("s", "ș") for word in words]
    plain = example("plain", " ".join(words[:5]), " ".join(words[5:]))
    dressed = example(
        "dressed",
        "„" + " ".join(marked[:5]).upper() + "”?",
        "  ".join(marked[5:20]) + ",\n\n" + " — ".join(marked[20:]),
    )
    part = deduplicated([plain, dressed])
    assert keepers(part) == {"plain": "dressed", "dressed": "dressed"}, (
        "the one with diacritics has more bytes"
    )
    assert row_of(part, "plain")["similarity"] == 1.0
    assert row_of(part, "plain")["method"] == "near"


def test_role_names_do_not_count_and_neither_do_borders_of_messages() -> None:
    words = prose("roles")
    two = spoken("two", words)
    four = example("four", *(" ".join(words[a : a + 20]) for a in range(0, 80, 20)))
    part = deduplicated([two, four])
    assert len(set(keepers(part).values())) == 1
    assert part.tally["set_aside:near_duplicate"] == 1


def test_texts_without_spaces_are_compared_by_character() -> None:
    sentence = "今天天气很好我们一起去公园散步吧顺便买一些水果回来给大家吃然后再看一部电影"
    part = deduplicated([
        example("a", sentence, "好的没问题我马上准备一下"),
        example("b", sentence.replace("公园", "海边"), "好的没问题我马上准备一下"),
        example("c", "昨天下午他在图书馆里读完了那本关于古代建筑的厚书", "原来如此真是太有意思了"),
    ])  # fmt: skip
    assert set(keepers(part)) == {"a", "b"}


def test_short_texts_are_compared_exactly_only() -> None:
    rows = [example("a", "Is it safe?", "Yes, it is safe."), example("b", "Is it safe?", "No, it is safe.")]
    assert keepers(deduplicated(rows)) == {}
    assert set(keepers(deduplicated(rows, fewest_words=2, threshold=0.5, bands=40))) == {"a", "b"}


def test_texts_without_words_are_no_copies_of_one_another() -> None:
    rows = [
        example("a", "?!", "..."),
        example("b", "…", "--- ,"),
        example("c", " ", " "),
        example("d", "", ""),
    ]
    rows += [example(f"e{n}", "", "", text_hash=f"{n}") for n in range(3)]
    part = deduplicated(rows, fewest_words=1)
    assert {name: keeper for name, keeper in keepers(part).items() if name != keeper} == {"d": "c"}


def test_half_a_text_in_common_is_no_copy() -> None:
    words = prose("a", 120)
    rows = [
        spoken("a", words),
        spoken("b", words[:60] + prose("b", 60)),
        spoken("c", prose("c", 60) + words[60:]),
    ]
    assert keepers(deduplicated(rows)) == {}


OLD, NEW = datetime(2020, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("best", "other"),
    [
        ({"source": "ours"}, {"source": "theirs", "rating": 5.0, "text_bytes": 9000, "created_at": OLD}),
        ({"source": "theirs"}, {"source": "unnamed", "rating": 5.0, "text_bytes": 9000, "created_at": OLD}),
        ({"rating": 2.0}, {"rating": 1.0, "text_bytes": 9000, "created_at": OLD}),
        ({"rating": -1.0}, {"rating": None, "text_bytes": 9000, "created_at": OLD}),
        ({"text_bytes": 500}, {"text_bytes": 499, "created_at": OLD}),
        ({"text_bytes": 500, "created_at": OLD}, {"text_bytes": 500, "created_at": NEW}),
        ({"text_bytes": 500, "created_at": NEW}, {"text_bytes": 500, "created_at": None}),
    ],
)
@pytest.mark.parametrize("changes", [0, 3], ids=["exact", "near"])
def test_the_keeper_by_priority_rating_length_and_age(best: Any, other: Any, changes: int) -> None:
    words = prose("k")
    rows = [spoken("z", words, **best), spoken("a", edited(words, changes), **other)]
    assert set(keepers(deduplicated(rows, priority=("ours", "theirs"))).values()) == {"z"}


def test_at_equal_rank_the_smallest_id_is_kept() -> None:
    words = prose("k")
    rows = [spoken(name, words) for name in ("c", "b", "d")]
    assert set(keepers(deduplicated(rows)).values()) == {"b"}


def test_copies_do_not_chain() -> None:
    """Each version is a near copy of the one before it; the last shares nothing with the first."""
    words, rows, texts = prose("v0", 100), [], {}
    for version in range(12):
        name = f"v{version:02d}"
        rows.append(spoken(name, words, text_bytes=1000 - version))
        texts[name] = words
        words = words[:version * 8] + prose(f"v{version + 1}", 8) + words[version * 8 + 8:]  # fmt: skip
    part = deduplicated(rows)
    assert true_similarity(texts["v00"], texts["v11"]) < 0.2
    found = keepers(part)
    for name, keeper in found.items():
        assert true_similarity(texts[name], texts[keeper]) >= 0.6
    assert len({keeper for name, keeper in found.items()}) > 1
    assert part.tally["unlike_keeper"] == part.tally["keepers_removed"] == part.tally["keeperless"] == 0


def test_boilerplate_glues_nothing_together_and_hides_no_copy() -> None:
    """Three hundred conversations with one long prompt and disclaimer, so that every band is crowded."""
    boilerplate = prose("boilerplate", 60)
    own = {f"e{n:03d}": prose(n, 80) for n in range(300)}
    rows = [example(name, " ".join(boilerplate), " ".join(words)) for name, words in own.items()]
    copied = [f"e{n:03d}" for n in range(0, 300, 10)]
    rows += [
        example(f"copy of {name}", " ".join(boilerplate), " ".join(edited(own[name], 6)), text_bytes=1)
        for name in copied
    ]
    part = deduplicated(rows, bands=40, boilerplate=1000)
    assert part.tally["crowded_bands"] > 0
    found = {name: keeper for name, keeper in keepers(part).items() if name != keeper}
    assert found == {f"copy of {name}": name for name in copied}


def lined(words: list[str]) -> str:
    return "\n".join(" ".join(words[at : at + 12]) for at in range(0, len(words), 12))


@pytest.mark.parametrize("copies", [9, 10, 30, 200])
def test_copies_are_copies_however_many_they_are(copies: int) -> None:
    """Of ten copies each line stands in ten texts, like boilerplate."""
    words = prose("copied", 96)
    rows = [example(f"c{n:03d}", "Tell me of it.", lined(edited(words, 1, n))) for n in range(copies)]
    rows += [example(f"o{n}", "And of this?", lined(prose(f"other {n}", 96))) for n in range(5)]
    part = deduplicated(rows)
    assert len({keeper for name, keeper in keepers(part).items() if name.startswith("c")}) == 1
    assert part.tally["set_aside:near_duplicate"] == copies - 1


def test_the_same_lines_in_another_order_are_copies_however_many_they_are() -> None:
    words = prose("shuffled", 96)
    lines = lined(words).split("\n")
    rows = [example(f"c{n}", "Tell me of it.", "\n".join(lines[n:] + lines[:n])) for n in range(8)]
    rows += [example(f"d{n}", "Tell me of it.", "\n".join(reversed(lines[n:] + lines[:n]))) for n in range(8)]
    assert len(set(keepers(deduplicated(rows)).values())) == 1


def test_many_questions_about_one_text_are_no_copies() -> None:
    """Question and answer are of a fixed set and so boilerplate; what two texts have in common is the passage alone."""
    asked = [(" ".join(prose(f"q{n}", 20)), " ".join(prose(f"a{n}", 14))) for n in range(4)]
    rows = [
        example(f"{passage}-{n}", " ".join(prose(f"p{passage}", 14)) + "\n\n" + question, answer)
        for passage in range(30)
        for n, (question, answer) in enumerate(asked)
    ]
    part = deduplicated(rows)
    assert part.tally["boilerplate_lines"] == 8
    assert keepers(part) == {}


def test_a_template_of_hundreds_of_copies_is_one_cluster() -> None:
    words = prose("template", 100)
    rows = [spoken(f"t{n:03d}", edited(words, 3, n)) for n in range(200)]
    part = deduplicated([*rows, spoken("base", words, text_bytes=10_000)])
    assert set(keepers(part).values()) == {"base"}
    assert len(keepers(part)) == 201
    assert part.tally["crowded_bands"] > 0


CORPUS = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 12), st.integers(0, 2)), min_size=2, max_size=14
)  # fmt: skip


def corpus_rows(drawn: list[tuple[int, int, int]]) -> list[dict[str, Any]]:
    return [
        spoken(f"e{n:02d}", edited(prose(base, 60), changes, n), text_bytes=size)
        for n, (base, changes, size) in enumerate(drawn)
    ]


@settings(max_examples=25, derandomize=True, deadline=None)
@given(CORPUS, st.randoms(use_true_random=False), st.integers(1, 3))
def test_order_and_parts_change_nothing(drawn: list[tuple[int, int, int]], random: Any, parts: int) -> None:
    rows = corpus_rows(drawn)
    one, other = deduplicated(rows), deduplicated(random.sample(rows, len(rows)), parts=parts)
    assert one.tables["clusters"].equals(other.tables["clusters"])
    assert one.tally == other.tally


@settings(max_examples=25, derandomize=True, deadline=None)
@given(CORPUS)
def test_clusters_are_stars_and_no_copy_is_left_among_the_kept(drawn: list[tuple[int, int, int]]) -> None:
    rows = corpus_rows(drawn)
    part = deduplicated(rows)
    assert draw_ledger("dedup", part.tally, len(rows)).unaccounted == 0
    words = {row["example_id"]: " ".join(m["content"] for m in row["messages"]).split() for row in rows}
    found = keepers(part)
    for row in part.tables["clusters"].to_pylist():
        assert found[row["keeper_id"]] == row["keeper_id"]
        similarity = true_similarity(words[row["example_id"]], words[row["keeper_id"]])
        assert row["similarity"] == pytest.approx(similarity, abs=1e-6)
        assert similarity >= 0.6
    kept = [name for name in words if found.get(name, name) == name]
    for one, other in combinations(kept, 2):  # well above the threshold, where MinHash misses nothing
        assert true_similarity(words[one], words[other]) < 0.85


def test_one_system_prompt_glues_no_conversations_together() -> None:
    """Two hundred words of prompt, twenty of talk: as a whole more than nine parts of ten are the same."""
    prompt = " ".join(prose("system", 200))
    said = {f"e{n}": prose(n, 24) for n in range(4)} | {"copy": edited(prose(0, 24), 1)}
    rows = [
        example(name, " ".join(words[:6]), " ".join(words[6:]), messages=[
            {"role": "system", "content": prompt, "trainable": False},
            {"role": "user", "content": " ".join(words[:6]), "trainable": False},
            {"role": "assistant", "content": " ".join(words[6:]), "trainable": True},
        ])
        for name, words in said.items()
    ]  # fmt: skip
    part = deduplicated(rows)
    assert set(keepers(part)) == {"e0", "copy"}
    assert part.tally["boilerplate_lines"] == 1


def test_a_form_that_many_share_is_left_out_when_they_are_compared() -> None:
    form = "\n".join(" ".join(prose(f"line {n}", 15)) for n in range(8))
    own = {f"e{n:02d}": prose(n, 30) for n in range(12)}
    rows = [example(name, form + "\n" + " ".join(w), "So noted.") for name, w in own.items()]
    rows.append(example("copy", form + "\n" + " ".join(edited(own["e03"], 2)), "So noted."))
    part = deduplicated(rows, boilerplate=12)
    assert set(keepers(part)) == {"e03", "copy"}
    assert part.tally["boilerplate_lines"] == 9
    glued = deduplicated(rows, boilerplate=100)
    assert len(glued.tables["clusters"]) > 8, "without the guard the form would glue them all together"


def test_texts_that_differ_in_boilerplate_alone_are_no_copies() -> None:
    """One question under two forms that many share (which tools may be called): what is left out makes no copies."""
    forms = [" ".join(prose(f"form {n}", 25)) for n in range(2)]
    rows = [
        example(f"e{n:02d}", forms[n % 2] + "\n" + " ".join(w[:10]), " ".join(w[10:]))
        for n, w in enumerate(prose(n, 30) for n in range(24))
    ]
    asked = prose(0, 30)
    rows.append(example("other", forms[1] + "\n" + " ".join(asked[:10]), " ".join(asked[10:])))
    rows.append(example("copy", forms[0] + "\n" + " ".join(asked[:10]), " ".join(edited(asked, 2)[10:])))
    part = deduplicated(rows)
    assert part.tally["boilerplate_lines"] == 2
    assert set(keepers(part)) == {"e00", "copy"}


def test_a_long_question_with_other_short_answers_is_no_copy() -> None:
    """Of one passage five things are asked: yes, no, a date. Where the answers are the same, a few words may differ."""
    passage = prose("passage", 120)
    rows = [
        example("yes", " ".join(passage), "Yes.", text_bytes=9_000),
        example("no", " ".join(edited(passage, 1)), "No."),
        example("date", " ".join([*passage, *prose("when", 9)]), "It was in 1848."),
        example("yes again", " ".join(edited(passage, 5)), "YES!", text_bytes=8_000),
        example("unanswered", " ".join(edited(passage, 3)), "", text_bytes=7),
    ]
    found = keepers(deduplicated(rows, parts=2))
    assert found == {"yes": "yes", "yes again": "yes", "unanswered": "yes"}
