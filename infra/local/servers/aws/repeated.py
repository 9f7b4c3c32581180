"""What the emulator works out again and again: the same answers, kept or made a cheaper way.

A transaction computes each update three times, and copies items and parses expressions and numbers
more often than that.
"""

from collections.abc import Callable
from copy import deepcopy
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

from ministack.services import dynamodb

from infra.local.servers.aws.hooks import original, replace

# Texts that are kept, per function: those of many requests, in a few megabytes.
_KEPT = 16_384
# A longer text is no usual number or expression, and not worth its place.
_LONGEST = 512
_UNCHANGING = frozenset({str, int, float, bool, bytes, type(None)})
# A transaction has a hundred updates at most.
_UPDATES = 100
OF_A_TEXT = ("_number_error", "_ddb_canonicalize_number", "_number_size_bytes")


def remember() -> None:
    """Replace the repeated parts; call before requests are served."""
    for name in OF_A_TEXT:
        replace(dynamodb, name, kept)
    replace(dynamodb, "_condition_syntax_error", kept)
    replace(dynamodb, "_tokenize", _kept_list)
    original(dynamodb, "copy").deepcopy  # noqa: B018 - all that it uses of it
    replace(dynamodb, "copy", lambda _original: SimpleNamespace(deepcopy=copied))
    replace(dynamodb, "_apply_update_expression", computed_once)


def kept(function: Callable[..., Any]) -> Callable[..., Any]:
    """A pure function of texts, whose latest answers are kept; anything else it is asked anew."""
    remembered = lru_cache(_KEPT)(function)

    def hooked(text: Any, *more: Any) -> Any:
        if text.__class__ is str and len(text) <= _LONGEST:
            return remembered(text, *more)
        return function(text, *more)

    return hooked


def _kept_list(function: Callable[[str], list[Any]]) -> Callable[[str], list[Any]]:
    """As `kept`, for an answer that its caller may change."""
    remembered = kept(lambda text: tuple(function(text)))
    return lambda text: list(remembered(text))


def computed_once(apply: Callable[..., Any]) -> Callable[..., Any]:
    """Updates, each of which is computed once for the same item and the same part of a request."""
    # The values are part of a request, and kept, so that no others can come to have their address.
    recent: dict[tuple[int, str], tuple[Any, ...]] = {}

    def hooked(item: Any, expression: str, values: Any, names: Any, updated: Any = None) -> Any:
        if updated is not None:
            return apply(item, expression, values, names, updated)
        key = (id(values), expression)
        if key in recent:
            _, before, given, meant, result, changed = recent[key]
            if before == item and given == values and meant == names:
                return copied(result), set(changed)
        result, changed = apply(item, expression, values, names)
        if len(recent) >= _UPDATES:
            recent.clear()
        as_given = copied(item), copied(values), copied(names)
        recent[key] = values, *as_given, copied(result), frozenset(changed)
        return result, changed

    return hooked


def copied(value: Any) -> Any:
    """A deep copy. Items are trees, so nothing is noted of what was copied already."""
    kind = value.__class__
    if kind is dict:
        return {name: copied(inner) for name, inner in value.items()}
    if kind is list:
        return [copied(inner) for inner in value]
    return value if kind in _UNCHANGING else deepcopy(value)
