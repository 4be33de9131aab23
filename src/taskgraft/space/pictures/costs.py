"""How the cost of a node stands in a picture."""

from taskgraft.space.node_cost import NodeCost

COST_NOTE = "below the blocks: their parameters, and their MACs per second of audio; heads are not counted"

_ONE_LINE = 4
"""Blocks below which there is room for one line."""


def cost_lines(cost: NodeCost, blocks: int) -> list[str]:
    """Return parameters and MACs as lines that fit below so many blocks.

    >>> [cost_lines(NodeCost(33_233, 1_940_000), blocks) for blocks in (6, 2, 1)]
    [['33k parameters · 1.9M MACs/s'], ['33k parameters', '1.9M MACs/s'], ['33k', '1.9M/s']]
    """
    parameters, macs = short(cost.parameters), short(cost.macs_per_second)
    if blocks == 1:
        return [parameters, f"{macs}/s"]
    lines = [f"{parameters} parameters", f"{macs} MACs/s"]
    return lines if blocks < _ONE_LINE else [" · ".join(lines)]


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
