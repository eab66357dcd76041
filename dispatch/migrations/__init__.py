"""The steps that changed the ledger's tables, for alembic; :mod:`dispatch.migrating` runs them."""
