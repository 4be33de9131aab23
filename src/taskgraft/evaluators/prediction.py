"""Running a bundle on recordings, with onnxruntime alone.

Notation: ``w`` windows of one clip, ``s`` time steps, ``k`` classes.
"""

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import onnxruntime
from numpy.typing import ArrayLike, NDArray
from pydantic import TypeAdapter, ValidationError

from taskgraft.errors import Fault, InvalidInput
from taskgraft.evaluators.bundle import INPUT, LABELS, ONNX, PREPROCESSING, Preprocessing
from taskgraft.evaluators.datasets.audio import Waveform, read_audio
from taskgraft.evaluators.kinds.registry import KINDS
from taskgraft.evaluators.kinds.steps import Timing
from taskgraft.evaluators.kinds.task_labels import TaskLabels
from taskgraft.evaluators.samples import to_waveform
from taskgraft.evaluators.windows import Windows, cut_windows

Floats = NDArray[np.float32]
Form = TypeVar("Form")

_MAX_BYTES = {PREPROCESSING: 2**20, LABELS: 2**24, ONNX: 2**30}
_BATCH = 16
_QUIET = 4
"""onnxruntime's log level for what ends the process; its errors are raised anyway."""


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """A model that is ready to answer. Made by `load_bundle`."""

    preprocessing: Preprocessing
    tasks: Mapping[str, TaskLabels]
    """In the order of the model's outputs."""
    session: onnxruntime.InferenceSession

    def predict(self, clip: str | Path | ArrayLike, rate: int | None = None) -> dict[str, dict[str, Any]]:
        """Return the answer of every task about a recording of any rate and length.

        ``clip`` is the path of a file, or samples at ``rate`` hertz: shape [samples] or [samples, channels], floating
        point in [-1, 1] or whole numbers as in a WAV file. Channels are averaged.

        For a clip task ``label``, ``probability`` and the ``probabilities`` of all labels; for a frames task its
        ``regions`` (``onset``, ``offset`` in seconds, ``event``) and their ``share`` of the recording; for an events
        task the ``regions`` of all events; for a tags task the ``tags`` that apply and the ``probabilities`` of all;
        for a value task its ``value``. A recording longer than the model's window is read in windows, which answer
        together: by the geometric mean of their probabilities (clip), mean log-odds (tags), or mean (value).

        Raises:
            InvalidInput: the recording can't be read; samples without a rate, or that are not a recording.
        """
        front_end = self.preprocessing.front_end
        waveform = _waveform(clip, rate, front_end.sample_rate)
        frames = np.array([front_end.frames(len(waveform))], np.int32)
        windows = cut_windows(frames, self.preprocessing.crop, self.preprocessing.time_stride)
        stride, step = self.preprocessing.time_stride, self.preprocessing.time_step_seconds
        timing = Timing(windows, stride, step, len(waveform) / front_end.sample_rate)
        return {
            name: KINDS[task.kind].decode(task, answer, timing)
            for (name, task), answer in zip(self.tasks.items(), self._ask(waveform, windows), strict=True)
        }

    def _ask(self, waveform: Waveform, windows: Windows) -> list[Floats]:
        """Return every task's output for each window, [w, k] or [w, s]; silence stands behind the waveform's end."""
        hop, samples = self.preprocessing.front_end.hop, self.preprocessing.samples
        end = int(windows.starts[-1]) * hop + samples
        padded = np.pad(waveform, (0, max(0, end - len(waveform))))
        inputs = np.lib.stride_tricks.sliding_window_view(padded, samples)[windows.starts * hop]  # [w, samples]
        parts = [self.session.run(None, {INPUT: inputs[i : i + _BATCH]}) for i in range(0, len(inputs), _BATCH)]
        return [np.concatenate(outputs) for outputs in zip(*parts, strict=True)]


def _waveform(clip: str | Path | ArrayLike, rate: int | None, sample_rate: int) -> Waveform:
    if isinstance(clip, str | Path):
        if rate is not None:
            raise InvalidInput.at("rate", f"a file says its own rate; leave this out; got {rate!r:.80}")
        return read_audio(Path(clip), sample_rate)
    if rate is None:
        raise InvalidInput.at("rate", "samples need their rate in hertz: predict(samples, rate)")
    return to_waveform(clip, rate, sample_rate)


def load_bundle(path: str | Path) -> Bundle:
    """Open a bundle: its folder, or the zip of it. Nothing is unpacked to the disk.

    Raises:
        InvalidInput: no such bundle; a file that is missing, damaged, too large or does not fit the others, naming it.
    """
    path = Path(path)
    preprocessing = _parse(TypeAdapter(Preprocessing), path, PREPROCESSING)
    tasks = _parse(TypeAdapter(dict[str, TaskLabels]), path, LABELS)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _QUIET
    content = _read(path, ONNX)
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no root of their own
        raise _fault(path, ONNX, f"is no model that onnxruntime can run: {error}") from error
    _check_labels(tasks, path)
    _check(session, preprocessing, tasks, path)
    return Bundle(preprocessing, tasks, session)


def _check_labels(tasks: Mapping[str, TaskLabels], path: Path) -> None:
    for name, task in tasks.items():
        if (fault := KINDS[task.kind].fault(task)) is not None:
            raise _fault(path, LABELS, f"{name}: {fault}")


def _check(
    session: onnxruntime.InferenceSession, preprocessing: Preprocessing, tasks: Mapping[str, TaskLabels], path: Path
) -> None:
    """Check that the model has the inputs and outputs that the other files describe."""
    steps = preprocessing.crop // preprocessing.time_stride
    shapes = [list(KINDS[task.kind].output_shape(task, steps)) for task in tasks.values()]
    inputs = [(one.name, one.shape[1:]) for one in session.get_inputs()]
    outputs = [one.shape[1:] for one in session.get_outputs()]
    if inputs != [(INPUT, [preprocessing.samples])]:
        raise _fault(path, ONNX, f"takes {INPUT!r} of {preprocessing.samples} samples by {PREPROCESSING}; got {inputs}")
    if outputs != shapes:
        raise _fault(path, ONNX, f"gives outputs of shapes {shapes} by {LABELS}; got {outputs}")


def _parse(form: TypeAdapter[Form], path: Path, name: str) -> Form:
    try:
        return form.validate_json(_read(path, name))
    except ValidationError as error:
        faults = [(".".join(map(str, fault["loc"])), fault["msg"]) for fault in error.errors()]
        raise InvalidInput(Fault(f"{path}/{name}", ": ".join(filter(None, fault))) for fault in faults) from error


def _read(path: Path, name: str) -> bytes:
    """Read one file of the bundle, no larger than files of its name may be."""
    try:
        content = _read_member(path, name) if path.is_file() else _read_file(path / name, _MAX_BYTES[name])
    except (FileNotFoundError, KeyError) as error:
        raise _fault(path, name, "is missing" if path.exists() else "is missing: there is no such bundle") from error
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise _fault(path, name, f"cannot be read: {error}") from error
    if len(content) > _MAX_BYTES[name]:
        raise _fault(path, name, f"has at most {_MAX_BYTES[name]:,} bytes; this one has more")
    return content


def _read_file(file: Path, limit: int) -> bytes:
    with file.open("rb") as opened:
        return opened.read(limit + 1)


def _read_member(archive: Path, name: str) -> bytes:
    with zipfile.ZipFile(archive) as opened, opened.open(name) as member:
        return member.read(_MAX_BYTES[name] + 1)


def _fault(path: Path, name: str, message: str) -> InvalidInput:
    return InvalidInput.at(f"{path}/{name}", message)
