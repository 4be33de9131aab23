"""Studies, leases and ledgers in SQLite or PostgreSQL; nothing else in Taskgraft talks to a database."""

from taskgraft.search.store.database import DatabaseAway
from taskgraft.search.store.ledger import Ledger
from taskgraft.search.store.store import Store
from taskgraft.search.store.studies import MAX_PAGE, Page
from taskgraft.search.store.trainings import KeptTraining, TrainingIndex
from taskgraft.search.store.urls import sqlite_url

__all__ = ["MAX_PAGE", "DatabaseAway", "KeptTraining", "Ledger", "Page", "Store", "TrainingIndex", "sqlite_url"]
