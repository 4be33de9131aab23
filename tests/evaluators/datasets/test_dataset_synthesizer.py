import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from taskgraft.errors import Unavailable
from taskgraft.evaluators.datasets.cast import DIALECTS, VARIANTS
from taskgraft.evaluators.datasets.synthesizer import Synthesizer, Utterance

from .corpora import needs_synthesizer

YES = Utterance("yes", "en-us+m3", 170, 50, 50)


@needs_synthesizer
def test_it_speaks_the_same_in_every_process() -> None:
    heard = []
    for _ in range(2):
        with Synthesizer() as synthesizer:
            assert synthesizer.sample_rate == 22_050
            heard.append([synthesizer.say(YES), synthesizer.say(replace(YES, text="stop", voice="en-029+f2"))])
    for first, second in zip(*heard, strict=True):
        np.testing.assert_array_equal(first, second)
        assert first.dtype == np.float32
        assert 0.15 < len(first) / 22_050 < 1.0
        assert 0.05 < np.abs(first).max() <= 1.0
    assert not np.array_equal(heard[0][0], heard[0][1])


@needs_synthesizer
def test_all_voices_of_the_cast_exist() -> None:
    with Synthesizer() as synthesizer:
        default = synthesizer.say(replace(YES, voice="en-us"))
        for variant in [*VARIANTS["female"], *VARIANTS["male"]]:
            assert not np.array_equal(synthesizer.say(replace(YES, voice=f"en-us+{variant}")), default), variant
        for language in DIALECTS.values():
            assert len(synthesizer.say(replace(YES, voice=f"{language}+f1")))


@needs_synthesizer
def test_rate_is_obeyed() -> None:
    with Synthesizer() as synthesizer:
        slow, fast = (len(synthesizer.say(replace(YES, rate=rate))) for rate in (110, 220))
    assert slow > 1.3 * fast


@needs_synthesizer
def test_a_process_that_ends_is_unavailable_with_its_last_words() -> None:
    with Synthesizer() as synthesizer:
        with pytest.raises(Unavailable, match=r"status -?\d+.*no voice 'no-such-language'"):
            synthesizer.say(replace(YES, voice="no-such-language"))
        with pytest.raises(Unavailable, match="ended"):
            synthesizer.say(YES)


def test_without_the_extra_the_message_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(Unavailable, match=r"pip install 'taskgraft\[demo\]'"), Synthesizer():
        pass


@needs_synthesizer
def test_an_interpreter_that_does_not_start_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(Unavailable, match="does not start"), Synthesizer():
        pass


@needs_synthesizer
def test_the_library_stays_out_of_the_process_that_asks() -> None:
    code = (
        "import sys\n"
        "from taskgraft.evaluators.datasets.synthesizer import Synthesizer, Utterance\n"
        "with Synthesizer() as synthesizer:\n"
        "    synthesizer.say(Utterance('yes', 'en-us+m3', 170, 50, 50))\n"
        "print([name for name in sys.modules if 'espeak' in name or 'speaker_process' in name])"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    asked = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment)
    assert asked.stdout.strip() == "[]"
