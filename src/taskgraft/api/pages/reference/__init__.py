"""What the page ``/docs`` shows: the OpenAPI document as values that a template can walk through."""

from taskgraft.api.pages.reference.calls import Answer, Body, Call, Parameter, Reference, Section, reference_of
from taskgraft.api.pages.reference.schemas import Field, Schema
from taskgraft.api.pages.reference.types import Piece

__all__ = [
    "Answer",
    "Body",
    "Call",
    "Field",
    "Parameter",
    "Piece",
    "Reference",
    "Schema",
    "Section",
    "reference_of",
]
