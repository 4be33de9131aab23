"""Small copies of published corpora: their files as they are unpacked, with tones for recordings."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import soundfile

from taskgraft.evaluators.datasets.manifest import Corpus

from ..corpora import write_lines, write_tone

SPEAKERS = ("0a7c2a8d", "1b4c9b89", "2c6d3924", "3d53244b")
WORDS = ("yes", "no")


def speech_commands(root: Path) -> Path:
    """Four speakers of two words: the third speaks for validation, the fourth for the test."""
    for word in WORDS:
        for speaker in SPEAKERS:
            write_tone(root / word / f"{speaker}_nohash_0.wav")
    write_tone(root / "_background_noise_" / "pink_noise.wav")
    write_lines(root / "validation_list.txt", *(f"{word}/{SPEAKERS[2]}_nohash_0.wav" for word in WORDS))
    write_lines(root / "testing_list.txt", *(f"{word}/{SPEAKERS[3]}_nohash_0.wav" for word in WORDS))
    write_lines(root / "README.md", "## Speech Commands Data Set v0.02")
    return root


VOICE_HEADER = (
    "client_id\tpath\tsentence_id\tsentence\tsentence_domain\tup_votes\tdown_votes\tage\tgender\taccents\tvariant"
    "\tlocale\tsegment"
)
VOICES = (("teens", "male_masculine"), ("fourties", "female_feminine"), ("sixties", "male"), ("", ""))


def voice_row(clip: str, speaker: str, age: str, gender: str, sentence: str = 'He said "no') -> str:
    return f"{speaker}\t{clip}\tab12\t{sentence}\t\t2\t0\t{age}\t{gender}\tEngland English\t\ten\t"


def common_voice(root: Path) -> Path:
    """Each split has four speakers of its own, one of whom says nothing of age and gender."""
    rows: dict[str, list[str]] = {}
    for name in ("train", "dev", "test"):
        for place, (age, gender) in enumerate(VOICES):
            clip = f"common_voice_en_{name}{place}.mp3"
            write_mp3(root / "clips" / clip)
            rows.setdefault(name, []).append(voice_row(clip, f"{name}-speaker-{place}", age, gender))
        write_lines(root / f"{name}.tsv", VOICE_HEADER, *rows[name])
    write_lines(root / "validated.tsv", VOICE_HEADER, *(row for found in rows.values() for row in found))
    write_lines(root / "reported.tsv", "sentence_id\tsentence\tlocale\treason")
    return root


def write_mp3(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    tone = 0.5 * np.sin(2 * np.pi * 440.0 * np.arange(3_200) / 32_000)
    soundfile.write(path, tone, 32_000, format="MP3")
    return path


PLACES = tuple(f"{city}-{number}" for city in ("lisbon", "lyon") for number in (1000, 1001, 1002))


def tau_urban(root: Path) -> Path:
    """Two scenes at six places, the last two of which are for the test; one clip is in no list."""
    meta, lists = [], dict[str, list[str]]()
    for place in PLACES:
        for scene in ("bus", "park"):
            for device in ("a", "s1"):
                name = f"audio/{scene}-{place}-0-{device}.wav"
                write_tone(root / name)
                meta.append(f"{name}\t{scene}\t{place}\t{device}")
                lists.setdefault("evaluate" if place in PLACES[4:] else "train", []).append(f"{name}\t{scene}")
    write_tone(root / "audio/bus-oslo-7-0-s6.wav")
    meta.append("audio/bus-oslo-7-0-s6.wav\tbus\toslo-7\ts6")
    write_lines(root / "meta.csv", "filename\tscene_label\tidentifier\tsource_label", *meta)
    setup = root / "evaluation_setup"
    for name, rows in lists.items():
        write_lines(setup / f"fold1_{name}.csv", "filename\tscene_label", *rows)
    write_lines(setup / "fold1_test.csv", "filename", *(row.split("\t")[0] for row in lists["evaluate"]))
    return root


STRONG = "filename\tonset\toffset\tevent_label"
VIDEO = "Y00pbt6aJV8{}_350.000_360.000.wav"
DESED_LISTS: Mapping[str, tuple[str, Sequence[str]]] = {
    "train/weak": ("filename\tevent_labels", (f"{VIDEO.format('A')}\tDog", f"{VIDEO.format('B')}\tSpeech,Dog")),
    "train/unlabel_in_domain": ("filename", (VIDEO.format("C"),)),
    "train/synthetic21_train/soundscapes": (
        STRONG,
        ("1.wav\t0.010\t0.050\tDog", "1.wav\t0.030\t0.080\tDog", "1.wav\t0.0\t0.1\tSpeech", "2.wav\t\t\t"),
    ),
    "validation/validation": (
        STRONG,
        (f"{VIDEO.format('D')}\t0.000\t10.000\tSpeech", f"{VIDEO.format('E')}\t0\t.1\tDog"),
    ),
    "eval/public": (STRONG, ("1Ro0FgMWTUE_120_130.wav\t0.0\t0.1\tDog", "1Ro0FgMWTUE_120_130.wav\t0.0\t0.1\tSpeech")),
}


def desed(root: Path) -> Path:
    """Weak, unlabelled and synthetic clips for training, recordings for validation and the test."""
    for name, (header, rows) in DESED_LISTS.items():
        write_lines(root / f"dataset/metadata/{name}.tsv", header, *rows)
        for row in rows:
            write_tone(root / "dataset/audio" / name / row.split("\t")[0])
    recorded = DESED_LISTS["validation/validation"]
    write_lines(root / "dataset/metadata/validation/eval_dcase2018.tsv", recorded[0], recorded[1][0])
    return root


TURNS = ("ang", "hap", "exc", "sad", "neu", "xxx")


def turn_line(turn: str, emotion: str) -> str:
    return f"[6.2901 - 8.2357]\t{turn}\t{emotion}\t[2.5000, 2.5000, 2.5000]"


def iemocap(root: Path) -> Path:
    """Five sessions of one dialogue, in which a woman and a man take turns."""
    for session in range(1, 6):
        dialogue = f"Ses0{session}F_impro01"
        lines = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]"]
        for place, emotion in enumerate(TURNS):
            turn = f"{dialogue}_{'FM'[place % 2]}{place:03}"
            write_tone(root / f"Session{session}/sentences/wav" / dialogue / f"{turn}.wav")
            lines += ["", turn_line(turn, emotion), "C-E2:\tNeutral;\t()", "A-E3:\tval 3; act 2; dom  2;\t()"]
        write_lines(root / f"Session{session}/dialog/EmoEvaluation/{dialogue}.txt", *lines)
        write_tone(root / f"Session{session}/dialog/wav/{dialogue}.wav")
        write_lines(root / f"Session{session}/dialog/EmoEvaluation/Categorical/{dialogue}_e1_cat.txt", "x :Neutral; ()")
    return root


COPIES: Mapping[str, Callable[[Path], Path]] = {
    "speech-commands": speech_commands,
    "common-voice": common_voice,
    "tau-urban": tau_urban,
    "desed": desed,
    "iemocap": iemocap,
}


def column(corpus: Corpus, name: str) -> dict[str, str]:
    """Path -> label."""
    return dict(zip(corpus.paths, corpus.labels[name], strict=True))


def splits(corpus: Corpus) -> dict[str, str]:
    """Path -> split."""
    return {path: split.value for path, split in zip(corpus.paths, corpus.splits, strict=True)}


def groups(corpus: Corpus) -> dict[str, str]:
    """Path -> group."""
    assert corpus.groups is not None
    return dict(zip(corpus.paths, corpus.groups, strict=True))


def append(path: Path, *lines: str) -> int:
    """Append lines to a list; returns the number of the first."""
    text = path.read_text(encoding="utf-8")
    path.write_text(text + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    return text.count("\n") + 1
