"""The database that reads are measured on: the store reads it as if it had written it."""

from pathlib import Path

from benchmarks.filled_store import Filler, make_spec, sweep

from taskgraft.search.evidence.reduction_matrix import reduction_matrix
from taskgraft.search.store import Store, sqlite_url
from taskgraft.search.study.states import State


def test_studies_and_trials_are_read_as_if_they_had_been_recorded(tmp_path: Path) -> None:
    url, spec = sqlite_url(tmp_path / "store.db"), make_spec(3, "large")
    with Store(url) as store:
        filler = Filler(store, url)
        ids = filler.fill(4, 160)
        large = filler.add(spec, sweep(spec))
        filler.close()
        assert [item.id for item in store.summaries.page().items][1:] == ids[::-1]
        for study in ids:
            assert store.get_study(study).state.is_final
            trials = store.ledger(study).trials()
            assert [trial.number for trial in store.trials.page(study).items] == list(range(40))
            assert len({trial.training for trial in trials}) == 40
        assert store.get_study(large).state is State.SUCCEEDED
        matrix = reduction_matrix(spec, store.ledger(large).trials())
        assert len(matrix.to_records()) == 3 * len(spec.depths)
        store.delete_study(large)
        assert store.ledger(ids[0]).trial_count() == 40
