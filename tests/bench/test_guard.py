"""The guard fails for a ratio under its floor, and only once it is sure."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from click.testing import CliRunner

from bench import __main__ as cli
from bench import guard, suites
from bench.figures import Figure, Scale


def runs(*values: float, most: bool = False) -> tuple[guard.Measure, list[Scale]]:
    """A suite that gives one value after the other, and the scales it was asked for."""
    left, asked = list(values), []

    def measure(name: str, scale: Scale) -> list[Figure]:
        asked.append(scale)
        judged = Figure(
            suite=name,
            name="f",
            value=left.pop(0),
            unit="x",
            at_least=None if most else 9.0,
            at_most=1.0 if most else None,
            floor=3.0,
        )
        return [judged, Figure(suite=name, name="without a floor", value=0.0, unit="ms")]

    return measure, asked


@pytest.mark.parametrize(
    ("values", "holds", "count"),
    [
        ((3.0,), True, 1),
        ((9.9,), True, 1),
        ((2.9, 2.9), False, 2),
        ((2.9, 3.1, 3.1), True, 3),
        ((2.9, 3.1, 2.9), False, 3),
    ],
)
def test_it_believes_two_failures_of_three(
    values: tuple[float, ...], holds: bool, count: int
) -> None:
    measure, asked = runs(*values)
    (verdict,) = guard.judge("s", measure)
    assert verdict.figure.holds is holds
    assert len(verdict.values) == count
    assert asked == [Scale.SHORT] * count


def test_a_time_must_stay_under_its_floor() -> None:
    slow, _ = runs(3.1, 3.2, most=True)
    quick, _ = runs(2.9, most=True)
    assert not guard.judge("s", slow)[0].figure.holds
    assert guard.judge("s", quick)[0].figure.holds


def test_one_figure_that_surely_failed_does_not_stop_the_others_from_another_run() -> None:
    left = [{"a": 1.0, "b": 2.0}, {"a": 1.0, "b": 4.0}, {"a": 1.0, "b": 4.0}]

    def measure(name: str, scale: Scale) -> list[Figure]:
        return [
            Figure(suite=name, name=key, value=value, unit="x", floor=3.0)
            for key, value in left.pop(0).items()
        ]

    verdicts = {verdict.figure.name: verdict for verdict in guard.judge("s", measure)}
    assert not verdicts["a"].figure.holds
    assert verdicts["b"].figure.holds


def test_a_suite_without_floors_guards_nothing() -> None:
    def bare(name: str, scale: Scale) -> list[Figure]:
        return [Figure(suite=name, name="f", value=1.0, unit="x")]

    with pytest.raises(guard.GuardsNothing):
        guard.judge("s", bare)


def test_a_floor_that_is_gone_in_the_next_run_is_no_pass() -> None:
    left = [["a", "b"], ["b"]]

    def measure(name: str, scale: Scale) -> list[Figure]:
        return [Figure(suite=name, name=key, value=1.0, unit="x", floor=3.0) for key in left.pop(0)]

    with pytest.raises(guard.GuardsNothing):
        guard.judge("s", measure)


def command(monkeypatch: pytest.MonkeyPatch, measure: Callable[..., list[Figure]]) -> tuple:
    monkeypatch.setattr(suites, "measure", measure)
    result = CliRunner().invoke(cli.main, ["guard", "core"])
    return result.exit_code, result.stdout, result.stderr


def test_the_command_fails_and_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, err = command(monkeypatch, runs(2.0, 2.5, 2.6)[0])
    assert code == 1
    assert "SLOW core: f: 2.25 x, floor 3 (2, 2.50)" in out
    assert "What to do:" in err
    assert "bench run SUITE" in err


def test_the_command_passes_when_the_floors_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, _ = command(monkeypatch, runs(4.0)[0])
    assert code == 0
    assert out == "ok   core: f: 4 x, floor 3 (4)\n"


def test_the_command_fails_if_the_suite_does(monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.sameness import Different

    def measure(name: str, scale: Scale) -> list[Figure]:
        raise Different("cache: 3 entries differ")

    code, _, err = command(monkeypatch, measure)
    assert code == 1
    assert "3 entries differ" in err


def test_it_guards_what_is_there() -> None:
    assert {"decode", "core", "filters", "handlers"} <= set(guard.GUARDED) <= set(suites.SUITES)
