"""A record's JSON: written from, and checked against, the dataclasses that declare its parts."""

import json
from typing import Any, TypeVar, get_args

from pydantic import TypeAdapter, ValidationError

from compare.record.measurement import AnyMeasurement, Measure, Measurement

T = TypeVar("T")
_ADAPTERS: dict[Any, TypeAdapter] = {}  # making one takes longer than using it


def dump(value: Any, kind: Any = None, **options: Any) -> str:
    """JSON of a dataclass; a number that is not finite is null.

    Args:
        value: what to write.
        kind: its declared type, if that is not its own.
        options: of pydantic's `dump_json`.
    """
    return _adapter(kind or type(value)).dump_json(value, **options).decode()


def load(kind: type[T], text: str) -> T:
    """A dataclass from its JSON.

    Raises:
        ValueError: in one line, which names the place of what is not as it is declared.
    """
    try:
        return _adapter(kind).validate_json(text, strict=True)
    except ValidationError as error:
        raise ValueError(_first_line(error)) from error


def dump_measurement(measurement: Measurement) -> str:
    """JSON of a measurement of any kind, in one line."""
    return dump(measurement, AnyMeasurement)


def load_measurement(text: str) -> Measurement:
    """A measurement of any kind from its JSON."""
    return load(AnyMeasurement, text)  # type: ignore[arg-type]


def to_plain(value: Any, kind: Any = None) -> Any:
    """A dataclass as dictionaries, lists, strings and numbers; the arguments are those of `dump`."""
    return json.loads(dump(value, kind))


def from_plain(kind: type[T], value: Any) -> T:
    """A dataclass from dictionaries, lists, strings and numbers.

    Raises:
        ValueError: in one line, which names the place of what is not as it is declared.
    """
    return load(kind, json.dumps(value))


def _adapter(kind: Any) -> TypeAdapter:
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def _first_line(error: ValidationError) -> str:
    """The first thing that is wrong: its place, what was expected there, and what is there."""
    first = error.errors(include_url=False)[0]
    place = ""
    for number, part in enumerate(first["loc"]):
        if isinstance(part, int):
            place += f"[{part}]"
        elif not (number and isinstance(first["loc"][number - 1], int) and part in get_args(Measure)):
            place += f".{part}" if place else part  # the kind of a measurement is no place in the file
    got = "nothing" if first["type"] == "missing" else _shortened(repr(first["input"]))
    return f"{place or 'the whole'}: expected {_expected(first['type'], first['msg'])}, got {got}"


def _expected(kind: str, message: str) -> str:
    if kind == "missing":
        return "a value"
    if kind.startswith("union_tag"):
        return f"one of the measures {', '.join(get_args(Measure))}"
    if kind.startswith(("dataclass", "model_attributes")):
        return "an object"
    return message.removeprefix("Input should be ").removeprefix("Value error, ")


def _shortened(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}..."
