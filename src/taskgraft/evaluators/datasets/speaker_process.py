"""A process that speaks: JSON requests on standard input, PCM on standard output.

Run as a script by ``synthesizer.py`` and never imported: espeak-ng is GPL-3 software, and stays in a process of its
own. It needs the standard library and ``espeakng_loader`` only. The answers are

- once, at the start: the sample rate in hertz, a little-endian 32-bit integer;
- for each request (one line, ``{"text", "voice", "rate", "pitch", "range"}``): the number of bytes, as above, and the
  utterance as signed little-endian 16-bit samples.

What goes wrong is said on standard error, and ends the process with status 1.
"""

import ctypes
import json
import os
import struct
import sys
from typing import Any

import espeakng_loader

# speak_lib.h of espeak-ng 1.52
_AUDIO_OUTPUT_SYNCHRONOUS = 2
_INITIALIZE_DONT_EXIT = 0x8000
_CHARS_UTF8 = 1
_POS_CHARACTER = 1
_PARAMETERS = {"rate": 1, "pitch": 3, "range": 4}
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
_RANDOM_SEED = 1


class _Voice:
    """The library, loaded once; utterances come out complete."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        self._samples = bytearray()
        self._callback = _CALLBACK(self._receive)  # kept here: the library holds no reference that Python can see
        data = espeakng_loader.get_data_path().encode()
        self.sample_rate = self._library.espeak_Initialize(_AUDIO_OUTPUT_SYNCHRONOUS, 0, data, _INITIALIZE_DONT_EXIT)
        if self.sample_rate <= 0:
            raise RuntimeError(f"espeak-ng does not start with its data in {data.decode()}")
        self._library.espeak_SetSynthCallback(self._callback)
        self._library.espeak_ng_SetRandSeed(ctypes.c_long(_RANDOM_SEED))

    def _receive(self, samples: int | None, count: int, _events: int | None) -> int:
        if samples and count > 0:
            self._samples += ctypes.string_at(samples, 2 * count)
        return 0

    def say(self, request: dict[str, Any]) -> bytes:
        if self._library.espeak_SetVoiceByName(request["voice"].encode()):
            raise RuntimeError(f"espeak-ng has no voice {request['voice']!r}")
        for name, parameter in _PARAMETERS.items():
            self._library.espeak_SetParameter(parameter, int(request[name]), 0)
        self._samples.clear()
        text = request["text"].encode()
        size, start, end = ctypes.c_size_t(len(text) + 1), ctypes.c_uint(0), ctypes.c_uint(0)
        if self._library.espeak_Synth(text, size, start, _POS_CHARACTER, end, _CHARS_UTF8, None, None):
            raise RuntimeError(f"espeak-ng cannot say {request['text']!r}")
        self._library.espeak_Synchronize()
        return bytes(self._samples)


def main() -> None:
    """Answer requests until standard input ends."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what the library may print must not get between the answers
    voice = _Voice()
    answers.write(struct.pack("<i", voice.sample_rate))
    answers.flush()
    for line in sys.stdin.buffer:
        samples = voice.say(json.loads(line))
        answers.write(struct.pack("<i", len(samples)) + samples)
        answers.flush()


if __name__ == "__main__":
    main()
