"""Running one day through the whole chain: scenario in, result out."""
