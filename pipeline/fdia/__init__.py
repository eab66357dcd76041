"""False data injection: labelled attacks, and the detectors that score every pulse against them."""
