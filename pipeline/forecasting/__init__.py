"""The forecaster: seasonal features, a linear stage under trees, bands that are calibrated as they go."""
