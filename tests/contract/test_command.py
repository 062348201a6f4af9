"""Commands and replies: round trip and refusal."""

import msgspec
import pytest

from contract import command, keys

COMMAND = command.Command(
    id="0197",
    action="route",
    by="key:ops",
    issued_at=1.0,
    expires_at=31.0,
    model="localization",
    arguments={"weights": msgspec.Raw(b'{"champion":90}')},
)
REPLY = command.Reply(id="0197", ok=True, message="done", before={"champion": 1}, after={"champion": 2})


def test_a_command_survives_dump_and_parse() -> None:
    parsed = command.parse_command(command.dump(COMMAND))
    assert parsed.arguments["weights"] == COMMAND.arguments["weights"]
    assert command.dump(parsed) == command.dump(COMMAND)


def test_a_reply_survives_dump_and_parse() -> None:
    assert command.parse_reply(command.dump(REPLY)) == REPLY


@pytest.mark.parametrize("document", [b"", b"{}", b'{"id": "1", "action": "drop", "by": "x"}'])
def test_what_is_no_command_is_refused(document: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        command.parse_command(document)


def test_what_is_no_reply_is_refused() -> None:
    with pytest.raises(ValueError, match="ok"):
        command.parse_reply(b'{"id": "1"}')


def test_each_command_has_a_reply_key_of_its_own() -> None:
    assert keys.reply("a") != keys.reply("b")
