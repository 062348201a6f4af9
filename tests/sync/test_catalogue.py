"""What the gateways are told."""

import copy
import json

import pytest

from contract.catalog import Catalog, ServedModel
from contract.model import parse
from sync import catalogue
from sync.catalogue import Circumstances
from sync.desired import Desired
from sync.plan import Situation
from sync.repository import Live
from sync.settings import Settings, dump_tag
from tests.sync.makers import live, live_model, model, record, registered, wanted
from tests.sync.models import CONTRACT

ONE, TWO, THREE = registered(1), registered(2), registered(3)
BOTH = live(live_model(record(ONE), record(TWO)))
PROVEN = {("loc", 1): 8, ("loc", 2): 8, ("loc", 3): 8}


def drafted(
    desired: Desired,
    current: Live,
    last: ServedModel | None = None,
    situation: Situation | None = None,
    **circumstances: object,
) -> catalogue.Draft:
    before = last and Catalog("1.0", 1, 0.0, {last.name: last})
    settled = {"now": 50.0, "proven": PROVEN, **circumstances}
    return catalogue.draft(desired, current, situation or Situation(), before, Circumstances(**settled))  # type: ignore[arg-type]


def served(desired: Desired, current: Live, last: ServedModel | None = None, **more: object) -> ServedModel:
    return drafted(desired, current, last, None, **more).models["loc"]


def numbers(found: ServedModel) -> list[int]:
    return [one.version for one in found.versions]


def champion(number: int, **tags: str) -> Desired:
    return wanted(model(ONE, TWO, aliases={"champion": number}, tags=tags))


def test_a_served_version_carries_what_a_gateway_needs() -> None:
    found = served(champion(1), BOTH, run_url="http://mlflow").versions[0]
    assert (found.version, found.digest, found.max_batch_size) == (1, "digest-1", 8)
    assert (found.served_since, found.created_at) == (50.0, ONE.created_at)
    assert found.contract.digest == parse(CONTRACT).digest


def test_only_proved_versions_are_served() -> None:
    assert "loc" not in drafted(champion(1), BOTH, proven={}).models


def test_only_versions_in_the_config_are_served() -> None:
    half = live(live_model(record(ONE), record(TWO), configured=(1,)))
    assert numbers(served(champion(2), half, served(champion(1), BOTH))) == [1]


def test_only_wanted_versions_are_served() -> None:
    assert numbers(served(champion(2), BOTH)) == [2]


def test_an_alias_stays_where_it_was_until_its_new_version_is_proved() -> None:
    before = served(champion(1), BOTH)
    found = served(champion(2), BOTH, before, proven={("loc", 1): 8})
    assert found.aliases == {"champion": 1}
    assert numbers(found) == [1]


def test_an_alias_that_moves_keeps_its_versions_time_of_service() -> None:
    before = served(champion(1), BOTH, now=10.0)
    assert served(champion(1), BOTH, before).versions[0].served_since == 10.0


def test_a_previous_champion_is_named_while_it_is_served() -> None:
    found = served(champion(2, **{"fixgate.champions": "2,1"}), BOTH)
    assert found.previous_champion == 1
    assert numbers(found) == [1, 2]


def test_the_champion_falls_back_to_the_one_before_when_its_version_stops_being_ready() -> None:
    desired = champion(2, **{"fixgate.champions": "2,1"})
    before = served(desired, BOTH)
    found = served(desired, BOTH, before, unready=frozenset({("loc", 2)}))
    assert found.aliases == {"champion": 1}
    assert numbers(found) == [1]


def test_with_nothing_ready_at_all_the_catalogue_stays_as_it_is() -> None:
    desired = champion(2, **{"fixgate.champions": "2,1"})
    before = served(desired, BOTH)
    assert served(desired, BOTH, before, unready=frozenset({("loc", 1), ("loc", 2)})) == before


def test_an_alias_that_only_just_vanished_lingers() -> None:
    both = wanted(model(ONE, TWO, aliases={"champion": 1, "candidate": 2}))
    before = served(both, BOTH)
    found = served(champion(1), BOTH, before, lingering=frozenset({("loc", "candidate")}))
    assert found.aliases == {"champion": 1, "candidate": 2}
    assert served(champion(1), BOTH, before).aliases == {"champion": 1}


def test_so_does_the_only_alias_of_a_model_and_with_it_the_model() -> None:
    before = served(champion(1, **{"fixgate.routing": '{"weights": {"champion": 9}}'}), BOTH)
    nothing = wanted(model(ONE, TWO))
    found = served(nothing, BOTH, before, lingering=frozenset({("loc", "champion")}))
    assert found.aliases == {"champion": 1}
    assert (numbers(found), found.routing) == ([1], before.routing)
    assert drafted(nothing, BOTH, before).models == {}


def test_a_version_that_is_being_replaced_is_out_of_the_catalogue() -> None:
    anew = registered(1, source="runs:/anew")
    desired = wanted(model(anew, aliases={"champion": 1}))
    before = served(champion(1), BOTH)
    assert numbers(served(desired, BOTH, before)) == [1]
    staged = Situation(staged={("loc", 1): anew.origin})
    assert "loc" not in drafted(desired, BOTH, before, staged).models


def test_while_other_content_is_prepared_the_old_keeps_its_own_meaning() -> None:
    before = served(champion(1), BOTH)
    tags = {"fixgate.sigma_scale": "9"}
    anew = wanted(model(registered(1, source="runs:/anew", tags=tags), aliases={"champion": 1}))
    assert served(anew, BOTH, before).versions[0].sigma_scale == 1.0


def test_a_contract_tag_takes_effect_without_publishing_again() -> None:
    corrected = copy.deepcopy(CONTRACT)
    corrected["output"]["confidence_radius_m"] = 5.0
    tags = {"fixgate.contract": json.dumps(corrected), "fixgate.sigma_scale": "2"}
    desired = wanted(model(registered(1, tags=tags), aliases={"champion": 1}))
    found = served(desired, BOTH).versions[0]
    assert found.contract.output.confidence_radius_m == 5.0
    assert found.sigma_scale == 2.0


@pytest.mark.parametrize(
    "tags",
    [
        {"fixgate.contract": "{"},
        {"fixgate.sigma_scale": "none"},
        {"fixgate.contract": "{}"},
        {"fixgate.contract": "[" * 100_000},
    ],
    ids=["no json", "no number", "no contract", "too deep"],
)
def test_a_faulty_tag_leaves_the_last_good_contract_in_force(tags: dict[str, str]) -> None:
    before = served(champion(1), BOTH)
    desired = wanted(model(registered(1, tags=tags), TWO, aliases={"champion": 1}))
    draft = drafted(desired, BOTH, before)
    assert draft.models["loc"] == before
    assert draft.faults["loc", 1].fault == "contract"


def test_weights_are_kept_for_what_is_served_only() -> None:
    desired = champion(1, **{"fixgate.routing": '{"weights": {"champion": 9, "candidate": 1, "7": 1}}'})
    routing = served(desired, BOTH).routing
    assert routing is not None
    assert routing.weights == {"champion": 9.0}


def test_a_weight_of_a_number_that_python_would_not_read_is_of_nothing_served() -> None:
    tag = json.dumps({"weights": {"champion": 9, "9" * 5000: 1}})
    routing = served(champion(1, **{"fixgate.routing": tag}), BOTH).routing
    assert routing is not None
    assert routing.weights == {"champion": 9.0}


def test_weights_of_nothing_that_is_served_are_no_policy() -> None:
    assert served(champion(1, **{"fixgate.routing": '{"weights": {"candidate": 1}}'}), BOTH).routing is None


def test_an_unreadable_routing_tag_leaves_the_last_policy_in_force() -> None:
    good = champion(1, **{"fixgate.routing": '{"weights": {"champion": 9}}'})
    before = served(good, BOTH)
    assert served(champion(1, **{"fixgate.routing": "{"}), BOTH, before).routing == before.routing


def test_the_batch_size_is_what_was_proved() -> None:
    assert served(champion(1), BOTH, proven={("loc", 1): 4}).versions[0].max_batch_size == 4


def test_a_smaller_batch_size_is_told_before_it_is_configured() -> None:
    smaller = dump_tag(Settings(max_batch_size=2, instances=1, threads=1))
    assert served(champion(1, **{"fixgate.settings": smaller}), BOTH).versions[0].max_batch_size == 2
    larger = dump_tag(Settings(max_batch_size=64, instances=1, threads=1))
    assert served(champion(1, **{"fixgate.settings": larger}), BOTH).versions[0].max_batch_size == 8


def test_a_model_without_files_is_not_in_the_catalogue() -> None:
    assert drafted(champion(1), live()).models == {}


def test_run_links_are_made_from_the_servers_public_address() -> None:
    desired = wanted(model(registered(1, run_id="abc"), aliases={"champion": 1}))
    one = live(live_model(record(registered(1, run_id="abc"), run_id="abc")))
    assert served(desired, one, run_url="http://mlflow").versions[0].run_url == "http://mlflow/#/runs/abc"
    assert served(desired, one).versions[0].run_url is None
