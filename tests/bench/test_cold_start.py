"""Cold starts are measured of what they say: a sink was made, a destination was written to."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import cold_start
from bench.figures import Scale
from bench.first_answer import answer_once
from bench.fresh import ROOT, deployed, start, with_bytecode
from bench.loopback import Loopback
from bench.side import SideFailed, lambda_environment
from bench.workload import prepared

# After the import, what each side must have made: an expression that is true of it.
MADE = {
    "audit": "bench.baseline.audit.s3.meta.service_model.service_name == 's3'",
    "metrics": "bench.baseline.metrics.batches",
    "cache": "bench.baseline.cache.cache.connection_pool",
    "search": "bench.baseline.search.client.transport",
    "totals": "bench.baseline.totals.dynamodb.meta.service_model.service_name == 'dynamodb'",
}


@pytest.fixture(scope="module")
def loopback() -> Iterator[Loopback]:
    with Loopback() as running:
        yield running


def told(code: str, environment: dict[str, str]) -> str:
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout.strip()


@pytest.mark.parametrize("consumer", cold_start.GOALS)
def test_both_sides_make_what_writes(consumer: str) -> None:
    environment = lambda_environment(None, consumer)
    # Ours opens its sink through its own `open_sink`, once, while it is imported.
    ours = (
        f"import consumers.{consumer}.sink as sink; opened = []; real = sink.open_sink\n"
        "sink.open_sink = lambda settings: opened.append(real(settings)) or opened[-1]\n"
        f"import consumers.{consumer}.handler; print(len(opened), bool(opened[0].write))"
    )
    assert told(ours, environment) == "1 True"
    theirs = f"import bench.baseline.{consumer}; print(bool({MADE[consumer]}))"
    assert told(theirs, environment) == "True"


def test_the_bytecode_of_both_sides_is_where_it_is_meant_to_be(tmp_path: Path) -> None:
    environment = with_bytecode(
        {**lambda_environment(None, "cache"), "PYTHONDONTWRITEBYTECODE": "1"}, str(tmp_path)
    )
    start("import consumers.cache.handler, bench.baseline.cache", environment)
    made = {path.name.partition(".")[0] for path in tmp_path.rglob("*.pyc")}
    assert {"entry", "handler", "batches", "session"} <= made


def test_out_of_a_bundle_comes_nothing_else(tmp_path: Path) -> None:
    environment = lambda_environment(None, "cache")
    bundle = deployed("cache", tmp_path)
    start("import consumers.cache.handler, redis, msgspec", environment, bundle)
    for missing in ("bench", "opensearchpy", "_distutils_hack"):
        start(f"import {missing}", {**environment, "PYTHONPATH": str(ROOT)})
        with pytest.raises(SideFailed, match="ended with 1"):
            start(f"import {missing}", environment, bundle)


def test_a_start_has_its_cost_and_a_failed_one_none() -> None:
    environment = lambda_environment(None, "cache")
    bare, busy = (start(code, environment) for code in ("pass", "sum(range(10**7))"))
    assert 0 < bare.cpu < busy.cpu
    with pytest.raises(SideFailed, match="ended with 3"):
        start("raise SystemExit(3)", environment)


def test_import_and_construct(loopback: Loopback) -> None:
    with tempfile.TemporaryDirectory() as folder:
        environment = with_bytecode(lambda_environment(loopback, "cache"), folder)
        bundle = deployed("cache", Path(folder))
        figure = cold_start.imported("cache", environment, bundle, rounds=2)
    assert (figure.suite, figure.unit, figure.at_most) == ("cold_start", "x", 0.15)
    assert figure.floor is not None
    # Whatever the machine does meanwhile: the interpreter's start is no small part.
    assert figure.value > 0
    assert min(figure.detail.values()) > 0
    assert {"parsers ms", "ours ms", "baseline ms", "interpreter ms"} <= set(figure.detail)


@pytest.mark.slow
@pytest.mark.parametrize("consumer", ["metrics", "search"])
def test_first_answers_have_written(loopback: Loopback, tmp_path: Path, consumer: str) -> None:
    environment = with_bytecode(lambda_environment(loopback, consumer), str(tmp_path / "pyc"))
    log = tmp_path / "log"
    figure = cold_start.answered(consumer, environment, loopback, log, rounds=1)
    parts = figure.detail
    assert min(parts[f"{side} ms"] for side in ("empty", "ours", "baseline")) > 0
    assert 0 < parts["empty MB"] < parts["ours init MB"] <= parts["ours MB"] < parts["baseline MB"]
    assert figure.value == pytest.approx(parts["ours ms"] / parts["baseline ms"])


def test_an_answer_that_wrote_nothing_is_none(
    loopback: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cold_start, "OURS", "bench.empty.handler")
    environment = with_bytecode(lambda_environment(loopback, "cache"), str(tmp_path / "pyc"))
    with pytest.raises(SideFailed, match="wrote nothing"):
        cold_start.answered("cache", environment, loopback, tmp_path / "log", rounds=1)


def test_a_handler_that_fails_has_no_first_answer(tmp_path: Path) -> None:
    environment = with_bytecode(lambda_environment(None, "cache"), str(tmp_path / "pyc"))
    event = prepared("cache", 2).event(0)
    with pytest.raises(SideFailed, match="batchItemFailures"):
        # Nobody listens where its environment says the cache is.
        answer_once("consumers.cache.handler.handler", environment, event, tmp_path / "log")
    with pytest.raises(SideFailed, match="cannot be loaded"):
        answer_once("bench.empty.nothing_there", environment, event, tmp_path / "log")


def test_an_empty_handler_takes_anything(tmp_path: Path) -> None:
    environment = with_bytecode(lambda_environment(None, "cache"), str(tmp_path / "pyc"))
    answer = answer_once("bench.empty.handler", environment, {"Records": []}, tmp_path / "log")
    assert answer.whole == answer.init + answer.first
    assert answer.init_mb <= answer.first_mb


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_short_form_covers_every_consumer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cold_start._ROUNDS, Scale.SHORT, 1)
    figures = cold_start.measure(Scale.SHORT)
    assert [each.name for each in figures] == [
        f"{consumer}, import + construct" for consumer in cold_start.GOALS
    ]
    assert all(each.floor is not None and each.at_most is not None for each in figures)
    json.dumps([each.detail for each in figures])
