"""The optimisers without torch's compiler, each in a process of its own: what is loaded once stays."""

import subprocess
import sys

import pytest

from taskgraft.evaluators.optimisation.optimisers import OptimiserName

STEPS = """
import hashlib, sys, torch
from taskgraft.evaluators.optimisation.building import build_optimiser
from taskgraft.evaluators.optimisation.eager import without_compiler
from taskgraft.evaluators.optimisation.optimisation import Optimisation
from taskgraft.evaluators.optimisation.optimisers import OptimiserName

def learned(name):
    torch.manual_seed(0)
    model = torch.nn.Linear(5, 3)
    optimiser = build_optimiser(Optimisation(optimiser=OptimiserName(name)), model.parameters())
    for _ in range(3):
        with without_compiler():
            optimiser.zero_grad()
        model(torch.ones(2, 5)).square().sum().backward()
        with without_compiler():
            optimiser.step()
    return hashlib.sha256(model.weight.detach().numpy().tobytes()).hexdigest()

names = sys.argv[1:]
alone = [learned(name) for name in names]
assert "torch._dynamo" not in sys.modules, "it is loaded although nothing is compiled"
with without_compiler():
    assert torch._dynamo.is_compiling() is False, "what else is asked for is there"
assert sys.modules["torch._dynamo"].__file__
assert [learned(name) for name in names] == alone
from torch._dynamo import config  # a part of the true one
"""


@pytest.mark.slow
def test_steps_need_no_compiler_and_are_the_same_beside_it() -> None:
    subprocess.run([sys.executable, "-c", STEPS, *OptimiserName], check=True)
