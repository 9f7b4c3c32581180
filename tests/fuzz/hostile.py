"""What no DynamoDB stream should ever send, made on purpose.

Everything here draws from a `random.Random`, which hypothesis can stand in for: so the property
tests shrink what the bulk run only finds.
"""

import json
from collections.abc import Callable
from random import Random
from typing import Any

Raw = dict[str, Any]

DEEPEST = 5_000
TAGS = ("S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS", "BS", "XX", "")

_PARTS = ("Keys", "OldImage", "NewImage", "NewImage", "NewImage", "all")

TEXTS = (
    "",
    " ",
    "\x00",
    "\n\r\u2028\u2029",
    "\ud800",
    "x\udfff\ud83d",
    "\U0010ffff\ufeff",
    "\u202egnp.exe",
    "e\u0301" * 20,
    "\u0131",  # upper and lower case differ in length and language
    "\U0001d7cf\U0001d7d0",  # digits that are not ASCII
    "../../etc/passwd",
    "{}'\";--<script>",
    "ORDER#",
    "SCORE#\ud800",
    "HEARTBEAT#x",
    "TOTAL#" + "x" * 600,
    "USER#",
    "no*base64",
    "QUJD=",
    "9999-12-31T23:59:59.999999-23:59",
    "0001-01-01T00:00:00+23:59",
    "COMPLETED",
)
NUMBERS = (
    "NaN",
    "Infinity",
    "-0",
    "1e99999999999999999999",
    "-1e-99999999999999999999",
    "1E+125",
    "9" * 38,
    "9" * 39,
    "0." + "0" * 200 + "1",
    "1" * 600,
    "١٢",
    "1_000",
    "0x10",
    " 1",
    "1\n",
    "",
)
SCALARS = (
    None,
    True,
    False,
    0,
    -1,
    2**53 + 1,
    2**64,
    -(10**400),
    0.1,
    -0.0,
    1e308,
    float("nan"),
    float("inf"),
    float("-inf"),
)


# Large, and so rare: else a million records take hours.
_LARGE: tuple[Callable[[], Any], ...] = (
    lambda: "x" * 1_000_000,
    lambda: "\u20ac" * 20_000,
    lambda: {"S": "x" * 40_000},
    lambda: {"N": "1" * 60_000 + "x"},
    lambda: {"N": "0" * 60_000},
    lambda: {"N": "1" * 5_000},
    lambda: 10**4_000,
    lambda: nested(DEEPEST),
    lambda: nested(1_100, "M"),
    lambda: {"SS": ["x"] * 20_000},
)


def nested(depth: int, tag: str = "") -> Any:
    """Lists and maps in each other, `depth` levels deep; with a tag, as DynamoDB JSON."""
    value: Any = {"S": "deep"} if tag else "deep"
    for level in range(depth):
        if tag == "L":
            value = {"L": [value]}
        elif tag:
            value = {"M": {"a": value}}
        else:
            value = [value] if level % 2 else {"a": value}
    return value


def value(rng: Random) -> Any:
    """Any JSON value, and what Python's JSON parser takes beyond it."""
    match rng.randrange(12):
        case 0 | 1 | 2:
            return rng.choice(SCALARS)
        case 3 | 4:
            return rng.choice(TEXTS)
        case 5 | 6 | 7:
            return attribute(rng)
        case 8:
            return {rng.choice(TEXTS): rng.choice(SCALARS) for _ in range(rng.randrange(4))}
        case 9:
            return [rng.choice(TEXTS) for _ in range(rng.randrange(4))]
        case 10 if not rng.randrange(20):
            return rng.choice(_LARGE)()
        case 10:
            return rng.choice(NUMBERS)
        case _:
            depth = rng.choice((260, 500, 990)) if not rng.randrange(20) else rng.randrange(1, 40)
            return nested(depth, rng.choice(("", "L", "M")))


def attribute(rng: Random) -> Raw:
    """An attribute value, most likely a damaged one."""
    tag = rng.choice(TAGS)
    if tag == "N" and rng.randrange(3):
        return {tag: rng.choice(NUMBERS)}
    if tag in {"SS", "NS", "BS"} and rng.randrange(3):
        return {tag: [rng.choice(TEXTS + NUMBERS), rng.choice(SCALARS)]}
    body = rng.choice((*TEXTS, *NUMBERS, *SCALARS))
    return {tag: body} if rng.randrange(6) else {tag: body, rng.choice(TAGS): body}


def damage(rng: Random, tree: Raw) -> None:
    """Spoil a change and its metadata in one to three places, most in keys and images."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        part = tree.get("dynamodb") if rng.randrange(4) else tree
        below = part.get(rng.choice(_PARTS)) if isinstance(part, dict) else None
        _spoil(rng, below or part or tree)


def _spoil(rng: Random, tree: Any) -> None:
    node = tree
    while isinstance(node, (dict, list)) and node:
        place = rng.choice(list(node) if isinstance(node, dict) else range(len(node)))
        below = node[place]
        if not (isinstance(below, (dict, list)) and below) or not rng.randrange(4):
            _replace(rng, node, place)
            return
        node = below


def _replace(rng: Random, node: Any, place: Any) -> None:
    match rng.randrange(8):
        case 0:
            del node[place]
        case 1 if isinstance(node, dict):
            node[rng.choice(TEXTS)] = node.pop(place)
        case 2 if isinstance(node, dict):
            node[rng.choice(TEXTS)] = value(rng)
        case 3:
            node[place] = [node[place]]
        case 4 if isinstance(node[place], str):
            text = node[place]
            cut = rng.randrange(len(text) + 1)
            node[place] = text[:cut] + rng.choice(TEXTS) + text[cut:]
        case 5 if isinstance(node[place], str):
            node[place] = rng.choice(TEXTS + NUMBERS)
        case _:
            node[place] = value(rng)


def damaged_text(rng: Random, text: str) -> bytes:
    """A JSON text whose bytes were spoilt: keys twice, ends missing, no UTF-8, no JSON."""
    match rng.randrange(9):
        case 0:
            # A parser keeps the last of two: the real part first, then last.
            return f'{{"dynamodb":{json.dumps(rng.choice(SCALARS))},{text[1:]}'.encode()
        case 1:
            return f'{text[:-1]},"eventName":{json.dumps(rng.choice(TEXTS))}}}'.encode()
        case 2:
            return text[: rng.randrange(len(text))].encode()
        case 3:
            return b"\xef\xbb\xbf" + text.encode()
        case 4:
            return text.encode("utf-16")
        case 5:
            return text.encode() + rng.choice((b"\n", b" {}", b"\x00", b","))
        case 6:
            return rng.choice((b"", b"null", b"[]", b"NaN", b'"x"', b"\xff\xfe", b"{" * 3_000))
        case 7:
            at = rng.randrange(len(text))
            return text[:at].encode() + bytes([rng.randrange(256)]) + text[at + 1 :].encode()
        case _:
            return text.replace(
                '"N":', rng.choice(('"N":0,"N":', '"n":', '"N":1e999,"N":'))
            ).encode()
