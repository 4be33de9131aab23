"""Templates of users' own encoders."""

from functools import lru_cache

from taskgraft.space.front_ends import PRESETS
from taskgraft.space.heads import AttentionHead, GruHead, Head, MeanHead
from taskgraft.space.imported import ImportedEncoder
from taskgraft.space.tasks import Answer
from taskgraft.space.template import Block, Template


@lru_cache(64)
def imported_template(encoder: ImportedEncoder) -> Template:
    """Return the template of a user's encoder, with the heads of `cnn8`, or linear ones if it has no time axis.

    Raises:
        InvalidInput: no such front end, or blocks that do not fit behind it.
    """
    blocks = tuple(Block((block,)) for block in encoder.blocks)
    has_time = all(block.keeps_time for block in blocks)
    heads: dict[Answer, Head] = {Answer.CLIP: AttentionHead(hidden=32) if has_time else MeanHead()}
    if not encoder.why_no_steps:
        heads[Answer.STEPS] = GruHead(hidden=28)
    return Template(
        name=encoder.place,
        front_end=PRESETS[encoder.front_end],
        blocks=blocks,
        heads=heads,
        summary=f"{len(blocks)} blocks of a user's own",
        imported=encoder,
    )
