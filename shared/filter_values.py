"""What one path of a filter pattern accepts: strings, numbers, constants and their operators.

The engine behind Lambda's filters is event-ruler, which compares texts: a string never equals a
number, `"1"` is not `1`. Numbers compare as IEEE doubles (`1`, `1.0` and `1e0` are one number), but
only those that a double holds to the last digit; any other compares by its digits alone and lies
in no range. An `anything-but` accepts every value that is not in its list, of whatever type.
"""

import math
import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal

Number = int | float | Decimal
Comparison = tuple[Callable[[float, float], bool], float]

# Up to here every integer is a double of its own.
_EXACT_INTEGERS = 2**53

_is_ipv4 = re.compile(r"(?=.{7,15}\Z)\d+\.\d+\.\d+\.\d+", re.ASCII).fullmatch
_is_ipv6 = re.compile(r"[0-9a-fA-F:]*:[0-9a-fA-F:]*").fullmatch


@dataclass(slots=True)
class Accepts:
    """The conditions in the match array of one path, any of which is enough.

    Attributes:
        strings: exact texts.
        addresses: exact texts that are IP addresses, packed; other spellings match as well.
        starts: prefixes.
        ends: suffixes.
        folded: full-match functions of texts whose case does not matter.
        constants: of True, False and None.
        numbers: exact numbers that a double holds.
        long_numbers: exact numbers that no double holds.
        ranges: the comparisons that a number must pass, all of one range.
        but_strings: lists of texts, for each of which everything else is accepted.
        but_numbers: the same with numbers.
        present: whether any value will do.
        absent: whether the path may be missing.
    """

    strings: set[str] = field(default_factory=set)
    addresses: set[bytes] = field(default_factory=set)
    starts: list[str] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)
    folded: list[Callable[[str], object]] = field(default_factory=list)
    constants: set[bool | None] = field(default_factory=set)
    numbers: set[float] = field(default_factory=set)
    long_numbers: set[int | Decimal] = field(default_factory=set)
    ranges: list[tuple[Comparison, ...]] = field(default_factory=list)
    but_strings: list[frozenset[str]] = field(default_factory=list)
    but_numbers: list[frozenset[float]] = field(default_factory=list)
    present: bool = False
    absent: bool = False


def string_test(accepts: Accepts) -> Callable[[str], object]:
    """The conditions on a text, as a function with a truthy answer for what is accepted."""
    tests: list[Callable[[str], object]] = []
    if accepts.present or accepts.but_numbers:
        return _always
    if accepts.strings:
        tests.append(frozenset(accepts.strings).__contains__)
    if accepts.starts:
        tests.append(operator.methodcaller("startswith", tuple(accepts.starts)))
    if accepts.ends:
        tests.append(operator.methodcaller("endswith", tuple(accepts.ends)))
    tests.extend(accepts.folded)
    if accepts.addresses:
        tests.append(_address_test(frozenset(accepts.addresses)))
    tests.extend(_none_of(texts) for texts in accepts.but_strings)
    return _any_of(tests)


def value_test(accepts: Accepts) -> Callable[[object], bool]:
    """The conditions on any JSON value that is neither object nor array. Never raises."""
    on_string = string_test(accepts)
    on_number = _number_test(accepts)
    constants = frozenset(accepts.constants)
    anything = accepts.present or bool(accepts.but_strings or accepts.but_numbers)

    def test(value: object) -> bool:
        if isinstance(value, str):
            return bool(on_string(value))
        if value is None or isinstance(value, bool):
            return anything or value in constants
        if isinstance(value, (int, float, Decimal)):
            return on_number(value)
        return anything

    return test


def double(number: Number) -> float | None:
    """The number as a double, or None if no double holds it to the last digit."""
    try:
        nearest = float(number)
    except (OverflowError, ValueError):
        return None
    if isinstance(number, float) or (
        isinstance(number, int) and -_EXACT_INTEGERS <= number <= _EXACT_INTEGERS
    ):
        return nearest if math.isfinite(nearest) else None
    # The shortest text of the double has to be the number itself: 2**60 is a double, but its
    # shortest text is 1152921504606847000, and so the engine compares it as text.
    return nearest if math.isfinite(nearest) and Decimal(repr(nearest)) == number else None


def fold(text: str) -> Callable[[str], object]:
    """A test for `text` in any mix of cases: each character in its lower or its upper form.

    Not casefold(), for which a Kelvin sign would be a k and "ss" an "ß".
    """
    forms = [sorted({char.lower(), char.upper()}) for char in text]
    return re.compile("".join(f"(?:{'|'.join(map(re.escape, form))})" for form in forms)).fullmatch


def packed_address(text: str) -> bytes | None:
    """The bytes of an IP address, IPv4 in IPv6 as IPv4, or None for any other text."""
    if _is_ipv4(text):
        octets = [int(part) for part in text.split(".")]
        return bytes(octets) if max(octets) < 256 else None
    if not _is_ipv6(text):
        return None
    from ipaddress import IPv6Address

    try:
        address = IPv6Address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address).packed


def _number_test(accepts: Accepts) -> Callable[[Number], bool]:
    if accepts.present or accepts.but_strings:
        return _always
    numbers = frozenset(accepts.numbers)
    digits = frozenset(accepts.long_numbers)
    # A parsed float has lost the digits that could tell it from its pattern: take it for equal.
    rounded = frozenset(float(str(number)) for number in digits)
    ranges = tuple(accepts.ranges)
    but_numbers = tuple(accepts.but_numbers)

    def test(number: Number) -> bool:
        nearest = double(number)
        if nearest is None:
            return bool(but_numbers) or number in digits
        return (
            nearest in numbers
            or any(all(holds(nearest, bound) for holds, bound in each) for each in ranges)
            or any(nearest not in each for each in but_numbers)
            or (nearest in rounded and isinstance(number, float))
        )

    return test


def _address_test(accepted: frozenset[bytes]) -> Callable[[str], object]:
    def test(text: str) -> bool:
        return packed_address(text) in accepted

    return test


def _none_of(texts: frozenset[str]) -> Callable[[str], object]:
    def test(text: str) -> bool:
        return text not in texts

    return test


def _any_of(tests: Iterable[Callable[[str], object]]) -> Callable[[str], object]:
    each = tuple(tests)
    if len(each) == 1:
        return each[0]

    def test(text: str) -> bool:
        return any(accepts(text) for accepts in each)

    return test


def _always(_: object) -> bool:
    return True
