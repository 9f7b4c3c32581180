"""Filter patterns read and validated: JSON text in, the paths of each alternative out.

Refuses what CreateEventSourceMapping answers with "Invalid filter pattern definition", and says
where and what to write instead. The operators are those that Lambda documents ("Filter rule
syntax" in its developer guide); EventBridge's others (`wildcard`, `cidr`, anything nested) are
refused by name.

One flaw of the engine is not repeated here: event-ruler 2.0.1 loses an alternative that widens the
list of an earlier one, `{"$or": [{"a": ["x"]}, {"a": ["x", "y"]}]}` misses y. Write one list.
"""

import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from shared.errors import InvalidFilter
from shared.filter_operators import accept_operator, refuse
from shared.filter_values import Accepts, double, packed_address

# Length of a pattern in characters (Lambda API reference, data type Filter).
MAX_LENGTH = 4096
# EventBridge refuses patterns whose $or lists multiply to more combinations.
MAX_ALTERNATIVES = 1000

# Objects are tuples of pairs, since a repeated key matters: the last one wins, path by path.
Pairs = tuple[tuple[str, Any], ...]
# What must hold together: path -> what it accepts.
Alternative = dict[str, Accepts]

_OR = "$or"
_OPERATORS = "anything-but cidr equals-ignore-case exactly exists numeric prefix suffix wildcard"
_RESERVED = "regex not-wildcard not-equals-ignore-case date-after date-on-or-after date-before"
_RESERVED += " date-on-or-before in-date-range ip-address-in-range ip-address-not-in-range"
# Keys that make event-ruler read `$or` as the name of a field (its RESERVED_FIELD_NAMES).
_NO_FIELDS = frozenset(f"{_OPERATORS} {_RESERVED} = < <= > >=".split())


def read_pattern(pattern: str | Mapping[str, Any]) -> list[Alternative]:
    """Read one pattern into its alternatives; more than one only by `$or`.

    Raises InvalidFilter, naming the path, for what Lambda would refuse.
    """
    try:
        pairs = _parse(pattern if isinstance(pattern, str) else _dump(pattern))
        try:
            return _read(pairs, or_is_a_field=False)
        except InvalidFilter as refusal:
            # The engine gives "$or" that is no list of alternatives a second chance, as a field.
            return _read_or_as_field(pairs, refusal)
    except RecursionError:
        refuse("", "is nested too deeply", "name the fields with fewer levels")


def _dump(pattern: object) -> str:
    if not isinstance(pattern, Mapping):
        kind = type(pattern).__name__
        refuse("", f"is a {kind}, not a JSON object", 'write {"eventName": ["INSERT"]}')
    try:
        return json.dumps(
            pattern, allow_nan=False, default=_dumpable, ensure_ascii=False, separators=(",", ":")
        )
    except (TypeError, ValueError) as error:
        refuse("", f"is no JSON: {error}", "use text, numbers, true, false, null and lists")


def _dumpable(value: object) -> dict[Any, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a {type(value).__name__} has no JSON form")


def _parse(text: str) -> Pairs:
    if len(text) > MAX_LENGTH:
        refuse(
            "",
            f"has {len(text)} characters, Lambda takes {MAX_LENGTH}",
            "split it into several filters, any of which may match",
        )
    try:
        pattern = json.loads(
            text, object_pairs_hook=tuple, parse_float=_decimal, parse_constant=_no_constant
        )
    except ValueError as error:
        refuse("", f"is no JSON: {error}", "check quotes, commas and brackets")
    if not isinstance(pattern, tuple):
        refuse("", "is JSON, but no object", 'write {"eventName": ["INSERT"]}')
    return pattern


def _decimal(token: str) -> Decimal:
    try:
        return Decimal(token)
    except InvalidOperation:
        raise ValueError(f"{token} is out of range") from None


def _no_constant(token: str) -> NoReturn:
    raise ValueError(f"{token} is no JSON")


def _read(pairs: Pairs, *, or_is_a_field: bool) -> list[Alternative]:
    alternatives: list[Alternative] = []
    _read_object(alternatives, (), pairs, or_is_a_field=or_is_a_field)
    return alternatives


def _read_or_as_field(pairs: Pairs, refusal: InvalidFilter) -> list[Alternative]:
    try:
        return _read(pairs, or_is_a_field=True)
    except InvalidFilter:
        raise refusal from None


def _read_object(
    alternatives: list[Alternative],
    keys: tuple[str, ...],
    pairs: Pairs,
    *,
    or_is_a_field: bool = False,
    inside_or: bool = False,
) -> None:
    if not pairs:
        refuse(".".join(keys), "is an empty object", "name a field in it, or leave it out")
    for key, value in pairs:
        if key == _OR and not or_is_a_field:
            _read_or(alternatives, keys, value)
            continue
        path = ".".join((*keys, key))
        if inside_or and key in _NO_FIELDS:
            refuse(path, "is an operator's name", f"give {_OR} objects that name fields")
        if isinstance(value, tuple):
            _read_object(
                alternatives,
                (*keys, key),
                value,
                or_is_a_field=or_is_a_field,
                inside_or=inside_or,
            )
        elif isinstance(value, list):
            # The engine joins no dot to an empty beginning.
            name = ".".join((*keys, key)) if any(keys) or len(keys) > 1 else key
            accepts = _read_values(path, value)
            if not alternatives:
                alternatives.append({})
            for alternative in alternatives:
                alternative[name] = accepts
        else:
            refuse(
                path,
                f"is {json.dumps(value, default=str)}, not a list",
                f"write [{json.dumps(value, default=str)}]",
            )


def _read_or(alternatives: list[Alternative], keys: tuple[str, ...], value: object) -> None:
    path = ".".join((*keys, _OR))
    hint = f'write "{_OR}": [{{"field": ["a"]}}, {{"other": ["b"]}}]'
    if not isinstance(value, list) or not all(isinstance(each, tuple) for each in value):
        refuse(path, "is no list of objects", hint)
    if len(value) < 2:
        refuse(path, "needs two objects or more", hint)
    so_far = [dict(alternative) for alternative in alternatives]
    alternatives.clear()
    for each in value:
        branch = [dict(alternative) for alternative in so_far]
        _read_object(branch, keys, each, inside_or=True)
        alternatives.extend(branch)
        if len(alternatives) > MAX_ALTERNATIVES:
            refuse(
                path,
                f"makes more than {MAX_ALTERNATIVES} combinations",
                f"write several filters, or one {_OR} for all",
            )


def _read_values(path: str, values: list[Any]) -> Accepts:
    if not values:
        refuse(path, "is an empty list", "list a value, or leave the field out")
    accepts = Accepts()
    for index, value in enumerate(values):
        where = f"{path}[{index}]"
        if isinstance(value, str):
            address = packed_address(value)
            if address is None:
                accepts.strings.add(value)
            else:
                accepts.addresses.add(address)
        elif value is None or isinstance(value, bool):
            accepts.constants.add(value)
        elif isinstance(value, (int, Decimal)):
            nearest = double(value)
            if nearest is None:
                accepts.long_numbers.add(value)
            else:
                accepts.numbers.add(nearest)
        elif isinstance(value, tuple):
            accept_operator(accepts, where, value)
        else:
            refuse(where, "is a list in a list", "put its values into the outer list")
    return accepts
