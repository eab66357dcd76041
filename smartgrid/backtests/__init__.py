"""Backtests that bring several rooms together."""
