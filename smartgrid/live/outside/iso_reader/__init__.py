"""Reads the operators' public servers through gridstatus; asked and answered in JSON lines."""
