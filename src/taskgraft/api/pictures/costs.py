"""How the cost of a node stands in a picture."""

from taskgraft.space.node_cost import NodeCost

COST_NOTE = "below or beside a node: parameters (P) and MACs per second of audio (M/s) of its blocks, heads not counted"


def cost_lines(cost: NodeCost, *, one_line: bool) -> list[str]:
    """Return parameters and MACs in one line or in two.

    >>> cost_lines(NodeCost(33_233, 1_940_000), one_line=True)
    ['33k parameters · 1.9M MACs/s']
    """
    parameters, macs = short(cost.parameters), short(cost.macs_per_second)
    return [f"{parameters} parameters · {macs} MACs/s"] if one_line else [f"{parameters}", f"{macs}/s"]


def short(number: float) -> str:
    """Return a size in three digits or fewer.

    >>> [short(number) for number in (0, 812, 4_033, 33_233, 1_940_000, 5.6e9)]
    ['0', '812', '4.0k', '33k', '1.9M', '5.6G']
    """
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size * 0.9995:
            scaled = number / size
            return f"{scaled:.1f}{unit}" if scaled < 9.95 else f"{scaled:.0f}{unit}"
    return f"{number:.0f}"
