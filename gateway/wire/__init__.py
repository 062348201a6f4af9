"""Bytes to domain values and back. Pure: no aiohttp, no I/O."""
