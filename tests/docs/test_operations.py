"""docs/operations.md: what it tells people to type exists, and every alert is explained."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from cli.main import app
from contract.environment import KNOWN

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/operations.md").read_text()
SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
COMMANDS: dict[str, Any] = vars(get_command(app))["commands"]
CODE = "\n".join(re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)).replace("\\\n", " ")
PROSE = re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL).replace("\\|", "|")
SAID = [*CODE.splitlines(), *re.findall(r"`([^`\n]+)`", PROSE)]
COMPOSE = [line for line in SAID if line.strip().startswith(("docker compose", "gunzip"))]
OPTIONS = {
    "exec": {"-T"},
    "run": {"--volume", "--workdir", "--entrypoint", "--user", "--env"},
    "logs": set(),
    "up": set(),
}
"""Short options, and those that take a word of their own."""


def headings() -> list[str]:
    return re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)


def test_every_alert_has_an_entry_that_says_what_to_do() -> None:
    groups = yaml.safe_load((ROOT / "deploy/prometheus/rules.yml").read_text())["groups"]
    alerts = {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}
    assert alerts
    explained = PAGE.partition("## Alerts")[2]
    for name, rule in alerts.items():
        anchor = rule["annotations"]["runbook"].partition("#")[2]
        (heading,) = [one for one in headings() if one.lower() == anchor]
        entry = re.split(r"^### ", explained.partition(f"### {heading}\n")[2], flags=re.MULTILINE)[0]
        assert f"`{name}`" in entry or name == heading, name
        assert re.search(r"`(docker|fixgate|curl|FIXGATE|secrets|deploy|[a-z_]+)", entry), (
            f"{name}: what to do?"
        )


def test_no_entry_is_left_of_an_alert_that_is_gone() -> None:
    rules = (ROOT / "deploy/prometheus/rules.yml").read_text()
    for heading in headings():
        if heading.startswith("Fixgate"):
            assert f"#{heading.lower()}" in rules, heading


@pytest.mark.parametrize("line", [one for one in COMPOSE if "docker compose" in one])
def test_compose_commands_name_services_that_exist(line: str) -> None:
    words = shlex.split(
        line.partition("docker compose")[2].partition("|")[0].partition(">")[0], comments=True
    )
    verb, rest = words[0], words[1:]
    if verb == "up" and "--wait" in rest:  # would take the end of the job `webhook` for a failure
        assert [word for word in rest if not word.startswith("-")], line
    takes = OPTIONS.get(verb, set())
    names = []
    for place, word in enumerate(rest):
        if not word.startswith("-") and not (place and rest[place - 1] in takes - {"-T"}):
            names.append(word)
    if verb in {"exec", "run"}:
        names = names[:1]
    assert set(names) <= set(SERVICES), line


def test_commands_of_ours_exist_with_their_options() -> None:
    spoken = [line for line in SAID if line.startswith("fixgate ") and not line.startswith("fixgate_")]
    assert spoken
    for line in spoken:
        name = line.split()[1]
        assert name in COMMANDS, line


def test_jobs_take_commands_that_exist() -> None:
    """`docker compose run --rm fixgate …` and `… keys …`."""
    for line in COMPOSE:
        found = re.search(r"compose run .*?\b(fixgate|keys) +([a-z]+)", line.replace("/work", ""))
        if found and "--entrypoint" not in line:
            known = COMMANDS if found[1] == "fixgate" else vars(COMMANDS["keys"])["commands"]
            assert found[2] in known, line


def test_files_and_options_exist() -> None:
    secrets = (ROOT / "deploy/secrets.sh").read_text()
    example = (ROOT / ".env.example").read_text()
    for word in re.findall(r"`([^`\s]+)`", PAGE):
        if word.startswith("FIXGATE_"):
            assert word.partition("=")[0] in KNOWN or word.partition("=")[0] in example, word
        if word.startswith("secrets/") and word not in {"secrets/", "secrets/s3_*"}:
            assert word.removeprefix("secrets/") in secrets, word
        if word.startswith("deploy/"):
            assert (ROOT / word).exists(), word


def test_pictures_are_there() -> None:
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", PAGE)
    assert len(pictures) == len(list((ROOT / "deploy/grafana/dashboards").glob("*.json")))
    assert all((ROOT / "docs" / picture).exists() for picture in pictures)
