"""The field of a study that names a training algorithm."""

from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator, ValidationError, WithJsonSchema

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.algorithms.algorithm import Algorithm
from taskgraft.evaluators.algorithms.registry import algorithm_schema, read_algorithm
from taskgraft.search.study.fields import fault_at


def _read(given: object) -> Algorithm:
    try:
        return read_algorithm(given)
    except InvalidInput as error:
        faults = [fault_at((one.where,) if one.where else (), one.message, given) for one in error.faults]
        raise ValidationError.from_exception_data("algorithm", faults) from None


def _to_plain(algorithm: Algorithm) -> str | dict[str, Any]:
    return algorithm.to_plain()


AlgorithmField = Annotated[
    Algorithm, PlainValidator(_read), PlainSerializer(_to_plain), WithJsonSchema(algorithm_schema())
]
