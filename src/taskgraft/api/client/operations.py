"""The calls as methods: what `Client` and `AsyncClient` have in common."""

from taskgraft.api.client import calls
from taskgraft.api.client.call import Operation


class Operations:
    """One method for each function of `taskgraft.api.client.calls`; `AsyncClient` awaits them."""

    create_study = Operation(calls.create_study)
    create_tree = Operation(calls.create_tree)
    create_comparison = Operation(calls.create_comparison)
    plan_comparison = Operation(calls.plan_comparison)
    plan = Operation(calls.plan)
    study = Operation(calls.study)
    cancel = Operation(calls.cancel)
    pause = Operation(calls.pause)
    resume = Operation(calls.resume)
    delete = Operation(calls.delete)
    trial = Operation(calls.trial)
    tradeoff = Operation(calls.tradeoff)
    matrix = Operation(calls.matrix)
    matrix_csv = Operation(calls.matrix_csv)
    reduction_matrix = Operation(calls.reduction_matrix)
    tree = Operation(calls.tree)
    tree_svg = Operation(calls.tree_svg)
    artifacts = Operation(calls.artifacts)
    labels = Operation(calls.labels)
    dataset = Operation(calls.dataset)
    register_dataset = Operation(calls.register_dataset)
    delete_dataset = Operation(calls.delete_dataset)
