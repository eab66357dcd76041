"""Trading: what stored energy is worth, learnt from prices of the past."""
