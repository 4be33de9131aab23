"""Train, validation and test: read from the manifest or made from a hash, the same on every machine."""

import hashlib
from collections.abc import Sequence
from enum import StrEnum


class Split(StrEnum):
    """What a clip is for: learning, choosing, or the one final reading."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


TRAIN_SHARE = 0.70
HELD_OUT_SHARE = 0.15
"""Share of the groups that validation and test get, each."""


def make_splits(groups: Sequence[str]) -> tuple[Split, ...]:
    """A split for every clip by the hash of its group; a group is never divided, and no split stays empty.

    A group's split depends on its own name alone, so that clips keep theirs when others are added. Only where that
    leaves a split without a group (few groups), the groups are dealt out in the order of their hashes.

    Raises:
        ValueError: fewer than three groups.

    >>> [split.value for split in make_splits(["ann", "ben", "ann", "cleo"])]
    ['train', 'validation', 'train', 'test']
    """
    fractions = {group: _fraction(group) for group in groups}
    if len(fractions) < len(Split):
        raise ValueError(f"three splits need at least 3 groups; got {len(fractions)}")
    chosen = {group: _by_fraction(fraction) for group, fraction in fractions.items()}
    if len(set(chosen.values())) < len(Split):
        chosen = _dealt(sorted(fractions, key=lambda group: (fractions[group], group)))
    return tuple(chosen[group] for group in groups)


def complete_splits(splits: Sequence[Split], groups: Sequence[str]) -> tuple[Split, ...]:
    """Return official splits with those that are missing drawn from the others, by the hash of a clip's group.

    A missing validation is drawn from train, with the share that `make_splits` would give it. A missing test is half
    of the official validation. Train alone is divided by `make_splits`. All other clips stay where they are.

    Raises:
        ValueError: too few groups to draw from.

    >>> train, test = Split.TRAIN, Split.TEST
    >>> [split.value for split in complete_splits([train, train, train, test], ["ann", "ben", "ann", "cleo"])]
    ['train', 'validation', 'train', 'test']
    """
    found = set(splits)
    if found == {Split.TRAIN}:
        return make_splits(groups)
    drawn = {(group, split): split for group, split in zip(groups, splits, strict=True)}
    if Split.VALIDATION not in found:
        _draw(drawn, Split.TRAIN, Split.VALIDATION, HELD_OUT_SHARE / (TRAIN_SHARE + HELD_OUT_SHARE))
    if Split.TEST not in found and Split.VALIDATION in found:
        _draw(drawn, Split.VALIDATION, Split.TEST, 0.5)
    return tuple(drawn[key] for key in zip(groups, splits, strict=True))


def _draw(drawn: dict[tuple[str, Split], Split], source: Split, target: Split, share: float) -> None:
    """Move the groups of ``source`` with the largest fractions to ``target``: at least one, and not all."""
    groups = sorted((_fraction(group), group) for group, split in drawn if split is source)
    if len(groups) < 2:
        raise ValueError(f"drawing {target} from {source} needs at least 2 groups; got {len(groups)}")
    moved = [group for fraction, group in groups if fraction >= 1 - share]
    moved = moved[1:] if len(moved) == len(groups) else moved or [groups[-1][1]]
    drawn.update({(group, source): target for group in moved})


def _fraction(group: str) -> float:
    """A number in [0, 1) that only the group's name decides."""
    digest = hashlib.sha256(group.encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def _by_fraction(fraction: float) -> Split:
    if fraction < TRAIN_SHARE:
        return Split.TRAIN
    return Split.VALIDATION if fraction < TRAIN_SHARE + HELD_OUT_SHARE else Split.TEST


def _dealt(ordered: Sequence[str]) -> dict[str, Split]:
    held_out = max(1, round(HELD_OUT_SHARE * len(ordered)))
    train = len(ordered) - 2 * held_out
    splits = [Split.TRAIN] * train + [Split.VALIDATION] * held_out + [Split.TEST] * held_out
    return dict(zip(ordered, splits, strict=True))
