"""Rounds of pruning of every form, for tests of what is done with them."""

from hypothesis import strategies as st

from taskgraft.search.study.pruning import Pruned, Pruning

KEEPS = st.lists(st.integers(1, 30), max_size=4, unique=True).map(lambda keeps: tuple(sorted(keeps, reverse=True)))
WIDTHS = st.none() | st.sampled_from([0.5, 1.0, 2.17])
SHARES = st.sampled_from([0.0, 0.01, 0.5])


@st.composite
def prunings(draw: st.DrawFn) -> Pruning:
    """Return any round that there can be."""
    form, keeps = draw(st.sampled_from(Pruned)), draw(KEEPS)
    if form is Pruned.CHANNELS:
        return Pruning(form, (draw(st.integers(1, 30)),))
    if form is Pruned.SHARED:
        return Pruning(form, (*keeps, draw(st.integers(1, 30))), draw(WIDTHS), draw(SHARES))
    width = draw(WIDTHS) if keeps else draw(st.sampled_from([0.5, 2.17]))
    return Pruning(form, keeps, width, draw(SHARES) if keeps else 0.0)
