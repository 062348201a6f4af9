"""What can go wrong in sync.

SyncError
├── Misconfigured   an option is wrong; nothing can start
├── Refused         a version's own fault: it is quarantined until it changes
└── Unavailable     a fault of the surroundings: tried again, the version is not blamed
    ├── RegistryUnavailable
    ├── RepositoryUnavailable
    └── TritonUnavailable
        └── TritonLost
"""

from typing import Literal

Fault = Literal[
    "name", "settings", "artifact", "structure", "external_data", "contract", "load", "interface", "output",
    "batch", "example", "resources", "triton", "proof",
]  # fmt: skip
"""Why a version is refused, in one word: a bounded label for metrics."""


class SyncError(Exception):
    """Base of all; the message is for the operator."""


class Misconfigured(SyncError):
    """An option is wrong; the message names it and what is allowed."""


class Refused(SyncError):
    """A version that must not be served, through its own fault. The message says why and what to do."""

    def __init__(self, fault: Fault, reason: str) -> None:
        super().__init__(reason)
        self.fault = fault
        self.reason = reason


class Unavailable(SyncError):
    """Something around the version does not work now."""


class RegistryUnavailable(Unavailable):
    """MLflow does not answer, or answers with a fault of its own."""


class RepositoryUnavailable(Unavailable):
    """The model repository or the staging folder cannot be read or written."""


class TritonUnavailable(Unavailable):
    """A Triton does not answer."""


class TritonLost(TritonUnavailable):
    """A Triton that had answered stopped doing so over something new; that is out again."""
