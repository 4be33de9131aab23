"""Options that say where trainings run, the same for every command that trains."""

from typing import Annotated

import typer

from taskgraft.search.study.machines import THIS_MACHINE, Machines

RayAddress = Annotated[str | None, typer.Option(help="A Ray cluster; a local Ray by default.")]
Cores = Annotated[int | None, typer.Option(help="Cores of this machine that train; all by default.")]
TrainAhead = Annotated[
    int | None,
    typer.Option(
        help="Models trained on free cores before they are asked for, at most at once; "
        f"{THIS_MACHINE.train_ahead} by default.",
        min=0,
    ),
]


def given_machines(ray_address: str | None, cores: int | None, train_ahead: int | None) -> Machines:
    """Return the machines that these options name."""
    return Machines(ray_address, cores, THIS_MACHINE.train_ahead if train_ahead is None else train_ahead)
