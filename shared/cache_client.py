"""redis-py clients, bounded in time and without retries of their own.

For readers, and for a sink in cluster mode. Importing this imports redis-py, which costs more
than all the rest of a handler's start; see consumers.cache.connection.
"""

from redis import Redis, RedisCluster
from redis.backoff import NoBackoff
from redis.exceptions import RedisClusterException, RedisError
from redis.retry import Retry

Client = Redis | RedisCluster

# Whatever a client raises when the cache is gone, loading, full, or not what it was.
CACHE_ERRORS = (RedisError, RedisClusterException, OSError)


def connect(url: str, *, cluster: bool, seconds: float) -> Client:
    """A client of the cache at `url`, which waits at most `seconds` to connect and to read.

    Values come back as bytes. Safe to share between threads. A single server is connected to
    when first used. A cluster is asked for its slots at once, and raises one of CACHE_ERRORS
    if it does not tell.
    """
    if cluster:
        return RedisCluster.from_url(
            url,
            socket_timeout=seconds,
            socket_connect_timeout=seconds,
            socket_keepalive=True,
            # What is lost of a cluster need not take the rest with it.
            require_full_coverage=False,
            # One more try, after a moved slot or a lost node made it read the slots anew.
            retry=Retry(NoBackoff(), 1),
        )
    return Redis.from_url(
        url,
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
        socket_keepalive=True,
        retry=Retry(NoBackoff(), 0),
    )
