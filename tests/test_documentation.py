"""The documentation names every option, and every link in it leads somewhere."""

import re
from pathlib import Path

import pytest

from contract.environment import KNOWN
from gateway.config import Config

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))


def test_every_option_is_documented() -> None:
    text = "\n".join(page.read_text() for page in PAGES)
    assert not [name for name in sorted(KNOWN) if f"`{name}`" not in text]


def test_the_gateways_defaults_are_documented() -> None:
    page = (ROOT / "docs/options.md").read_text().partition("## sync")[0]
    documented: dict[str, str] = {}
    for _, names, defaults, *_ in (
        row.split("|") for row in re.findall(r"^\| `FIXGATE.*$", page, re.MULTILINE)
    ):
        found = re.findall(r"`FIXGATE_(\w+)`", names)
        documented |= dict(zip(found, re.findall(r"`(.*?)`", defaults) or [""], strict=True))
    config = Config()
    assert documented == {name: _shown(getattr(config, name.lower())) for name in documented}
    assert len(documented) >= 20


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text())
    assert not [link for link in links if not (page.parent / link).exists()]


def _shown(default: object) -> str:
    if default is None:
        return ""
    if isinstance(default, tuple):
        return ",".join(default)
    return f"{default:g}" if isinstance(default, float) else str(default)
