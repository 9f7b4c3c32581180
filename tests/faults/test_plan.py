"""The plan of faults: seeded, complete, and in lanes that never put two on one server at once."""

from ops.chaos.faults import CONSUMERS, MEANINGS, PIPELINE, REAL_SERVERS, SERVERS, Kind, plan


def test_the_same_seed_gives_the_same_faults() -> None:
    assert plan(7, 300) == plan(7, 300)
    assert plan(7, 300) != plan(8, 300)
    assert plan(7, 40) == plan(7, 300)[:40]


def test_each_kind_comes_before_any_comes_twice() -> None:
    for seed in range(5):
        faults = plan(seed, 200)
        assert len(faults) == 200
        assert {fault.kind for fault in faults[: len(Kind)]} == set(Kind)
        assert [fault.number for fault in faults] == list(range(1, 201))


def test_only_the_chosen_kinds() -> None:
    faults = plan(1, 50, [Kind.CUT, Kind.RECUT])
    assert {fault.kind for fault in faults} == {Kind.CUT, Kind.RECUT}


def test_everything_is_hit_and_bounded() -> None:
    faults = plan(3, 1_000)
    assert {fault.target for fault in faults} == {*SERVERS, *CONSUMERS, PIPELINE}
    for kind in set(Kind) - {Kind.MISREPORTED, Kind.KILL_PIPELINE}:
        targets = {fault.target for fault in faults if fault.kind is kind}
        assert targets in ({*SERVERS}, {*CONSUMERS}), kind
    assert max(fault.seconds for fault in faults) < 5
    assert max(fault.pause for fault in faults if fault.kind is not Kind.KILL_PIPELINE) < 1
    assert max(fault.pause for fault in faults) < 6
    assert all(fault.requests >= 1 for fault in faults)


def test_faults_of_one_server_are_in_one_lane() -> None:
    on_servers = {
        fault.lane
        for fault in plan(3, 1_000)
        if fault.target in SERVERS and fault.lane not in ("workers", "disk", "deliveries")
    }
    assert on_servers == {*SERVERS}
    lanes = {*SERVERS, "workers", "disk", "deliveries", PIPELINE}
    assert {fault.lane for fault in plan(3, 300)} == lanes


def test_dynamodb_is_hit_where_it_is_a_server_of_its_own() -> None:
    faults = plan(3, 1_000, servers=REAL_SERVERS)
    for kind in (Kind.KILL_SERVER, Kind.MISREPORTED, Kind.LATE, Kind.THROTTLE, Kind.KILL_AMID):
        assert "dynamodb" in {fault.target for fault in faults if fault.kind is kind}, kind
    assert "dynamodb" not in {fault.target for fault in plan(3, 1_000)}


def test_every_kind_is_explained() -> None:
    assert set(MEANINGS) == set(Kind)
