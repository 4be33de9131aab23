"""The templates by name. A new one is a file in this folder and a line here."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType

from taskgraft.errors import InvalidInput
from taskgraft.space.template import Template
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
def get_template(name: str, width: float = 1.0) -> Template:
    """Return the template of that name, with ``width`` (0..1) times its channels.

    Raises:
        InvalidInput: there is none, and the message lists those there are; another width.
    """
    if name not in TEMPLATES:
        raise InvalidInput.at("template", f"no template {name!r}; there is {', '.join(sorted(TEMPLATES))}")
    if not 0 < width <= 1:
        raise InvalidInput.at("width", f"a width is above 0 and at most 1; got {width!r}")
    return TEMPLATES[name] if width == 1 else _FAMILIES[name](width)
