"""The vocabulary and the plant: units, telemetry, clock, assets, market, simulator, drivers."""
