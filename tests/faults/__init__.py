"""Faults of every part under load: nothing lost, nothing hanging, nothing wrong, recovery by itself."""
