"""A declaration that AWS would refuse is refused where it is made."""

from typing import Any

import pytest

from shared.alarms import Alarm, Signal
from shared.errors import InvalidSettings, InvalidSpec
from shared.settings import SETTINGS, Settings
from shared.spec import ConsumerSpec, Source

GOOD: dict[str, Any] = {
    "name": "toy",
    "purpose": "test",
    "destination": "nothing",
    "source": Source.STREAM,
}
ALARM = Alarm("twice", Signal.FUNCTION_ERRORS, "Sum", 0, "x")

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"name": "Toy"}, "name"),
    ({"name": "a-b"}, "name"),
    ({"batch_size": 0}, "batch_size"),
    ({"batch_size": 10_001}, "batch_size"),
    ({"window_seconds": 301}, "window_seconds"),
    ({"retries": 10_001}, "retries"),
    ({"record_age_seconds": 30}, "record_age_seconds"),
    ({"record_age_seconds": 604_801}, "record_age_seconds"),
    ({"parallelization": 11}, "parallelization"),
    ({"tumbling_window_seconds": 30, "parallelization": 2}, "tumbling window"),
    ({"memory_mb": 64}, "memory_mb"),
    ({"timeout_seconds": 901}, "timeout_seconds"),
    ({"filters": ('{"a": ["b"]}',) * 6}, "at most 5 filters"),
    ({"filters": ("null",)}, "filter"),
    ({"filters": ('{"eventName": "INSERT"}',)}, "filter"),
    ({"settings": ("no_such",)}, "no_such"),
    ({"alarms": ()}, "without alarms"),
    ({"alarms": (ALARM, ALARM)}, "differ"),
]


def test_takes_a_good_one() -> None:
    assert ConsumerSpec(**GOOD).alarms


@pytest.mark.parametrize(("change", "named"), REFUSED, ids=str)
def test_refuses_and_names_the_fault(change: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        ConsumerSpec(**{**GOOD, **change})
    assert named in caught.value.reason
    assert "consumers/" in caught.value.hint


def test_lists_every_fault_at_once() -> None:
    with pytest.raises(InvalidSpec, match=r"batch_size.*memory_mb"):
        ConsumerSpec(**GOOD, batch_size=0, memory_mb=1)


def test_a_functions_own_process_does_not_look_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9")
    assert ConsumerSpec(**GOOD, batch_size=0).batch_size == 0


def test_each_setting_has_a_variable() -> None:
    assert tuple(SETTINGS) == Settings._fields


def test_settings_are_read_and_typed() -> None:
    environment = {"FANOUT_CACHE_URL": "redis://127.0.0.1:6379/", "FANOUT_CACHE_CLUSTER": "1"}
    settings = Settings.load(("cache_url",), environment)
    assert settings.cache_url == "redis://127.0.0.1:6379"
    assert settings.cache_cluster is True
    assert settings.table == ""


def test_wrong_settings_are_all_named_with_what_to_set() -> None:
    environment = {"FANOUT_CACHE_CLUSTER": "yes", "FANOUT_SEARCH_URL": "localhost"}
    with pytest.raises(InvalidSettings) as caught:
        Settings.load(("table", "search_url"), environment)
    for variable in ("FANOUT_CACHE_CLUSTER", "FANOUT_SEARCH_URL", "FANOUT_TABLE"):
        assert variable in caught.value.reason
