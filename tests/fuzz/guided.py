"""A small coverage-guided fuzzer: inputs that reach new code are kept and changed further.

In plain Python, so that it runs wherever the project does; the well-known ones are wheels for some
machines and some Pythons. The corpus, one file an input, is tests/fuzz/corpus/<target>.
"""

import faulthandler
import hashlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from types import CodeType, FrameType
from typing import Any

from tests.fuzz.hostile import NUMBERS, TEXTS
from tests.fuzz.targets import TARGETS

ROOT = Path(__file__).parents[2]
CORPUS = Path(__file__).parent / "corpus"
LONGEST = 4_096
_HANGS_SECONDS = 30
_WATCHED = (f"{ROOT}/shared/", f"{ROOT}/consumers/")

Edge = tuple[CodeType, int, int]

_TOKENS = [
    *(text.encode(errors="surrogatepass") for text in TEXTS + NUMBERS if len(text) < 100),
    *(b'"%s"' % name for name in (b"S", b"N", b"B", b"L", b"M", b"SS", b"NS", b"BS", b"BOOL")),
    *(b'"%s"' % name for name in (b"NULL", b"PK", b"SK", b"Keys", b"NewImage", b"OldImage")),
    *(b'"%s"' % name for name in (b"prefix", b"suffix", b"exists", b"numeric", b"$or")),
    *(b'"%s"' % name for name in (b"anything-but", b"equals-ignore-case", b"dynamodb", b"data")),
    *(b"{}", b"[]", b"{", b"}", b"[", b"]", b":", b",", b"null", b"true", b"NaN", b"1e999"),
    *(b"\\ud800", b"\xed\xa0\x80", b"\xff", b'""', b'{"S":"x"}', b'{"N":"1"}', b"[" * 300),
]


class Guided:
    """One target and what is known of it.

    Attributes:
        corpus: inputs, each of which reached something that those before it did not.
        edges: pairs of lines of the project's own code that ran one after the other.
        runs: inputs tried.
    """

    def __init__(self, name: str, seed: int) -> None:
        self.name = name
        self.corpus: list[bytes] = []
        self.edges: set[Edge] = set()
        self.runs = 0
        self._target = TARGETS[name]
        self._rng = Random(seed)
        for data in saved(name):
            self._try(data)

    def run(self, seconds: float, most: int = sys.maxsize) -> "Guided":
        """Try inputs for so long, and at most so many. Raises what the target raises."""
        end = time.monotonic() + seconds
        while self.runs < most and time.monotonic() < end:
            self._try(self._changed())
        return self

    def keep(self) -> None:
        """Write the inputs into the corpus folder, named by what they are."""
        folder = CORPUS / self.name
        folder.mkdir(parents=True, exist_ok=True)
        for data in set(self.corpus).difference(saved(self.name)):
            (folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)

    def _try(self, data: bytes) -> None:
        self.runs += 1
        faulthandler.dump_traceback_later(_HANGS_SECONDS, exit=True)
        try:
            found = covered(self._target, data)
        except BaseException as error:
            error.add_note(f"target {self.name}, input {data!r}")
            raise
        finally:
            faulthandler.cancel_dump_traceback_later()
        if not found <= self.edges:
            self.edges |= found
            self.corpus.append(data)

    def _changed(self) -> bytes:
        rng = self._rng
        data = bytearray(rng.choice(self.corpus) if self.corpus else b"{}")
        for _ in range(rng.choice((1, 1, 2, 4, 8))):
            at = rng.randrange(len(data) + 1)
            length = rng.choice((0, 1, 1, 2, 8, 32))
            match rng.randrange(5):
                case 0:
                    data[at : at + length] = rng.choice(_TOKENS)
                case 1:
                    other = rng.choice(self.corpus)
                    start = rng.randrange(len(other) + 1)
                    data[at : at + length] = other[start : start + rng.choice((4, 16, 64, 256))]
                case 2 if at < len(data):
                    data[at] = rng.randrange(256)
                case 3:
                    data[at:at] = data[at : at + length] * rng.choice((1, 2, 30))
                case _:
                    del data[at : at + length]
        return bytes(data[:LONGEST])


def saved(name: str) -> Iterator[bytes]:
    """The inputs of a target's corpus, the smallest first."""
    inputs = (path.read_bytes() for path in (CORPUS / name).iterdir())
    yield from sorted(inputs, key=lambda data: (len(data), data))


def covered(target: Callable[[bytes], None], data: bytes) -> set[Edge]:
    """Run the target and say what it passed through. Raises what the target raises."""
    edges: set[Edge] = set()

    def enter(frame: FrameType, event: str, _: Any) -> Any:
        code = frame.f_code
        if not code.co_filename.startswith(_WATCHED):
            return None
        last = 0

        def line(frame: FrameType, event: str, _: Any) -> Any:
            nonlocal last
            if event == "line":
                edges.add((code, last, frame.f_lineno))
                last = frame.f_lineno
            return line

        return line

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        target(data)
    finally:
        sys.settrace(before)
    return edges
