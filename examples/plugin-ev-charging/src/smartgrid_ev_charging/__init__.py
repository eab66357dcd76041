"""Charging of a depot's electric vehicles, as tools of SmartGrid-AI."""
