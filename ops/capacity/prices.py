"""Prices, from one dated file."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FILE = Path(__file__).with_name("prices.json")


@dataclass(frozen=True, slots=True)
class Prices:
    """What AWS asks. A price is looked up by its name in the file.

    Attributes:
        date: when the file was last compared, YYYY-MM-DD.
        region: whose prices they are.
    """

    date: str
    region: str
    values: dict[str, float]

    def __getitem__(self, name: str) -> float:
        """The price of one unit, in dollars. KeyError for a name that the file lacks."""
        return self.values[name]


@cache
def load(path: Path = FILE) -> Prices:
    """Read the file."""
    told = json.loads(path.read_text(encoding="utf-8"))
    return Prices(
        told["date"], told["region"], {name: float(v) for name, (v, _) in told["prices"].items()}
    )
