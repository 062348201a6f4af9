"""What follows from what a pass sees."""

from contract.catalog import Catalog, ServedModel
from sync import observation
from sync.observation import Move
from sync.settings import Settings, dump_tag
from sync.triton import VersionState
from tests.sync.makers import model, registered, wanted

READY, LOADING = VersionState("READY"), VersionState("LOADING")
FAILED, UNLOADED = VersionState("UNAVAILABLE", "no memory"), VersionState("UNAVAILABLE", "unloaded")
KEY = ("loc", 1)


def named(name: str = "loc", **aliases: int) -> ServedModel:
    return ServedModel(name, (), aliases)


def catalog(*models: ServedModel) -> Catalog:
    return Catalog("1.0", 1, 0.0, {one.name: one for one in models})


def test_a_version_is_loaded_while_any_triton_has_it_or_is_about_to() -> None:
    states = {"a": {KEY: UNLOADED, ("loc", 2): LOADING}, "b": None, "c": {KEY: READY}}
    assert observation.loaded_keys(states) == {KEY, ("loc", 2)}
    assert observation.loaded_keys({"a": {KEY: FAILED}}) == frozenset()


def test_a_version_is_unready_when_no_triton_that_answers_has_it() -> None:
    proven = frozenset({KEY})
    assert observation.unready_keys(proven, {"a": {KEY: LOADING}, "b": {}}) == proven
    assert observation.unready_keys(proven, {"a": {KEY: READY}, "b": {}}) == frozenset()
    assert observation.unready_keys(proven, {"a": None}) == frozenset()


def test_a_version_has_failed_when_a_triton_says_why() -> None:
    assert observation.failed_keys(frozenset({KEY}), {"a": {KEY: FAILED}, "b": None}) == {KEY}
    assert observation.failed_keys(frozenset({KEY}), {"a": {KEY: UNLOADED}}) == frozenset()


def test_the_reason_is_what_every_triton_says() -> None:
    said = observation.reason(KEY, {"a": {KEY: FAILED}, "b": {}, "c": None})
    assert said == "a: UNAVAILABLE no memory; b: not there"


def test_an_alias_has_vanished_when_its_model_is_still_registered() -> None:
    desired = wanted(model(registered(1), aliases={"champion": 1}))
    last = catalog(named(champion=1, candidate=2), named("other", champion=1))
    registered_models = [model(registered(1))]
    assert observation.vanished_aliases(last, desired, registered_models) == {("loc", "candidate")}
    assert observation.vanished_aliases(last, {}, registered_models) == {
        ("loc", "champion"),
        ("loc", "candidate"),
    }
    assert observation.vanished_aliases(None, desired, registered_models) == frozenset()


def test_moves_are_what_differs_between_two_catalogues() -> None:
    before = {"loc": named(champion=1, shadow=3), "gone": named("gone", champion=4)}
    after = {"loc": named(champion=2, shadow=3), "new": named("new", champion=1)}
    assert observation.moved_aliases(before, after) == (
        Move("gone", "champion", 4, None),
        Move("loc", "champion", 1, 2),
        Move("new", "champion", None, 1),
    )


def test_a_model_without_served_versions_has_a_low_batch_size() -> None:
    tag = dump_tag(Settings(max_batch_size=2, instances=1, threads=1))
    desired = wanted(model(registered(1), aliases={"champion": 1}, tags={"fixgate.settings": tag}))
    assert observation.lowered(catalog(named(champion=1)), desired) == {"loc"}
    assert observation.lowered(None, desired) == frozenset()
