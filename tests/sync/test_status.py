"""The status document says where each version stands."""

from dataclasses import replace

from contract.catalog import Catalog
from sync import catalogue
from sync.observation import Observation
from sync.plan import MODEL_ITSELF, Situation
from sync.quarantine import Refusal
from sync.reconcile import Report
from sync.status import Status, VersionStatus, describe
from sync.triton import VersionState
from tests.sync.makers import live, live_model, model, record, registered, wanted

ALL = model(
    *(registered(number) for number in range(1, 6)),
    aliases={"champion": 1, "candidate": 2, "shadow": 3, "x": 4},
    tags={"fixgate.champions": "1"},
)
DESIRED = wanted(ALL)
LIVE = live(
    live_model(record(registered(1)), record(registered(4)), record(registered(5))), foreign=("theirs",)
)
SEEN = Observation(
    now=100.0,
    registered=(ALL,),
    fresh=True,
    desired=DESIRED,
    live=LIVE,
    states={"a:1": {("loc", 1): VersionState("READY")}, "b:1": None},
    problems=("theirs: not made by fixgate, left alone",),
)


def catalog() -> Catalog:
    circumstances = catalogue.Circumstances(now=90.0, proven={("loc", 1): 8})
    draft = catalogue.draft(DESIRED, LIVE, Situation(), None, circumstances)
    return Catalog("1.0", 7, 90.0, dict(draft.models), default_model="loc")


def described(*refusals: Refusal) -> Status:
    report = Report(SEEN, 0.01, idle=False, settled=False, changed=False, resting={("loc", 3): "disk full"})
    return describe(report, 100.0, catalog(), refusals, {("loc", 2): (10, 40)})


def versions(status: Status) -> dict[int, VersionStatus]:
    (loc,) = status.models
    return {one.version: one for one in loc.versions}


def test_every_version_has_its_state() -> None:
    found = versions(described(Refusal("loc", 2, "i", "load", "cannot", 0.0)))
    assert {number: one.state for number, one in found.items()} == {
        1: "served",
        2: "rejected",
        3: "waiting",
        4: "loading",
        5: "retiring",
    }


def test_a_version_that_is_not_there_yet_is_preparing_with_its_download() -> None:
    found = versions(described())[2]
    assert (found.state, found.downloaded) == ("preparing", (10, 40))


def test_a_served_version_says_where_it_is_ready_and_since_when() -> None:
    found = versions(described())[1]
    assert (found.ready, found.served_since, found.aliases) == ({"a:1": True}, 90.0, ("champion",))


def test_reasons_are_given() -> None:
    found = versions(described(Refusal("loc", 2, "i", "load", "cannot", 0.0)))
    assert (found[2].reason, found[3].reason) == ("load: cannot", "disk full")


def test_surroundings_are_described() -> None:
    status = described(Refusal("loc", MODEL_ITSELF, "{}", "triton", "no", 0.0))
    assert status.tritons == {"a:1": True, "b:1": False}
    assert (status.catalogue_revision, status.default_model) == (7, "loc")
    assert status.problems == (
        "theirs: not made by fixgate, left alone",
        "loc: settings {} refused (triton): no",
    )


def test_a_refusal_of_what_is_not_wanted_any_more_is_none() -> None:
    refusals = (Refusal("loc", 5, "i", "load", "cannot", 0.0), Refusal("gone", 1, "i", "load", "cannot", 0.0))
    status = described(*refusals)
    assert versions(status)[5].state == "retiring"
    assert [one.name for one in status.models] == ["loc"]


def test_before_the_first_pass_there_is_little_to_say() -> None:
    assert describe(None, None, None, (), {}) == Status()
    assert describe(None, None, catalog(), (), {}).catalogue_revision == 7


def test_a_model_that_is_served_but_not_wanted_any_more_is_shown() -> None:
    gone = Report(replace(SEEN, desired={}), 0.01, idle=False, settled=False, changed=False)
    (loc,) = describe(gone, 100.0, None, (), {}).models
    assert {one.state for one in loc.versions} == {"retiring"}
