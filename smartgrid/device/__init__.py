"""The simulated plant as a device of its own, behind Modbus TCP."""
