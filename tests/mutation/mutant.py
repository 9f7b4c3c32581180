"""A safeguard to take out.

A row takes one safeguard out by replacing a piece of text that stands exactly once in its file.
When code is changed so that a piece is no longer there, the row is to be written anew: a check that
no longer applies proves nothing, and `test_table.py` fails until it is.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutant:
    """One safeguard taken out.

    Attributes:
        safeguard: what is taken out, in words.
        file: from the repository's root.
        before: text of the safeguard, as it stands in the file.
        after: what takes its place.
        tests: the smallest selection that must fail without it, as pytest's node ids.
    """

    safeguard: str
    file: str
    before: str
    after: str
    tests: tuple[str, ...]
