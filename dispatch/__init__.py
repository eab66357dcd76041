"""The only way to act: proposals, approvals, the ledger with its audit chain, the executor, the lease."""
