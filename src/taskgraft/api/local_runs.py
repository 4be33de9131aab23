"""`taskgraft.run`: a study from Python, on local data."""

# ruff: noqa: PLC0415  # bars are imported only if they are shown
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from taskgraft.api.own_encoders import parse_study
from taskgraft.api.runs import Callback, Observer, Outcome, StudyForm, default_folder, run_study
from taskgraft.api.study_files import read_study
from taskgraft.search.study.machines import THIS_MACHINE, Machines
from taskgraft.search.study.spec import StudySpec


def run(
    study: StudySpec | Mapping[str, Any] | str | Path,
    *,
    out: str | Path | None = None,
    base: str | Path | None = None,
    ar_threshold: float | None = None,
    ray_address: str | None = None,
    cores: int | None = None,
    train_ahead: int = THIS_MACHINE.train_ahead,
    progress: bool | Callable[[StudyForm], object] = True,
) -> Outcome:
    """Run a study in this process and return how it ended.

    Ctrl-C pauses the study; the same call continues it, and trains nothing twice. A study that succeeded in its folder
    before is returned at once. A study that fails is returned, too: see ``state`` and ``reason`` of the outcome.

    Trainings run in worker processes, one on each core. This process exports the model, for which torch is set to one
    thread.

    Args:
        study: the path of a study file, or its content.
        out: the folder for results, made if necessary; ``taskgraft-runs/NAME`` by default. It holds one study.
        base: what the paths of manifests are relative to: by default the folder of the study file, or the working
            directory.
        ar_threshold: another threshold than the study's: its tree takes over what is finished in the folder, and
            trains what is missing.
        ray_address: a Ray cluster; by default a Ray of this run's own on this machine.
        cores: cores of this machine that train; by default all that this process may use.
        train_ahead: how many models may be trained at once on free cores before the study asks for them; 0 for none.
        progress: True for bars on standard error (lines, if that is not a terminal), False for nothing, or a function
            that is given the study as the service shows it about once a second, in a thread of its own.

    Raises:
        InvalidInput: with every fault of the study and its datasets; nothing was made then.
        Conflict: the folder holds another study, or another run is at work in it.
        Unavailable: the folder can't be written, its database fails, or a corpus can't be made.
    """
    spec, beside = _read(study, base)
    folder = default_folder(spec) if out is None else Path(out)
    return run_study(
        spec,
        folder,
        beside,
        Machines(ray_address, cores, train_ahead),
        _observer(progress),
        pause_on=(signal.SIGINT,),
        ar_threshold=ar_threshold,
    )


def _read(study: StudySpec | Mapping[str, Any] | str | Path, base: str | Path | None) -> tuple[StudySpec, Path]:
    """Return the study, and the folder that its manifests are relative to."""
    if isinstance(study, StudySpec | Mapping):
        beside = Path() if base is None else Path(base)
        plain = study.to_plain() if isinstance(study, StudySpec) else study
        return parse_study(plain, beside), beside
    return read_study(Path(study)), Path(study).parent if base is None else Path(base)


def _observer(progress: bool | Callable[[StudyForm], object]) -> Observer:
    if callable(progress):
        return Callback(progress)
    if not progress:
        return Callback(lambda form: None)
    from taskgraft.api.cli.live import Terminal

    return Terminal()
