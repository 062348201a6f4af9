"""Broken bodies of every form against a gateway process: `python -m tests.fuzz --bodies 100000`."""
