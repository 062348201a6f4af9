"""Names in Redis that both planes use."""

CATALOG = "fixgate:catalog"
"""String: the catalogue. The channel of the same name carries each new revision number."""

COMMANDS = "fixgate:commands"
"""Stream: commands for sync, field `command`."""

JOURNAL = "fixgate:journal"
"""Stream: the journal's newest entries, field `entry`, capped."""


def reply(command_id: str) -> str:
    """List of one element with an expiry: the reply to a command, for BLPOP."""
    return f"fixgate:reply:{command_id}"


def version_records(model: str, window_s: int, start: int) -> str:
    """Hash with an expiry: what became of a model's versions in one window (contract/version_record.py)."""
    return f"fixgate:record:{window_s}:{start}:{model}"
