"""Nash-MTL with a state that can be saved: the weights of the last step, for each node of a tree.

Notation: ``k`` losses of a node, ``p`` its weights.
"""

import warnings

import numpy as np
from torch import Tensor
from torchjd.aggregation import NashMTL

from taskgraft.evaluators.weighting.protocol import State
from taskgraft.space.tree import BranchTree


class Bargains:
    """The bargains of the tasks at every node.

    TorchJD keeps the weights of the last step in an object of one node and number of tasks. Here they are kept apart,
    since the tasks of a step, and so of a node, may change.
    """

    def __init__(self, tree: BranchTree, max_norm: float) -> None:
        self._max_norm = max_norm
        self._tasks = [node.tasks for node in tree.nodes()]
        self._weights = [np.ones(len(tasks)) for tasks in self._tasks]
        self._solvers: dict[int, NashMTL] = {}

    def combine(self, node: int, tasks: tuple[str, ...], gradients: Tensor) -> Tensor:
        """Return the one gradient [p] for those [k, p] of the losses, and keep the weights that it has."""
        places = [self._tasks[node].index(task) for task in tasks]
        if len(tasks) not in self._solvers:
            self._solvers[len(tasks)] = NashMTL(len(tasks), self._max_norm)
        solver = self._solvers[len(tasks)]
        solver.weighting.prvs_alpha = self._weights[node][places]  # type: ignore[assignment]  # as it sets it itself
        with warnings.catch_warnings():  # cvxpy has much to say about a problem that is not ours to state
            warnings.simplefilter("ignore")
            found: Tensor = solver(gradients)
        self._weights[node][places] = solver.weighting.prvs_alpha
        return found

    @property
    def state(self) -> State:
        """The weights of every node that several tasks share."""
        return {str(node): weights.copy() for node, weights in enumerate(self._weights) if len(weights) > 1}

    def restore(self, state: State) -> None:
        """Go on from a state."""
        for node, weights in state.items():
            self._weights[int(node)] = np.array(weights)
