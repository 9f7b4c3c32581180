"""Filter patterns as the emulator ministack matches them, the one port to Python at hand.

Two of them: what its event source mapping uses, which knows some operators, and what its
EventBridge uses, which knows nearly all. Patterns are parsed, and compiled where that is done,
before anything is timed.
"""

import json
from typing import Any

from ministack.services import eventbridge, lambda_svc

from bench.patterns import PATTERNS

_parsed = [json.loads(pattern) for pattern in PATTERNS]
_compiled = [eventbridge._compiled_pattern(pattern) for pattern in PATTERNS]


def mapping(records: list[dict[str, Any]], _: Any) -> list[int]:
    """Matches of each pattern, by the event source mapping's matcher."""
    match = lambda_svc._match_esm_filter
    return [sum(match(record, pattern) for record in records) for pattern in _parsed]


def rules(records: list[dict[str, Any]], _: Any) -> list[int]:
    """Matches of each pattern, by EventBridge's matcher."""
    match = eventbridge._matches_detail
    return [
        sum(any(match(record, each) for each in alternatives or ()) for record in records)
        for alternatives in _compiled
    ]
