"""Fixes that were found before: in memory, and shared through Redis."""
