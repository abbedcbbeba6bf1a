"""A whole comparison, small: trained, killed, shared, taken up again."""

from __future__ import annotations

import dataclasses
import fcntl
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from models.training.schedule import Batch, PhasePlan
from models.tribal.arms import ARMS, check_arms, default_arms, equip
from models.tribal.comparing import ComparisonWatcher, compare, kept_weights
from models.tribal.curriculum import Fitted, PhaseRecord, Validation
from models.tribal.evaluation import comparison
from models.tribal.evaluation.comparison import speakers_of, summed_up
from models.tribal.preparing import prepare
from schemas.errors import SettingsError, StageFailed, StoreError
from schemas.nova_evaluation import ArmRun, NovaComparison
from schemas.settings import TribalPreset

Shards = dict[str, list[Path]]
NAMED = ("tiny", "voices")


class Heard(ComparisonWatcher):
    """Writes down what begins and what ends."""

    def __init__(self) -> None:
        self.begins: list[tuple[str, int]] = []
        self.ends: list[tuple[str, int]] = []
        self.left: list[int] = []
        self.waited = threading.Event()

    def planned(self, runs: int, steps: int) -> None:
        self.left.append(runs)

    def begun(self, arm: str, seed: int) -> None:
        self.begins.append((arm, seed))

    def finished(self, run: ArmRun) -> None:
        self.ends.append((run.arm, run.seed))

    def waiting(self, arm: str, seed: int) -> None:
        self.waited.set()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("compared")


@pytest.fixture(scope="module")
def compared(tiny: TribalPreset, voices: Shards, folder: Path) -> NovaComparison:
    return compare(tiny, voices, NAMED, folder, ("nova", "gpt2", "shuffled"), 2)


def test_every_arm_has_every_seed_over_the_same_text(compared: NovaComparison) -> None:
    assert [(run.arm, run.seed) for run in compared.runs] == [
        (arm, seed) for seed in (42, 43) for arm in ("nova", "gpt2", "shuffled")
    ]
    texts = {tuple((s.conversation_id, s.tokens, s.bytes) for s in run.scores) for run in compared.runs}
    assert len(texts) == 1
    assert {run.steps for run in compared.runs} == {12} == {compared.budget}
    assert [one.other for one in compared.differences] == ["gpt2", "shuffled"]
    assert [(one.name, one.conversations) for one in compared.speakers] == [
        ("nova", 0),
        ("sora", 8),
        ("lumin", 8),
    ]


def test_labels_of_its_own_teach_the_detector_and_those_of_others_do_not(compared: NovaComparison) -> None:
    found = {
        arm: [
            run.evaluation.detection.macro_auc.value or 0.0
            for run in compared.runs
            if run.arm == arm and run.evaluation.detection is not None
        ]
        for arm in ("nova", "gpt2", "shuffled")
    }
    assert min(found["nova"]) > 0.8
    assert found["gpt2"] == []
    assert max(found["shuffled"]) < min(found["nova"])


def test_what_stands_is_not_trained_again(
    tiny: TribalPreset, voices: Shards, folder: Path, compared: NovaComparison
) -> None:
    """As after a kill between two trainings: only the missing one is done, and it comes out the same."""
    (folder / "gpt2-43.json").unlink()
    heard = Heard()
    again = compare(tiny, voices, NAMED, folder, ("nova", "gpt2", "shuffled"), 2, heard)
    assert (heard.left, heard.begins, heard.ends) == ([1], [("gpt2", 43)], [("gpt2", 43)])
    assert again == compared
    assert not list(folder.glob("*.work"))


def test_another_process_is_waited_for(
    tiny: TribalPreset, voices: Shards, folder: Path, compared: NovaComparison
) -> None:
    """A training that somebody else is at is left to them, and read when it is there."""
    path, heard, found = folder / "nova-42.json", Heard(), []
    kept = path.read_bytes()
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        path.unlink()
        other = threading.Thread(
            target=lambda: found.append(compare(tiny, voices, NAMED, folder, ("nova", "gpt2"), 2, heard))
        )
        other.start()
        assert heard.waited.wait(60)
        path.write_bytes(kept)
    other.join(60)
    assert heard.begins == []
    assert [run.arm for run in found[0].runs] == ["nova", "gpt2", "nova", "gpt2"]


def test_another_preset_has_another_folder(
    tiny: TribalPreset, voices: Shards, folder: Path, compared: NovaComparison
) -> None:
    with pytest.raises(StoreError, match="belongs to another run"):
        compare(tiny.model_copy(update={"max_steps": 3}), voices, NAMED, folder, ("nova",), 1)


def test_nothing_held_out_is_refused_before_any_training(
    tiny: TribalPreset, voices: Shards, tmp_path: Path
) -> None:
    heard = Heard()
    with pytest.raises(StageFailed, match="neither a test nor a validation split"):
        compare(tiny, {"train": voices["train"]}, NAMED, tmp_path, ("nova",), 1, heard)
    assert not heard.begins


def test_a_corpus_that_teaches_no_member_is_told_before_and_on_the_page(
    tiny: TribalPreset, voices: Shards, folder: Path, compared: NovaComparison
) -> None:
    """Else arms would be compared that differ in nothing, and the answer taken for one about alpha."""
    strange = prepare(tiny.model_copy(update={"members": ("nova", "ada")}), voices)
    told = summed_up(NAMED, strange, "test", 12, compared.runs)
    assert "No turn of the training split says which member speaks: who does is never taught." in told.notes
    assert not [note for note in compared.notes if "never taught" in note]


def test_of_a_large_split_speakers_are_those_of_what_is_measured(
    tiny: TribalPreset, voices: Shards, compared: NovaComparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = prepare(tiny, voices)
    whole = speakers_of(prepared, prepared.test)
    assert whole == compared.speakers
    few = [int(number) for number in np.flatnonzero(prepared.test.windows[:, 0] < 3)]
    monkeypatch.setattr(comparison, "chosen_windows", lambda split: few)
    assert [one.conversations for one in speakers_of(prepared, prepared.test)] == [0, 1, 1]
    (run, *_) = compared.runs
    part = run.model_copy(update={"evaluation": run.evaluation.model_copy(update={"windows_left_out": 1200})})
    told = summed_up(NAMED, prepared, "test", 12, [part])
    assert (
        "The split is large: 1,200 windows of conversations that chance left out are not measured."
        in told.notes
    )


def test_the_validation_loss_is_that_of_the_weights_that_were_kept() -> None:
    """Phases measure different conversations: the least loss of all of them would be none of the model's."""
    phases = []
    for number, losses in ((1, (3.0, 1.0)), (2, (4.0, 2.0, 2.5))):
        plan = PhasePlan(number, str(number), 1e-3, 1, 4, len(losses) - 1, 0)
        found = tuple(Validation(step, loss, None, loss) for step, loss in enumerate(losses))
        steps = tuple({"step": float(step)} for step in range(1, len(losses)))
        phases.append(PhaseRecord(plan, Batch(1, 1), steps, found, kept_step=1))
    fitted = Fitted(None, (), tuple(phases), 0, None)
    assert kept_weights(fitted) == (2, 2.0)
    assert kept_weights(dataclasses.replace(fitted, phases=())) == (None, None)


def test_arms_differ_in_what_they_say_and_in_nothing_else(tiny: TribalPreset, voices: Shards) -> None:
    prepared = prepare(tiny, voices)
    made = {name: equip(ARMS[name], prepared, 5) for name in default_arms(tiny)}
    for name, (build, data) in made.items():
        assert data.preset == tiny.model_copy(update={"seed": 5})
        assert np.array_equal(data.train.documents.ids, prepared.train.documents.ids)
        assert np.array_equal(data.train.windows, prepared.train.windows)
        same = np.array_equal(data.train.documents.member, prepared.train.documents.member)
        assert same == (name != "shuffled")
        first, second = (build().state_dict() for _ in range(2))
        assert all(torch.equal(first[key], second[key]) for key in first)  # the seed fixes the first weights
    assert made["uniform"][0]().config.detector == "uniform"
    assert made["concat"][0]().config.member_widths == [21, 6, 5]
    assert made["unlabelled"][0]().config.label_loss_weight == 0
    gpt2 = made["gpt2"][0]().config
    assert (gpt2.n_layer, gpt2.n_embd, gpt2.n_head, gpt2.n_positions) == (1, 32, 2, 128)


def test_gpt2_keeps_packed_windows_apart(tiny: TribalPreset, voices: Shards) -> None:
    """As NOVA does: else the two would not read the same."""
    prepared = prepare(tiny, voices)
    model = equip(ARMS["gpt2"], prepared, 1)[0]().eval()
    split = prepared.test
    short = [int(n) for n in np.flatnonzero(split.lengths < 30)[:2]]
    assert len(short) == 2
    first, second = (int(split.lengths[n]) for n in short)
    packed, alone = (prepared.collator(split, targets=False)(rows) for rows in ([short], [short[1:]]))
    with torch.no_grad():
        behind = model(**packed).logits[0, first : first + second]
        by_itself = model(**alone).logits[0, :second]
    assert torch.allclose(behind, by_itself, atol=1e-5)


def test_arms_that_are_none_are_refused(tiny: TribalPreset) -> None:
    assert check_arms(["gpt2"], tiny) == ("nova", "gpt2")
    assert check_arms(["shuffled", "gpt2", "gpt2"], tiny) == ("nova", "gpt2", "shuffled")
    with pytest.raises(SettingsError, match="no arm 'gtp2'"):
        check_arms(["gtp2"], tiny)
    with pytest.raises(SettingsError, match="residual already"):
        check_arms(["residual"], tiny)
