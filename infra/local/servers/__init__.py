"""Embedded servers: DynamoDB, Streams, S3, SQS and SNS; a cache; a search server."""

from infra.local.servers.child import Child, spawn
from infra.local.servers.server import Server, ServerFailed, ServerStatus
from infra.local.servers.stack import AWS_ITSELF, Endpoints, Engines, Given, LocalServers
from infra.local.servers.state import StateFolder, StateTaken

__all__ = [
    "AWS_ITSELF",
    "Child",
    "Endpoints",
    "Engines",
    "Given",
    "LocalServers",
    "Server",
    "ServerFailed",
    "ServerStatus",
    "StateFolder",
    "StateTaken",
    "spawn",
]
