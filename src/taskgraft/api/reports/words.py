"""The sentence that opens a report, and how figures are written in it."""

from collections.abc import Mapping
from typing import Any

from taskgraft.search.evidence.verdict import percent_up
from taskgraft.search.study.result import FinalVerdict
from taskgraft.space.pictures.costs import short


def percent(fraction: float | None, digits: int = 1) -> str:
    r"""Return a fraction in percent, whose sign stays on the line of its figure; a dash if there is none.

    >>> percent(0.0331), percent(None)
    ('3.3\xa0%', '-')
    """
    return "-" if fraction is None else f"{100 * fraction:.{digits}f}\N{NO-BREAK SPACE}%"


def headline(study: Mapping[str, Any]) -> str:
    """Return what came out of a study in one or two sentences."""
    result = study["result"]
    if study["comparison"]:
        return f"Comparison with {len(study['comparison']['systems'])} systems: {study['state']}."
    if not result:
        return f"{study['state'].capitalize()}: {study['reason'] or 'there is no result yet'}."
    tasks, parameters, alone = len(study["spec"]["tasks"]), result["parameters"], result["independent_parameters"]
    saved = f"{100 * (1 - parameters / alone):.0f}\N{NO-BREAK SPACE}% saved; " if alone else ""
    low, high = result["ar_interval"]
    return (
        f"{parameters:,} parameters answer {tasks} question{'' if tasks == 1 else 's'} instead of {alone:,} "
        f"({saved}{short(result['macs_per_second'])} MACs per second of audio). "
        f"The worst task loses {percent(result['ar'])} on test (95 % interval: {percent(low)} to {percent(high)}); "
        f"you accept {percent(study['spec']['ar_threshold'])}."
    )


def verdict(study: Mapping[str, Any]) -> str:
    """Return the verdict with what follows from it; empty if there is none."""
    result = study["result"]
    if not result:
        return ""
    words = FinalVerdict(result["verdict"]).words
    if result["verdict"] == "verified" or result["verified_for"] is None:
        return words
    return f"{words}; verified for a reduction of at most {percent_up(result['verified_for'])}"
