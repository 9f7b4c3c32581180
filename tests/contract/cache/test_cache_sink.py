"""The cache's sink on a real server: what leaves the cache, and what is reported when it fails."""

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

import pytest
from redis import Redis

from consumers.cache.connection import Connection, Endpoint, Refused, encode
from consumers.cache.projection import Entries
from consumers.cache.single import SingleServer
from consumers.cache.sink import CacheSink, open_sink
from infra.local.servers.server import Server
from shared.cache_keys import lease_key, value_key
from shared.clock import Deadline
from shared.errors import DeadlineNear, Retryable, Unavailable
from shared.settings import Settings

LONG = 60.0


def fill(cache: Redis, *entries: str) -> None:
    cache.mset({key: b"x" for entry in entries for key in (value_key(entry), lease_key(entry))})


def unlinks(cache: Redis) -> int:
    calls = cache.info("commandstats").get("cmdstat_unlink", {}).get("calls", 0)
    assert isinstance(calls, int)
    return calls


def names(count: int) -> list[str]:
    return [f"order:o-{number}" for number in range(count)]


@contextmanager
def through(server: Server, answers: int) -> Iterator[str]:
    """The server's URL behind a wire that breaks once it has carried `answers` answers."""
    listener = socket.create_server(("127.0.0.1", 0))

    def carry() -> None:
        client, _ = listener.accept()
        with client, socket.create_connection(("127.0.0.1", server.port)) as real:
            asked = b""
            for _ in range(answers):
                while (end := _end_of_first(asked)) is None:
                    asked += client.recv(1 << 20)
                real.sendall(asked[:end])
                asked = asked[end:]
                client.sendall(real.recv(1 << 16))
            client.recv(1 << 20)  # the next is taken, and never answered
        listener.close()  # nor is anybody let in again

    thread = threading.Thread(target=carry, daemon=True)
    thread.start()
    yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"
    thread.join(LONG)
    assert not thread.is_alive()


def _end_of_first(commands: bytes) -> int | None:
    """Where the first UNLINK ends; None if less has arrived than the parts that it announces."""
    head, newline, _ = commands.partition(b"\r\n")
    if not newline:
        return None
    end = len(head) + 2
    for _ in range(2 * int(head[1:])):
        end = commands.find(b"\r\n", end) + 2
        if end < 2:
            return None
    return end


def test_values_and_leases_go_and_nothing_else(cache: Redis, sink: CacheSink) -> None:
    fill(cache, "order:a", "order:b", "total:u")
    result = sink.write([("order:a",), ("total:u", "score:never-cached")], Deadline(LONG))
    assert (result.rejected, result.unavailable, result.conflicts) == ({}, {}, 0)
    assert sorted(cache.keys()) == sorted(
        [value_key("order:b").encode(), lease_key("order:b").encode()]
    )


@pytest.mark.parametrize(("entries", "commands"), [(1, 1), (250, 1), (251, 2), (1_000, 4)])
def test_one_command_per_500_keys(
    entries: int, commands: int, cache: Redis, sink: CacheSink
) -> None:
    fill(cache, *names(entries))
    before = unlinks(cache)
    assert sink.write([(name,) for name in names(entries)], Deadline(LONG)).unavailable == {}
    assert unlinks(cache) - before == commands
    assert cache.dbsize() == 0


def test_what_many_records_name_is_removed_once(cache: Redis, sink: CacheSink) -> None:
    before = unlinks(cache)
    operations = [("order:a", "customer-orders:c"), ("order:b", "customer-orders:c")] * 500
    assert sink.write(operations, Deadline(LONG)).unavailable == {}
    assert unlinks(cache) - before == 1


def test_nothing_to_remove_asks_nothing(cache: Redis, sink: CacheSink) -> None:
    before = unlinks(cache)
    sink.write([], Deadline(LONG))
    assert unlinks(cache) == before


def test_any_id_is_removed(cache: Redis, sink: CacheSink) -> None:
    odd = ["order:", "order:a b", "order:{x}", "order:}{", "order:ø\r\n$3", "order:" + "x" * 2_048]
    fill(cache, *odd)
    sink.write([tuple(odd)], Deadline(LONG))
    assert cache.dbsize() == 0


@pytest.mark.parametrize("answered", [0, 1, 3])
def test_a_wire_that_breaks_midway_names_the_first_record_not_done(
    answered: int, cache: Redis, cache_server: Server
) -> None:
    fill(cache, *names(1_000))
    # Two entries per operation, one of which the operation before has named too.
    operations: list[Entries] = [
        (name, after) for name, after in zip(names(999), names(1_000)[1:], strict=True)
    ]
    with through(cache_server, answered) as url:
        sink = CacheSink(SingleServer(Endpoint.parse(url)))
        result = sink.write(operations, Deadline(LONG))
    ((index, error),) = result.unavailable.items()
    assert isinstance(error, Unavailable)
    assert error.hint
    # Chunks of 250 entries; the first operation with an entry in the chunk that failed.
    assert index == (250 * answered - 1 if answered else 0)
    done = {entry for entries in operations[:index] for entry in entries}
    assert not cache.exists(*map(value_key, done or ["order:none"]))
    assert cache.exists(value_key(f"order:o-{250 * answered}"))


@contextmanager
def talking(*connections: Sequence[tuple[int, bytes]]) -> Iterator[str]:
    """A server that, on each connection, reads so many commands, says so much, and so on.

    It hangs up after the last, and has read no more than it was told to.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def talk() -> None:
            for steps in connections:
                client, _ = listener.accept()
                asked = b""
                with client:
                    for commands, answer in steps:
                        for _ in range(commands):
                            while (end := _end_of_first(asked)) is None:
                                more = client.recv(1 << 20)
                                if not more:
                                    return
                                asked += more
                            asked = asked[end:]
                        client.sendall(answer)
                    assert asked == b"", "more was asked than expected"
                    client.shutdown(socket.SHUT_WR)

        thread = threading.Thread(target=talk, daemon=True)
        thread.start()
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}"
        thread.join(LONG)
        assert not thread.is_alive()


def write_names(sink: CacheSink, count: int) -> dict[int, Retryable]:
    return dict(sink.write([(name,) for name in names(count)], Deadline(LONG)).unavailable)


def test_all_commands_of_a_batch_are_sent_before_the_first_answer() -> None:
    """The chunks of a batch wait once for the way there and back, not once each."""
    with (
        talking([(4, b":500\r\n" * 4)]) as url,
        closing(CacheSink(SingleServer(Endpoint.parse(url)))) as sink,
    ):
        assert write_names(sink, 1_000) == {}


def test_a_command_refused_midway_is_where_redelivery_starts() -> None:
    """Answers behind it are not taken for those of the next batch, which comes from elsewhere."""
    refused = b":500\r\n-OOM command not allowed\r\n:500\r\n:500\r\n"
    with (
        talking([(4, refused)], [(1, b"-READONLY\r\n")]) as url,
        closing(CacheSink(SingleServer(Endpoint.parse(url)))) as sink,
    ):
        ((index, error),) = write_names(sink, 1_000).items()
        assert (index, "OOM" in str(error)) == (250, True)
        ((index, error),) = write_names(sink, 1).items()
        assert (index, "READONLY" in str(error)) == (0, True)


def test_only_what_a_lost_connection_left_unanswered_is_sent_again() -> None:
    first = [(1, b":2\r\n"), (4, b":500\r\n" * 2)]
    with (
        talking(first, [(2, b":500\r\n" * 2)]) as url,
        closing(CacheSink(SingleServer(Endpoint.parse(url)))) as sink,
    ):
        assert write_names(sink, 1) == {}
        assert write_names(sink, 1_000) == {}


def test_answers_that_stop_coming_name_the_first_chunk_without_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepted: list[socket.socket] = []

        def talk() -> None:
            accepted.append(listener.accept()[0])
            accepted[0].sendall(b":500\r\n" * 3)

        thread = threading.Thread(target=talk, daemon=True)
        thread.start()
        url = f"redis://127.0.0.1:{listener.getsockname()[1]}"
        with closing(CacheSink(SingleServer(Endpoint.parse(url)))) as sink:
            operations = [(name,) for name in names(1_000)]
            ((index, error),) = sink.write(operations, Deadline(0.5)).unavailable.items()
        thread.join(LONG)
        accepted[0].close()
    assert (index, "TimeoutError" in str(error)) == (750, True)


def test_a_server_that_is_gone_and_comes_back(own_server: Server) -> None:
    with closing(CacheSink(SingleServer(Endpoint.parse(own_server.url)))) as sink:
        _stop_and_start(own_server, sink)


def _stop_and_start(own_server: Server, sink: CacheSink) -> None:
    sink.probe(Deadline(LONG))
    own_server.stop()
    for _ in range(2):
        result = sink.write([("order:a",), ("order:b",)], Deadline(LONG))
        assert isinstance(result.unavailable[0], Unavailable)
    with pytest.raises(Unavailable, match="did not answer") as caught:
        sink.probe(Deadline(LONG))
    assert caught.value.hint
    own_server.start()
    with Redis(port=own_server.port) as cache:
        fill(cache, "order:a")
        assert sink.write([("order:a",)], Deadline(LONG)).unavailable == {}
        assert cache.dbsize() == 0
    sink.probe(Deadline(LONG))


def test_an_idle_connection_that_was_dropped_is_no_failure(cache: Redis, sink: CacheSink) -> None:
    sink.probe(Deadline(LONG))
    for connection in cache.client_list():
        if int(connection["id"]) != cache.client_id():
            cache.client_kill_filter(_id=connection["id"])
    fill(cache, "order:a")
    assert sink.write([("order:a",)], Deadline(LONG)).unavailable == {}
    assert cache.dbsize() == 0


@pytest.mark.parametrize("answers", [0, 1], ids=["from the start", "after a while"])
def test_a_server_that_is_silent_is_waited_for_once(answers: int) -> None:
    """A second try would double the load on a server that has too much of it."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(LONG)
        store = SingleServer(Endpoint.parse(f"redis://127.0.0.1:{silent.getsockname()[1]}"))
        accepted: list[socket.socket] = []

        def answer() -> None:
            accepted.append(silent.accept()[0])
            for _ in range(answers):
                accepted[0].recv(1 << 16)
                accepted[0].sendall(b":2\r\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        for _ in range(answers):
            assert store.unlink([["order:a"]], Deadline(LONG)) == (1, None)
        done, error = store.unlink([["order:a"]], Deadline(0.4))
        assert (done, type(error)) == (0, Unavailable)
        assert "TimeoutError" in str(error)
        thread.join(LONG)
        accepted[0].close()
        silent.settimeout(0.05)
        with pytest.raises(TimeoutError):
            silent.accept()


def test_nothing_is_begun_without_time(cache: Redis, sink: CacheSink) -> None:
    fill(cache, "order:a")
    result = sink.write([("order:a",)], Deadline(0))
    assert isinstance(result.unavailable[0], DeadlineNear)
    with pytest.raises(DeadlineNear):
        sink.probe(Deadline(0))
    assert cache.exists(value_key("order:a"))


@pytest.mark.parametrize(
    ("config", "code"),
    [({"replicaof": "127.0.0.1 1"}, "READONLY"), ({"requirepass": "s3cret"}, "NOAUTH")],
)
def test_a_server_that_refuses_is_unavailable_and_says_what_to_do(
    config: dict[str, str], code: str, own_server: Server
) -> None:
    with Redis(port=own_server.port) as cache:
        for name, value in config.items():
            if name == "replicaof":
                cache.execute_command("REPLICAOF", *value.split())
            else:
                cache.config_set(name, value)
        with closing(CacheSink(SingleServer(Endpoint.parse(own_server.url)))) as sink:
            result = sink.write([("order:a",)], Deadline(LONG))
    error = result.unavailable[0]
    assert code in error.reason
    assert error.hint
    assert "s3cret" not in str(error)


def test_signing_in_and_choosing_a_database(own_server: Server) -> None:
    with Redis(port=own_server.port) as admin:
        admin.acl_setuser(
            "fanout",
            enabled=True,
            passwords=["+p@ss/word"],
            keys=["*"],
            commands=["+unlink", "+ping", "+select"],
        )
        fill(admin, "order:a")
        url = f"redis://fanout:p%40ss%2Fword@127.0.0.1:{own_server.port}"
        with closing(open_sink(Settings(cache_url=f"{url}/1"))) as elsewhere:
            elsewhere.probe(Deadline(LONG))
            elsewhere.write([("order:a",)], Deadline(LONG))
        assert admin.dbsize() == 2, "another database"
        with closing(open_sink(Settings(cache_url=url))) as here:
            here.write([("order:a",)], Deadline(LONG))
        assert admin.dbsize() == 0
        wrong = open_sink(Settings(cache_url=url.replace("word", "x")))
        with pytest.raises(Unavailable, match="WRONGPASS"):
            wrong.probe(Deadline(LONG))


def test_a_server_that_is_no_cache(cache_server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:

        def talk() -> None:
            for _ in range(2):
                connection, _ = other.accept()
                with connection:
                    connection.recv(1_024)
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=talk, daemon=True)
        thread.start()
        url = f"redis://127.0.0.1:{other.getsockname()[1]}"
        for _ in range(2):
            with pytest.raises(Unavailable, match="ConnectionAbortedError"):
                SingleServer(Endpoint.parse(url)).ping(Deadline(LONG))
        thread.join(LONG)


def test_an_error_is_told_by_its_code_alone(cache_server: Server) -> None:
    connection = Connection(Endpoint.parse(cache_server.url), LONG)
    connection.send(encode(b"SECRET-COMMAND", b"ada@example.org"), LONG)
    with pytest.raises(Refused) as caught:
        connection.answer(LONG)
    connection.close()
    assert str(caught.value) == "ERR"
