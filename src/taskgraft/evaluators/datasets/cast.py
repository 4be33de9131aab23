"""Who says what in the demo corpus: speakers, each in one split, and their words."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.datasets.splits import Split

INTENTS = {
    "answer": ("yes", "no"),
    "direction": ("up", "down", "left", "right"),
    "switch": ("on", "off"),
    "motion": ("stop", "go"),
}
WORDS = tuple(word for words in INTENTS.values() for word in words)
DIALECTS = {
    "american": "en-us",
    "british": "en-gb-x-rp",
    "caribbean": "en-029",
    "lancastrian": "en-gb-x-gbclan",
    "scottish": "en-gb-scotland",
}
VARIANTS = {
    "female": ("f1", "f2", "f3", "f4", "f5", "linda", "belinda", "steph", "aunty", "Alicia", "Annie"),
    "male": ("m1", "m2", "m3", "m4", "m5", "m6", "m7", "adam", "alex", "boris", "david", "max", "travis", "victor"),
}
MIN_CLIPS = 40
Shares = Mapping[Split, float]
"""Share of the clips that each split gets; they sum to 1."""
SHARES: Shares = MappingProxyType({Split.TRAIN: 0.5, Split.VALIDATION: 0.25, Split.TEST: 0.25})
_CLIPS_PER_SPEAKER = 6


@dataclass(frozen=True, slots=True)
class Age:
    """How an age sounds: bounds of what a speaker of that age is drawn from; neighbours overlap a little."""

    pitch: tuple[int, int]
    rate: tuple[int, int]
    """Words per minute."""
    tract: tuple[float, float]
    """All frequencies, formants too, are multiplied by this: a shorter vocal tract sounds higher."""
    tremor: tuple[float, float]
    """Depth of a slow shake of pitch and loudness, a fraction."""
    breath: tuple[float, float]
    """Level of aspiration noise under the voice, a fraction of the voice's level."""


AGES = {
    "adult": Age(pitch=(42, 56), rate=(150, 185), tract=(0.97, 1.04), tremor=(0.0, 0.01), breath=(0.0, 0.04)),
    "senior": Age(pitch=(28, 50), rate=(120, 160), tract=(0.88, 0.95), tremor=(0.02, 0.045), breath=(0.07, 0.16)),
    "young": Age(pitch=(56, 75), rate=(170, 220), tract=(1.07, 1.18), tremor=(0.0, 0.01), breath=(0.0, 0.04)),
}


@dataclass(frozen=True, slots=True)
class Speaker:
    """One invented person."""

    name: str
    gender: str
    age_group: str
    dialect: str
    variant: str
    pitch: int
    rate: int
    range: int
    tract: float
    tremor: float
    breath: float

    @property
    def voice(self) -> str:
        """The synthesizer's name of the voice."""
        return f"{DIALECTS[self.dialect]}+{self.variant}"


@dataclass(frozen=True, slots=True)
class Take:
    """One clip to be made."""

    speaker: Speaker
    split: Split
    word: str

    @property
    def intent(self) -> str:
        """What the word is about."""
        return next(intent for intent, words in INTENTS.items() if self.word in words)


def cast_clips(clips: int, seed: int, shares: Shares = SHARES) -> tuple[Take, ...]:
    """Plan a corpus: every gender and age in every split, every word and dialect in train, no speaker in two splits.

    Raises:
        InvalidInput: fewer than `MIN_CLIPS` clips, too few for that.
    """
    if clips < MIN_CLIPS:
        raise InvalidInput.at("clips", f"the demo corpus has at least {MIN_CLIPS} clips; got {clips}")
    random = np.random.default_rng([seed, 0])
    speakers = _speakers(random)
    takes: list[Take] = []
    for split, share in shares.items():
        size = round(share * clips) if split is not Split.TEST else clips - len(takes)
        people = [next(speakers) for _ in range(_speaker_count(size))]
        words = random.permutation([WORDS[place % len(WORDS)] for place in range(size)])
        takes += [Take(people[place % len(people)], split, str(word)) for place, word in enumerate(words)]
    return tuple(takes)


def _speaker_count(clips: int) -> int:
    """Return a multiple of the kinds of people, so that each kind speaks equally often."""
    kinds = len(VARIANTS) * len(AGES)
    return kinds * max(1, clips // (_CLIPS_PER_SPEAKER * kinds))


def _speakers(random: np.random.Generator) -> Iterator[Speaker]:
    """Yield speakers without end, no two alike; gender, age and dialect take turns, independently of each other."""
    known: set[tuple[str, str, int, int]] = set()
    genders, ages, dialects = sorted(VARIANTS), sorted(AGES), sorted(DIALECTS)
    while True:
        place = len(known)
        gender, age_group = genders[place % 2], ages[place // 2 % 3]
        speaker = _draw(f"speaker-{place:04}", gender, age_group, dialects[place % 5], random)
        if (key := (speaker.variant, speaker.dialect, speaker.pitch, speaker.rate)) not in known:
            known.add(key)
            yield speaker


def _draw(name: str, gender: str, age_group: str, dialect: str, random: np.random.Generator) -> Speaker:
    age = AGES[age_group]
    return Speaker(
        name=name,
        gender=gender,
        age_group=age_group,
        dialect=dialect,
        variant=str(random.choice(VARIANTS[gender])),
        pitch=int(random.integers(*age.pitch, endpoint=True)),
        rate=int(random.integers(*age.rate, endpoint=True)),
        range=int(random.integers(30, 70)),
        tract=float(random.uniform(*age.tract)),
        tremor=float(random.uniform(*age.tremor)),
        breath=float(random.uniform(*age.breath)),
    )
