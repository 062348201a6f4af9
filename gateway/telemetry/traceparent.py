"""The W3C `traceparent` of the call to Triton that is being made."""

from contextvars import ContextVar

CURRENT: ContextVar[str] = ContextVar("traceparent", default="")
"""Empty: the call belongs to no trace."""
