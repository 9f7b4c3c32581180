"""The operators of a match array: objects such as `{"prefix": "ORDER#"}`."""

import json
import operator
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NoReturn, TypeGuard

from shared.errors import InvalidFilter
from shared.filter_values import Accepts, Comparison, double, fold

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_RANGE_HINT = 'write ["=", 5], [">=", 0] or [">", 0, "<=", 5], the lower bound first'

# What EventBridge takes and Lambda does not, with what to do about it.
_EVENTBRIDGE_ONLY = {
    "cidr": "list the addresses, or use a prefix of them",
    "exactly": "write the text itself, without an object around it",
    "wildcard": "use prefix or suffix, or let the consumer skip what it does not want",
}


def accept_operator(accepts: Accepts, where: str, pairs: tuple[tuple[str, Any], ...]) -> None:
    """Add the condition of one operator to `accepts`. Raises InvalidFilter, naming `where`."""
    if len(pairs) != 1:
        refuse(where, f"has {len(pairs)} operators, not one", "use one object per operator")
    name, operand = pairs[0]
    where = f"{where}.{name}"
    if name in _EVENTBRIDGE_ONLY:
        refuse(where, "is an operator that Lambda does not support", _EVENTBRIDGE_ONLY[name])
    if name not in _OPERATORS:
        known = ", ".join(_OPERATORS)
        refuse(where, "is no operator", f"use one of {known}, spelled exactly so")
    _OPERATORS[name](accepts, where, operand)


def refuse(path: str, problem: str, hint: str) -> NoReturn:
    """Raise InvalidFilter about one place of the pattern."""
    raise InvalidFilter(f"{path or 'the pattern'} {problem}", hint=hint)


def _prefix(accepts: Accepts, where: str, operand: object) -> None:
    text = _text(where, operand)
    accepts.starts.append(text)
    # The engine compares texts with their quotes around them, and takes the closing one for this.
    if text.endswith('"'):
        accepts.strings.add(text[:-1])


def _suffix(accepts: Accepts, where: str, operand: object) -> None:
    text = _text(where, operand)
    accepts.ends.append(text)
    if text.startswith('"'):
        accepts.strings.add(text[1:])


def _equals_ignore_case(accepts: Accepts, where: str, operand: object) -> None:
    accepts.folded.append(fold(_text(where, operand)))


def _text(where: str, operand: object) -> str:
    if isinstance(operand, str):
        return operand
    if isinstance(operand, tuple):
        refuse(where, "holds another operator, which Lambda does not support", "give it a text")
    if isinstance(operand, list):
        refuse(where, "is a list, not a text", "use one object with this operator per text")
    refuse(where, f"is {_shown(operand)}, not a text", 'write it in quotes, as "text"')


def _exists(accepts: Accepts, where: str, operand: object) -> None:
    if operand is True:
        accepts.present = True
    elif operand is False:
        accepts.absent = True
    else:
        refuse(where, f"is {_shown(operand)}", "write true or false, without quotes")


def _anything_but(accepts: Accepts, where: str, operand: object) -> None:
    if isinstance(operand, tuple):
        refuse(
            where,
            "holds another operator, which Lambda does not support",
            "list the values, or let the consumer skip what it does not want",
        )
    values = operand if isinstance(operand, list) else [operand]
    texts = [value for value in values if isinstance(value, str)]
    numbers = [_double(where, value) for value in values if _is_number(value)]
    if texts and len(texts) == len(values):
        accepts.but_strings.append(frozenset(texts))
    elif numbers and len(numbers) == len(values):
        accepts.but_numbers.append(frozenset(numbers))
    else:
        refuse(
            where,
            f"is {_shown(operand)}",
            "give it one text or number, or a list of texts alone or of numbers alone",
        )


def _numeric(accepts: Accepts, where: str, operand: object) -> None:
    if not isinstance(operand, list) or len(operand) not in {2, 4}:
        refuse(where, f"is {_shown(operand)}", _RANGE_HINT)
    signs, numbers = operand[::2], operand[1::2]
    for sign, number in zip(signs, numbers, strict=True):
        if not isinstance(sign, str) or sign not in _COMPARISONS:
            refuse(where, f"compares with {_shown(sign)}", _RANGE_HINT)
        if not _is_number(number):
            refuse(where, f"compares with {_shown(number)}, no number", _RANGE_HINT)
    bounds = [_double(where, number) for number in numbers]
    if len(signs) == 2:
        if signs[0] not in {">", ">="} or signs[1] not in {"<", "<="}:
            refuse(where, f"has its bounds as {signs[0]} and {signs[1]}", _RANGE_HINT)
        if bounds[0] >= bounds[1]:
            refuse(where, "has a lower bound that is not below the upper one", _RANGE_HINT)
    comparisons: list[Comparison] = [
        (_COMPARISONS[sign], bound) for sign, bound in zip(signs, bounds, strict=True)
    ]
    accepts.ranges.append(tuple(comparisons))


def _is_number(value: object) -> TypeGuard[int | Decimal]:
    return isinstance(value, (int, Decimal)) and not isinstance(value, bool)


def _double(where: str, number: int | Decimal) -> float:
    nearest = double(number)
    if nearest is None:
        refuse(
            where,
            f"compares with {number}, which no double holds to the last digit",
            "use up to 15 digits between -1.7e308 and 1.7e308",
        )
    return nearest


def _shown(value: object) -> str:
    return json.dumps(value, default=str)


_OPERATORS: dict[str, Callable[[Accepts, str, object], None]] = {
    "anything-but": _anything_but,
    "equals-ignore-case": _equals_ignore_case,
    "exists": _exists,
    "numeric": _numeric,
    "prefix": _prefix,
    "suffix": _suffix,
}
