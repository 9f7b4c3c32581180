"""The suites measure, for real and briefly: every figure that the guard needs comes out."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest

from bench import decode, suites
from bench.figures import Scale
from bench.loopback import Loopback
from bench.side import Side, SideFailed, Turn, compare, give, lambda_environment, take_turns
from bench.workload import prepared


@pytest.mark.slow
@pytest.mark.parametrize("name", ["decode", "core", "filters"])
def test_a_suite_gives_figures_with_floors(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # What is measured so briefly is worth nothing, but there.
    monkeypatch.setitem(import_module(f"bench.{name}")._ROUNDS, Scale.SHORT, 1)
    figures = suites.measure(name, Scale.SHORT)
    assert len({figure.name for figure in figures}) == len(figures)
    assert all(figure.suite == name and figure.value > 0 for figure in figures)
    assert any(figure.floor is not None for figure in figures)


def test_a_side_against_itself_is_as_fast() -> None:
    environment = lambda_environment()
    with (
        Side("bench.decode:both_images", environment) as one,
        Side("bench.decode:both_images", environment) as other,
    ):
        give("batch", prepared("audit", 50), (one, other), "bench.decode:changes")
        compared = compare(one, other, "batch", rounds=9, calls=5)
    # Wide, since the machine is shared: what must not happen is a ratio the wrong way up.
    assert 0.2 < compared.ratio < 5
    assert compared.ours > 0
    assert compared.ours_cpu > 0


def test_the_slower_side_is_theirs_when_the_ratio_is_above_one() -> None:
    environment = lambda_environment()
    with (
        Side("bench.decode:keys", environment) as ours,
        Side("bench.baseline.decode:both_images", environment) as theirs,
    ):
        give("batch", prepared("audit", 50), (ours, theirs), "bench.decode:changes")
        compared = compare(ours, theirs, "batch", rounds=3, calls=3)
    assert compared.ratio > 2
    assert compared.theirs > compared.ours


def test_turns_cost_what_they_do_and_each_is_first_as_often() -> None:
    environment = lambda_environment()
    with (
        Side("bench.decode:both_images", environment) as few,
        Side("bench.decode:both_images", environment) as many,
    ):
        give("few", prepared("audit", 20), (few,), "bench.decode:changes")
        give("many", prepared("audit", 400), (many,), "bench.decode:changes")
        asked: list[str] = []
        for side in (few, many):
            side.ask = _noting(side.ask, asked)  # type: ignore[method-assign]
        found = take_turns([Turn(few, "few", 3), Turn(many, "many", 2)], rounds=4)
    assert asked == ["few", "many", *["few", "many", "many", "few"] * 2]
    assert len(found) == 4
    assert all(small.wall < large.wall and small.cpu < large.cpu for small, large in found)


def _noting(ask: Callable[..., dict[str, Any]], asked: list[str]) -> Callable[..., dict[str, Any]]:
    def noting(do: str, **arguments: Any) -> dict[str, Any]:
        asked.append(arguments["name"])
        return ask(do, **arguments)

    return noting


def test_a_target_that_is_not_there_fails_with_its_name() -> None:
    with pytest.raises(SideFailed, match="nowhere"):
        Side("bench.nowhere:handler", lambda_environment())


def test_what_is_decoded_by_both_is_equal() -> None:
    from boto3.dynamodb.types import TypeDeserializer

    from shared.codec import decode_image

    boto = TypeDeserializer().deserialize
    for record in prepared("audit", 50).event(1)["Records"]:
        for image in (record["dynamodb"].get(name, {}) for name in decode.IMAGES):
            assert decode_image(image) == {key: boto(value) for key, value in image.items()}


def test_peak_memory_is_that_of_one_call() -> None:
    with (
        Loopback() as loopback,
        Side("consumers.audit.handler:handler", lambda_environment(loopback, "audit")) as side,
    ):
        peaks = []
        for count in (50, 500):
            give("batch", prepared("audit", count), (side,))
            peaks.append(side.ask("peak", name="batch")["bytes"])
    assert peaks[1] > 3 * peaks[0] > 0
