"""From a model's numbers to ellipses, outlines and calibration. Pure."""
