"""Names in Redis that both planes use."""

CATALOG = "fixgate:catalog"
"""String: the catalogue. The channel of the same name carries each new revision number."""

COMMANDS = "fixgate:commands"
"""Stream: commands for sync, field `command`."""

JOURNAL = "fixgate:journal"
"""Stream: the journal's newest entries, field `entry`, capped."""


CACHE_GENERATION = "fixgate:cache:generation"
"""Number: how often the cache was cleared. A gateway that sees it change forgets what it has in memory."""

FIXES = "fixgate:fix:"
"""Prefix of cached fixes; then the model's name, a colon and 64 hexadecimal digits."""


def reply(command_id: str) -> str:
    """List of one element with an expiry: the reply to a command, for BLPOP."""
    return f"fixgate:reply:{command_id}"


def version_records(model: str, window_s: int, start: int) -> str:
    """Hash with an expiry: what became of a model's versions in one window (contract/version_record.py)."""
    return f"fixgate:record:{window_s}:{start}:{model}"
