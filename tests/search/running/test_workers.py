"""What workers take of a machine, and what becomes of a study whose GPU is not there."""

from pathlib import Path

import pytest
import torch

from taskgraft.errors import InvalidInput, Unavailable
from taskgraft.evaluators.study_data import StudyData
from taskgraft.search.running.ray_session import count_gpus, ray_session
from taskgraft.search.running.tuner import run_jobs
from taskgraft.search.running.workers import Workers
from taskgraft.search.study.machines import Machines
from tests.search.running.test_tuner import SCHEDULE, Queue, jobs


@pytest.mark.parametrize(
    ("workers", "cluster", "slots"),
    [
        (Workers(), {"CPU": 4.0}, 4),
        (Workers(), {"CPU": 4.0, "GPU": 1.0}, 4),
        (Workers(), {}, 1),
        (Workers("cuda", 4), {"CPU": 16.0, "GPU": 1.0}, 4),
        (Workers("cuda", 4), {"CPU": 16.0, "GPU": 2.0}, 8),
        (Workers("cuda", 4), {"CPU": 3.0, "GPU": 2.0}, 3),
        (Workers("cuda", 3), {"CPU": 8.0, "GPU": 1.0}, 3),
        (Workers("cuda", 4), {"CPU": 8.0}, 1),
    ],
)
def test_a_training_needs_a_core_and_its_share_of_a_gpu(
    workers: Workers, cluster: dict[str, float], slots: int
) -> None:
    assert workers.slots(cluster) == slots


def test_models_on_one_gpu_slow_each_other_down() -> None:
    assert Workers().share_nothing
    assert Workers("cuda", 1).share_nothing
    assert not Workers("cuda", 2).share_nothing


def test_shares_of_a_gpu_add_up_to_it() -> None:
    assert Workers().resources == {"CPU": 1}
    for models in range(1, 65):
        assert Workers("cuda", models).resources["GPU"] * models == pytest.approx(1)
    with pytest.raises(InvalidInput, match=r"training\.models_per_gpu: 1 or more; got 0"):
        Workers("cuda", 0)


def test_the_gpus_of_this_machine_are_those_that_torch_can_use() -> None:
    assert count_gpus() == torch.cuda.device_count()


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="torch finds a GPU here")
def test_workers_get_shares_of_a_gpu_and_say_if_it_does_not_work(
    beeps_data: StudyData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray is made to believe in a GPU: it gives a share of it to each worker, where torch finds none."""
    monkeypatch.setattr("taskgraft.search.running.ray_session._local_gpus", lambda: 1)
    with (
        ray_session(Machines(cores=2)),
        pytest.raises(Unavailable, match=r"training\.device: cuda is not there; torch .* finds no GPU"),
    ):
        run_jobs(Queue(jobs(1)), beeps_data, SCHEDULE, tmp_path / "tune", Workers("cuda", 4))
