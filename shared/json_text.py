"""JSON text of anything that JSON parsing can deliver, however deep.

The standard library writes by recursion, and so refuses, some levels before a parser does, what
is nested too deep. A record that cannot be written cannot be parked either, and would hold up its
shard for ever.
"""

import json
from typing import Any

_CLOSING = {"{": "}", "[": "]"}


def json_text(value: Any) -> str:
    """`value` as JSON in ASCII, without spaces.

    Half surrogates survive as escapes; NaN and infinities as the names that Python's parser, which
    is what delivers them, takes back.
    """
    try:
        return json.dumps(value, separators=(",", ":"))
    except RecursionError:
        return _deep_text(value)


def _deep_text(value: Any) -> str:
    """The same with a stack of our own: slow, but for hostile records only."""
    out: list[str] = []
    # Text still to be written, or a value that is still to become text; the last one first.
    waiting: list[tuple[str, Any]] = [("", value)]
    while waiting:
        before, node = waiting.pop()
        out.append(before)
        if isinstance(node, dict) and node:
            members = [(f",{json.dumps(key)}:", member) for key, member in node.items()]
        elif isinstance(node, list) and node:
            members = [(",", member) for member in node]
        else:
            if node is not _NOTHING:
                out.append(json.dumps(node))
            continue
        opening = "{" if isinstance(node, dict) else "["
        first, member = members[0]
        members[0] = (opening + first[1:], member)
        waiting.append((_CLOSING[opening], _NOTHING))
        waiting.extend(reversed(members))
    return "".join(out)


_NOTHING = object()
