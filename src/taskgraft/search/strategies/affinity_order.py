"""In which order tasks are halved: those that agree next to each other."""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.cluster.hierarchy import leaves_list, linkage

from taskgraft.space.matrix import Pair


def by_affinity(tasks: Sequence[str], affinities: Mapping[Pair, float]) -> tuple[str, ...]:
    """Return tasks in the order of the leaves of a dendrogram (average linkage); as they are if a pair is not known.

    ``affinities`` [-1, 1] are of every pair, each in one of its two orders.
    """
    pairs = [(first, second) for place, first in enumerate(tasks) for second in tasks[place + 1 :]]
    known = {**affinities, **{(second, first): value for (first, second), value in affinities.items()}}
    if len(tasks) < 3 or not all(pair in known for pair in pairs):
        return tuple(tasks)
    distances = np.array([1 - known[pair] for pair in pairs]).clip(min=0)
    return tuple(tasks[place] for place in leaves_list(linkage(distances, "average")).tolist())
