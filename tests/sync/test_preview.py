"""What would change, found by looking only."""

from dataclasses import replace

from contract.catalog import Catalog
from sync import catalogue
from sync.feed import Feed
from sync.observation import Observation
from sync.plan import Situation
from sync.preview import Difference, differences
from sync.settings import Settings, dump_tag
from tests.sync.makers import live, live_model, model, record, registered, wanted

ONE, TWO, THREE = registered(1), registered(2), registered(3)
LIVE = live(live_model(record(ONE), record(TWO)))


def feed(*numbers: int, champion: int) -> Feed:
    """A feed whose last catalogue serves these versions."""
    desired = wanted(
        model(*(registered(one) for one in numbers), aliases={"champion": champion, "candidate": numbers[0]})
    )
    proven = {("loc", one): 8 for one in numbers}
    circumstances = catalogue.Circumstances(now=0.0, proven=proven)
    made = Feed.__new__(Feed)
    made.last = Catalog(
        "1.0", 1, 0.0, dict(catalogue.draft(desired, LIVE, Situation(), None, circumstances).models)
    )
    return made


def seen(aliases: dict[str, int], **tags: str) -> Observation:
    desired = wanted(model(ONE, TWO, THREE, aliases=aliases, tags=tags))
    return Observation(0.0, (), True, desired, LIVE, {})


def test_a_new_version_and_one_that_nobody_wants_are_differences() -> None:
    found = differences(seen({"champion": 2, "shadow": 3}), feed(1, 2, champion=2), {})
    assert Difference("loc", 3, "fetch, prove, publish", "alias shadow") in found
    assert Difference("loc", 1, "retire", "no longer wanted") in found


def test_an_alias_that_would_move_is_a_difference() -> None:
    found = differences(seen({"champion": 1, "candidate": 1, "x": 2}), feed(1, 2, champion=2), {})
    assert Difference("loc", 1, "alias champion: 2 -> 1") in found


def test_new_settings_are_a_difference() -> None:
    tag = dump_tag(Settings(4, 1, 1))
    found = differences(
        seen({"champion": 2, "candidate": 1}, **{"fixgate.settings": tag}), feed(1, 2, champion=2), {}
    )
    assert found == (Difference("loc", None, "load every version again", tag),)


def test_what_is_served_as_wanted_is_no_difference() -> None:
    assert differences(seen({"champion": 2, "candidate": 1}), feed(1, 2, champion=2), {}) == ()


def test_what_was_left_unfinished_is_a_difference() -> None:
    now = seen({"champion": 2, "candidate": 1})
    half = replace(now, live=replace(now.live, unfinished=("other",)))
    (found,) = differences(half, feed(1, 2, champion=2), {})
    assert (found.model, found.version, found.what) == ("other", None, "clear")
