"""The speech synthesizer: a process of its own, asked through pipes."""

import importlib.util
import json
import os
import selectors
import struct
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from taskgraft.errors import Unavailable

_SCRIPT = Path(__file__).with_name("speaker_process.py")
_TIMEOUT_SECONDS = 60
_MAX_ANSWER_BYTES = 16 * 2**20


@dataclass(frozen=True, slots=True)
class Utterance:
    """What to say and how, in the units of espeak-ng."""

    text: str
    voice: str
    """A language and a variant, ``en-us+f3``."""
    rate: int
    """Words per minute, 80 to 450."""
    pitch: int
    """Base pitch, 0 to 100."""
    range: int
    """Liveliness of the pitch, 0 (monotone) to 100."""


class Synthesizer:
    """Speaks while the ``with`` block lasts; the same utterances in the same order always sound the same.

    Raises:
        Unavailable: espeakng_loader is not installed; the process does not start, ends, or does not answer.
    """

    sample_rate: int
    """Hertz; known inside the ``with`` block."""

    def __enter__(self) -> Self:
        if importlib.util.find_spec("espeakng_loader") is None:
            raise Unavailable("synthetic speech needs espeak-ng: pip install 'taskgraft[demo]'")
        self._errors = tempfile.TemporaryFile()
        command = [sys.executable, "-P", str(_SCRIPT)]
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own script, no shell
                command, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors
            )
        except OSError as error:
            self._errors.close()
            raise Unavailable(f"the speech synthesizer does not start: {error}") from error
        try:
            self.sample_rate = self._read_number()
        except Unavailable:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._close()

    def say(self, utterance: Utterance) -> NDArray[np.float32]:
        """Speak; float32 in [-1, 1), shape [samples] at ``sample_rate``.

        Raises:
            Unavailable: the process ends or does not answer.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(asdict(utterance)).encode() + b"\n")
        except OSError as error:
            raise self._failure() from error
        samples = np.frombuffer(self._read(self._read_number()), "<i2").astype(np.float32)
        return np.divide(samples, np.float32(32768))

    def _read_number(self) -> int:
        (number,) = struct.unpack("<i", self._read(4))
        if not 0 <= number <= _MAX_ANSWER_BYTES:
            raise Unavailable(f"the speech synthesizer answers out of turn: {number}")
        return int(number)

    def _read(self, size: int) -> bytes:
        assert self._process.stdout is not None
        received = bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while len(received) < size:
                is_ready = selector.select(_TIMEOUT_SECONDS)
                if not is_ready or not (chunk := os.read(self._process.stdout.fileno(), size - len(received))):
                    raise self._failure()
                received += chunk
        return bytes(received)

    def _failure(self) -> Unavailable:
        """What the process said last, once it is gone."""
        self._stop()
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip().splitlines()
        return Unavailable(f"the speech synthesizer ended (status {self._process.returncode}): {''.join(said[-1:])}")

    def _stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def _close(self) -> None:
        self._stop()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            if stream is not None:
                stream.close()
