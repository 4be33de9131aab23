import subprocess
import sys

import pytest
import torch


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.skipif(torch.version.cuda is not None, reason="this torch has CUDA: torchaudio's extension loads")
def test_torchaudio_comes_without_its_extension() -> None:
    code = (
        "from taskgraft.evaluators._torchaudio import torchaudio\n"
        "import torchaudio._extension as extension\n"
        "assert torchaudio.transforms.MelSpectrogram(n_fft=512, n_mels=64) is not None\n"
        "assert not extension._IS_TORCHAUDIO_EXT_AVAILABLE\n"
    )
    finished = run(code)
    assert finished.returncode == 0, finished.stderr
    assert finished.stderr == ""
