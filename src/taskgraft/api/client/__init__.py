"""Clients of a running service; their errors are those of the error tree."""

from taskgraft.api.client.blocking import Client
from taskgraft.api.client.concurrent import AsyncClient

__all__ = ["AsyncClient", "Client"]
