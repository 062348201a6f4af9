"""What tests of the document share."""

import pytest
from _pytest.nodeid import coerce_node_id


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One id for each operation: schemathesis gives all of them the same, and xdist runs an id once."""
    for item in items:
        if (label := getattr(item, "operation_label", None)) and label not in item.nodeid:
            item._id = coerce_node_id(f"{item.nodeid}[{label}]")
