"""The `fixgate` command."""
