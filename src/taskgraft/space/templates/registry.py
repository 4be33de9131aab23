"""The templates by name. A new one is a file in this folder and a line here."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType

from taskgraft.errors import InvalidInput
from taskgraft.space.front_ends import PRESETS
from taskgraft.space.template import Block, Template
from taskgraft.space.templates.alexnet import alexnet
from taskgraft.space.templates.cnn8 import cnn8
from taskgraft.space.templates.cnn_bilstm import cnn_bilstm
from taskgraft.space.templates.cp_mobile import cp_mobile, cp_mobile_rnn
from taskgraft.space.templates.crnn import cnn, crnn
from taskgraft.space.templates.resnet_deep import resnet_deep
from taskgraft.space.templates.transformer import transformer_s
from taskgraft.space.templates.vgg11 import vgg11, vgg11_bn

Family = Callable[[float], Template]
"""Makes a template whose layers have so many times the channels of the full one."""
_FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        "cnn8": cnn8,
        "cp-mobile": cp_mobile,
        "cp-mobile-rnn": cp_mobile_rnn,
        "cnn": cnn,
        "crnn": crnn,
        "vgg11": vgg11,
        "vgg11-bn": vgg11_bn,
        "alexnet": alexnet,
        "cnn-bilstm": cnn_bilstm,
        "transformer-s": transformer_s,
        "resnet-deep": resnet_deep,
    }
)
TEMPLATES: Mapping[str, Template] = MappingProxyType({name: family(1.0) for name, family in _FAMILIES.items()})
"""All templates at full width."""


@lru_cache(64)
def get_template(name: str, width: float = 1.0, front_end: str | None = None) -> Template:
    """Return the template of that name, with ``width`` (0..1) times its channels, and behind another front end.

    Raises:
        InvalidInput: there is none, and the message lists those there are; another width; no such front end, or one
            that the template can't take.
    """
    if name not in TEMPLATES:
        raise InvalidInput.at("template", f"no template {name!r}; there is {', '.join(sorted(TEMPLATES))}")
    if not 0 < width <= 1:
        raise InvalidInput.at("width", f"a width is above 0 and at most 1; got {width!r}")
    template = TEMPLATES[name] if width == 1 else _FAMILIES[name](width)
    return template if front_end is None else _behind(template, front_end)


@lru_cache(64)
def resized(template: Template, width: float) -> Template:
    """Return the same template with ``width`` times the channels of the full one, which may be more than 1.

    Raises:
        InvalidInput: it is an encoder of the user's own.
    """
    if template.imported:
        raise InvalidInput.at("template", f"an encoder of your own is as wide as it is; got {template.name}")
    made = replace(_FAMILIES[template.name](width), gate=template.gate)
    if made.front_end == template.front_end:
        return made
    return _behind(made, next(name for name, known in PRESETS.items() if known == template.front_end))


def _behind(template: Template, front_end: str) -> Template:
    if front_end not in PRESETS:
        raise InvalidInput.at("front_end", f"no front end {front_end!r}; there is {', '.join(PRESETS)}")
    if PRESETS[front_end] == template.front_end:
        return template
    first, *others = template.blocks
    learned = Block((*PRESETS[front_end].layers, *first.layers))
    try:
        return replace(template, front_end=PRESETS[front_end], blocks=(learned, *others))
    except InvalidInput as error:
        why = "; ".join(fault.message for fault in error.faults)
        raise InvalidInput.at("front_end", f"{template.name} can't take {front_end!r}: {why}") from None
