from pathlib import Path

import pytest

from taskgraft.evaluators.datasets.audio import probe
from taskgraft.evaluators.datasets.check import check_manifest, check_tables
from taskgraft.evaluators.datasets.manifest import read_corpus
from taskgraft.evaluators.datasets.published.common_voice import AGE_GROUPS, GENDERS

from ..corpora import faults_of, found, write_lines
from .copies import VOICE_HEADER, append, column, common_voice, groups, splits, voice_row, write_mp3


def clip(name: str) -> str:
    return f"clips/common_voice_en_{name}.mp3"


def test_official_lists_are_the_splits(tmp_path: Path) -> None:
    corpus = read_corpus(common_voice(tmp_path))
    assert set(corpus.labels) == {"gender", "age_group"}
    assert splits(corpus)[clip("dev0")] == "validation"
    assert splits(corpus)[clip("test3")] == "test"
    assert groups(corpus)[clip("train1")] == "train-speaker-1"
    assert corpus.layout.tables == ("train.tsv", "dev.tsv", "test.tsv")


def test_ages_and_genders_of_all_releases(tmp_path: Path) -> None:
    corpus = read_corpus(common_voice(tmp_path))
    genders, ages = column(corpus, "gender"), column(corpus, "age_group")
    labels = [(genders[clip(f"train{place}")], ages[clip(f"train{place}")]) for place in range(4)]
    assert labels == [("male", "below-30"), ("female", "30-60"), ("male", "above-60"), ("", "")]
    assert set(AGE_GROUPS.values()) == {"below-30", "30-60", "above-60"}
    assert AGE_GROUPS["forties"] == AGE_GROUPS["fourties"]
    assert set(GENDERS.values()) == {"male", "female"}


@pytest.mark.parametrize("word", ["other", "non-binary", "transgender", "do_not_wish_to_say", ""])
def test_another_gender_is_a_missing_label(tmp_path: Path, word: str) -> None:
    root = common_voice(tmp_path)
    write_mp3(root / clip("more"))
    append(root / "train.tsv", voice_row("common_voice_en_more.mp3", "new", "twenties", word))
    report = check_tables(root)
    assert report.ok
    assert column(read_corpus(root), "gender")[clip("more")] == ""
    assert set(report.labels["gender"].counts) == {"train", "validation", "test"}
    assert all(set(counts) == {"male", "female"} for counts in report.labels["gender"].counts.values())


def test_an_age_that_is_no_known_decade_is_missing_and_told(tmp_path: Path) -> None:
    root = common_voice(tmp_path)
    write_mp3(root / clip("more"))
    append(root / "train.tsv", voice_row("common_voice_en_more.mp3", "new", "hundreds", "female"))
    report = check_tables(root)
    assert report.ok
    assert "clips whose age is no known decade ('hundreds') have no age_group: 1" in report.warnings
    assert column(read_corpus(root), "age_group")[clip("more")] == ""


def test_without_official_lists_speakers_are_divided(tmp_path: Path) -> None:
    root = common_voice(tmp_path)
    for name in ("train.tsv", "dev.tsv", "test.tsv"):
        (root / name).unlink()
    corpus = read_corpus(root)
    assert corpus.layout.tables == ("validated.tsv",)
    assert len(corpus) == 12
    assert set(splits(corpus).values()) == {"train", "validation", "test"}


def test_a_validation_that_is_missing_is_drawn_from_the_speakers_of_train(tmp_path: Path) -> None:
    root = common_voice(tmp_path)
    before = splits(read_corpus(root))
    (root / "dev.tsv").unlink()
    after = splits(read_corpus(root))
    assert sorted(after.values()).count("validation") == 1
    assert [path for path in after if after[path] == "test"] == [path for path in before if before[path] == "test"]


def test_faults_name_the_list_and_its_line(tmp_path: Path) -> None:
    root = common_voice(tmp_path)
    line = append(
        root / "dev.tsv",
        voice_row("common_voice_en_away.mp3", "ann", "", ""),
        "only\tthree\tcells",
        voice_row("../../secret.mp3", "ann", "", ""),
    )
    faults = faults_of(lambda: read_corpus(root))
    assert len(faults) == 3
    assert found(faults, f"dev.tsv:{line}", "'clips/common_voice_en_away.mp3' is not below")
    assert found(faults, f"dev.tsv:{line + 1}", "a row has 13 fields, as the header has; got 3")
    assert found(faults, f"dev.tsv:{line + 2}", "stays inside")


def test_a_missing_column_of_each_list_is_told(tmp_path: Path) -> None:
    root = common_voice(tmp_path)
    for name in ("train.tsv", "test.tsv"):
        write_lines(root / name, VOICE_HEADER.replace("client_id", "speaker"))
    faults = check_tables(root).faults
    assert found(faults, "train.tsv:1", "column 'client_id' is missing; there are ['speaker', 'path'")
    assert found(faults, "test.tsv:1", "column 'client_id' is missing")


def test_early_releases_leave_the_ending_out(tmp_path: Path) -> None:
    root = common_voice(tmp_path)
    text = (root / "train.tsv").read_text(encoding="utf-8")
    (root / "train.tsv").write_text(text.replace(".mp3", ""), encoding="utf-8")
    assert clip("train0") in read_corpus(root).paths


def test_mp3_is_read(tmp_path: Path) -> None:
    root = common_voice(tmp_path)
    facts = probe(root / clip("dev1"))
    assert (facts.sample_rate, facts.channels) == (32_000, 1)
    assert facts.seconds == pytest.approx(0.1, abs=0.08)  # an encoder pads to whole frames
    assert check_manifest(root).sample_rates == {32_000: 12}
