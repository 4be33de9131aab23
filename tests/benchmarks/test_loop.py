from benchmarks.loop import worker_memory


def test_a_worker_trains_on_simulated_data() -> None:
    assert worker_memory(100) > 2**20
