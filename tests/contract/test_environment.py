"""Names of options, known to every part."""

from contract.environment import KNOWN, unknown
from sync.config import known_names as sync_names


def test_a_misspelt_name_is_reported() -> None:
    assert unknown(["FIXGATE_PROT", "FIXGATE_PORT", "PATH", "FIXGATE_CACHE_TTL"]) == [
        "FIXGATE_CACHE_TTL",
        "FIXGATE_PROT",
    ]


def test_the_control_planes_names_are_known() -> None:
    assert sync_names() <= KNOWN
