"""Live telemetry and history of an operator's area, read through gridstatus in an environment of its own."""
