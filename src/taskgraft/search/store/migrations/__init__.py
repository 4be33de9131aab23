"""Alembic's scripts for the store's own tables; a change of `tables` needs a new one in ``versions``."""
