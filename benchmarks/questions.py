"""How many trainings a study takes, by strategy and number of tasks, in simulated studies without noise.

`python -m benchmarks.questions` prints the table of docs/search.md, and with `--svg` draws it. The worlds are those of
`benchmarks.worlds`.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from matplotlib.figure import Figure

from benchmarks.worlds import DEPTHS, WORLDS, World, encoder_parameters, settle, simulated_spec
from taskgraft.space.tree import BranchTree

_SIZES = (4, 8, 12, 20, 32, 64)


def study(world: World, strategy: str) -> tuple[int, BranchTree]:
    """Return how many trainings a study takes, and the tree that it settles on."""
    trained, tree = settle(simulated_spec(world.tasks, strategy), world.measure)
    return len(trained), tree


def sweep(tasks: int) -> int:
    """Return the number of trainings of the published sweep: baselines, and every pair at every depth."""
    return tasks + tasks * (tasks - 1) // 2 * len(DEPTHS)


def draw(path: Path, sizes: Sequence[int], counts: dict[str, list[int]]) -> None:
    """Draw trainings by number of tasks, both logarithmic."""
    figure = Figure(figsize=(7, 5), layout="constrained")
    axes = figure.subplots()
    axes.loglog(sizes, [sweep(tasks) for tasks in sizes], "k--", label="published sweep")
    for name, trainings in counts.items():
        axes.loglog(sizes, trainings, marker="o", label=name)
    axes.set(xlabel="tasks", ylabel="trainings", title="Trainings of a study, strategy groups (simulated, no noise)")
    axes.set_xticks(sizes, [str(tasks) for tasks in sizes], minor=False)
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.questions", description=__doc__)
    parser.add_argument("--svg", type=Path, help="draw the growth into this file")
    parser.add_argument("--adaptive-up-to", type=int, default=20, help="largest set for strategy adaptive (default 20)")
    parser.add_argument("--up-to", type=int, default=_SIZES[-1], help="largest set (default %(default)s)")
    options = parser.parse_args()
    sizes = [tasks for tasks in _SIZES if tasks <= options.up_to]
    counts: dict[str, list[int]] = {name: [] for name in WORLDS}
    print("| world | tasks | sweep | adaptive | groups, unordered | groups | of the sweep | size, groups / adaptive |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, make in WORLDS.items():
        for tasks in sizes:
            world = make(tasks)
            count, _ = study(world, "groups")
            ordered, tree = study(replace(world, with_affinities=True), "groups")
            counts[name].append(ordered)
            asked, ratio = "", ""
            if tasks <= options.adaptive_up_to:
                pairs, other = study(world, "adaptive")
                asked, ratio = str(pairs), f"{encoder_parameters(tree) / encoder_parameters(other):.2f}"
            share = f"{ordered / sweep(tasks):.1%}"
            print(
                f"| {name} | {tasks} | {sweep(tasks)} | {asked} | {count} | {ordered} | {share} | {ratio} |", flush=True
            )
    if options.svg:
        draw(options.svg, sizes, counts)


if __name__ == "__main__":
    main()
