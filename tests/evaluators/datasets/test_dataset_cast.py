from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.datasets.cast import AGES, DIALECTS, INTENTS, MIN_CLIPS, VARIANTS, WORDS, cast_clips
from taskgraft.evaluators.datasets.splits import Split


@settings(max_examples=25)
@given(st.integers(MIN_CLIPS, 400), st.integers(0, 2**31))
def test_every_plan_can_be_learned_and_measured(clips: int, seed: int) -> None:
    takes = cast_clips(clips, seed)
    assert len(takes) == clips
    train = [take for take in takes if take.split is Split.TRAIN]
    assert {take.word for take in train} == set(WORDS)
    assert {take.speaker.dialect for take in train} == set(DIALECTS)
    assert {take.intent for take in train} == set(INTENTS)
    for split in Split:
        kinds = Counter((t.speaker.gender, t.speaker.age_group) for t in takes if t.split is split)
        assert len(kinds) == len(VARIANTS) * len(AGES)
        assert max(kinds.values()) - min(kinds.values()) <= max(kinds.values()) // 2 + 1


@given(st.integers(MIN_CLIPS, 300), st.integers(0, 100))
@settings(max_examples=25)
def test_no_speaker_and_no_voice_is_in_two_splits(clips: int, seed: int) -> None:
    takes = cast_clips(clips, seed)
    names: dict[str, set[Split]] = {}
    voices: dict[tuple[str, int, int], set[Split]] = {}
    for take in takes:
        names.setdefault(take.speaker.name, set()).add(take.split)
        voices.setdefault((take.speaker.voice, take.speaker.pitch, take.speaker.rate), set()).add(take.split)
    assert all(len(splits) == 1 for splits in [*names.values(), *voices.values()])


def test_the_plan_depends_on_the_seed_alone() -> None:
    assert cast_clips(100, 3) == cast_clips(100, 3)
    assert cast_clips(100, 3) != cast_clips(100, 4)


def test_shares_and_words_are_even() -> None:
    takes = cast_clips(3_000, 0)
    assert Counter(take.split for take in takes) == {Split.TRAIN: 1_500, Split.VALIDATION: 750, Split.TEST: 750}
    assert set(Counter(take.word for take in takes).values()) == {300}


def test_splits_get_the_shares_that_were_asked_for() -> None:
    shares = {Split.TRAIN: 0.25, Split.VALIDATION: 0.25, Split.TEST: 0.5}
    takes = cast_clips(800, 0, shares)
    assert Counter(take.split for take in takes) == {Split.TRAIN: 200, Split.VALIDATION: 200, Split.TEST: 400}


def test_a_word_says_nothing_about_its_speaker() -> None:
    takes = cast_clips(3_000, 0)
    together = Counter((take.word, take.speaker.gender) for take in takes)
    assert len(together) == 20
    assert max(together.values()) < 1.4 * min(together.values())


def test_too_few_clips_are_refused() -> None:
    with pytest.raises(InvalidInput, match=f"at least {MIN_CLIPS} clips; got 39"):
        cast_clips(39, 0)
