"""Benchmarks that anybody can run again, each with its references beside it."""
