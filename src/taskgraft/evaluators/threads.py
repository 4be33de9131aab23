"""How many threads torch computes with."""

import torch


def use_one_thread() -> None:
    """Let torch compute on one thread in this process.

    Two one-thread workers train twice as fast as one worker with two threads, and threads that wait for each other on a
    busy machine make the small tensors of this project many times slower.
    """
    torch.set_num_threads(1)
