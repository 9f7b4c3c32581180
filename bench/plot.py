"""The plot of what a record costs by the size of its batch, as SVG, for light and dark pages."""

import math
from collections.abc import Sequence
from xml.sax.saxutils import escape

from bench.figures import Figure

_OURS, _BASELINE = "ours µs/record", "baseline µs/record"
_PANEL, _HEIGHT = 190, 240
_LEFT, _TOP, _BOTTOM, _GAP = 70, 78, 60, 14
_STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #24292f; }
  .title { font-size: 15px; font-weight: 600; }
  .small { font-size: 11px; }
  .frame, .grid { fill: none; stroke: #d0d7de; }
  .ours, .baseline { fill: none; stroke-width: 2; }
  .ours { stroke: #0969da; }
  .baseline { stroke: #bc4c00; stroke-dasharray: 5 4; }
  circle.ours { fill: #0969da; } circle.baseline { fill: #bc4c00; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .frame, .grid { stroke: #3d444d; }
    .ours { stroke: #58a6ff; } circle.ours { fill: #58a6ff; }
    .baseline { stroke: #f0883e; } circle.baseline { fill: #f0883e; }
  }
"""

# records -> (ours, baseline), in µs per record
Costs = dict[int, tuple[float, float]]


def costs_of(figures: Sequence[Figure]) -> dict[str, Costs]:
    """The costs by consumer and batch size, from the figures of the suite `handlers`."""
    found: dict[str, Costs] = {}
    for figure in figures:
        consumer, _, size = figure.name.partition(", ")
        if figure.suite == "handlers" and size.endswith(" records") and _OURS in figure.detail:
            records = int(size.removesuffix(" records").replace(",", ""))
            costs = (figure.detail[_OURS], figure.detail[_BASELINE])
            found.setdefault(consumer, {})[records] = costs
    return found


def draw(costs: dict[str, Costs]) -> str:
    """A panel for each consumer, both axes logarithmic. Raises ValueError if there is no cost."""
    values = [value for sizes in costs.values() for pair in sizes.values() for value in pair]
    if not values:
        raise ValueError("no handler was measured")
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    width = _LEFT + len(costs) * (_PANEL + _GAP) + 10
    box = f'viewBox="0 0 {width} {_TOP + _HEIGHT + _BOTTOM}" width="{width}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box} role="img" aria-labelledby="title">',
        f"<style>{_STYLE}</style>",
        '<title id="title">Cost per record by batch size, ours and the batched baseline</title>',
        f'<text class="title" x="{_LEFT}" y="24">Cost per record by batch size</text>',
        *_legend(),
        _turned("µs per record", 18, _TOP + _HEIGHT / 2),
        _text("records in a batch", _LEFT + (width - _LEFT) / 2, _TOP + _HEIGHT + 48),
    ]
    for power in range(low, high + 1):
        y = _y(10.0**power, low, high)
        parts.append(_text(f"{10.0**power:g}", _LEFT - 8, y + 4, anchor="end", kind="small"))
    for place, (consumer, sizes) in enumerate(costs.items()):
        left = _LEFT + place * (_PANEL + _GAP)
        parts += _panel(consumer, sizes, left, (low, high))
    return "\n".join([*parts, "</svg>", ""])


def _legend() -> list[str]:
    parts = []
    for place, (kind, text) in enumerate((("ours", "ours"), ("baseline", "batched baseline"))):
        x = _LEFT + place * 90
        parts.append(f'<path class="{kind}" d="M{x} 46 h26"/>')
        parts.append(_text(text, x + 32, 50, anchor="start"))
    return parts


def _panel(consumer: str, sizes: Costs, left: float, powers: tuple[int, int]) -> list[str]:
    low, high = powers
    parts = [
        f'<rect class="frame" x="{left}" y="{_TOP}" width="{_PANEL}" height="{_HEIGHT}"/>',
        _text(consumer, left + _PANEL / 2, _TOP - 8),
    ]
    for power in range(low + 1, high):
        y = _y(10.0**power, low, high)
        parts.append(f'<path class="grid" d="M{left} {y:.1f} h{_PANEL}"/>')
    across = {records: _x(records, sizes, left) for records in sorted(sizes)}
    for records, x in across.items():
        label = f"{records // 1000}k" if records >= 1_000 else str(records)
        parts.append(_text(label, x, _TOP + _HEIGHT + 18, kind="small"))
    for which, kind in enumerate(("ours", "baseline")):
        points = [(x, _y(sizes[records][which], low, high)) for records, x in across.items()]
        line = " L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        parts.append(f'<path class="{kind}" d="M{line}"/>')
        parts += [f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>' for x, y in points]
    return parts


def _x(records: int, sizes: Costs, left: float) -> float:
    first, last = math.log10(min(sizes)), math.log10(max(sizes))
    share = (math.log10(records) - first) / (last - first) if last > first else 0.5
    return left + 18 + share * (_PANEL - 36)


def _y(value: float, low: int, high: int) -> float:
    share = (math.log10(value) - low) / max(1, high - low)
    return _TOP + _HEIGHT * (1 - share)


def _text(text: str, x: float, y: float, *, anchor: str = "middle", kind: str = "") -> str:
    style = f' class="{kind}"' if kind else ""
    return f'<text{style} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _turned(text: str, x: float, y: float) -> str:
    return (
        f'<text x="{x}" y="{y:.1f}" text-anchor="middle" '
        f'transform="rotate(-90 {x} {y:.1f})">{escape(text)}</text>'
    )
