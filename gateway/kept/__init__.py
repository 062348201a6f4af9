"""Predictions that are remembered: for feedback, for lists, for whoever watches."""
