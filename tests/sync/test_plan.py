"""The plan: from what is wanted and what is live to the next actions."""

from dataclasses import replace

from sync.plan import MODEL_ITSELF, Clear, Publish, Reconfigure, Refuse, Retire, Situation, Stage, plan
from sync.settings import Settings, dump_tag
from tests.sync.makers import SETTINGS, live, live_model, model, record, registered, wanted

ONE, TWO = registered(1), registered(2)
CHAMPION_1 = wanted(model(ONE, aliases={"champion": 1}))
CHAMPION_2 = wanted(model(ONE, TWO, aliases={"champion": 2}))
LIVE_1 = live(live_model(record(ONE)))
BOTH = live(live_model(record(ONE), record(TWO)))
KEY_1, KEY_2 = ("loc", 1), ("loc", 2)


def test_a_version_that_is_not_there_is_staged() -> None:
    assert plan(CHAMPION_1, live(), Situation()) == (Stage(CHAMPION_1["loc"].versions[1]),)


def test_a_staged_version_is_published() -> None:
    situation = Situation(staged={KEY_1: ONE.origin})
    assert plan(CHAMPION_1, live(), situation) == (Publish(CHAMPION_1["loc"].versions[1]),)


def test_what_is_staged_of_another_registration_is_not_published() -> None:
    situation = Situation(staged={KEY_1: "other"})
    assert plan(CHAMPION_1, live(), situation) == (Stage(CHAMPION_1["loc"].versions[1]),)


def test_a_version_whose_folder_is_there_but_not_in_the_config_is_published_on() -> None:
    half = live(live_model(record(ONE), record(TWO), configured=(1,)))
    situation = Situation(proven=frozenset({KEY_1, KEY_2}), serving=frozenset({KEY_1}))
    assert Publish(CHAMPION_2["loc"].versions[2]) in plan(CHAMPION_2, half, situation)


def test_a_version_that_this_process_has_not_proved_is_proved() -> None:
    assert plan(CHAMPION_1, LIVE_1, Situation()) == (Publish(CHAMPION_1["loc"].versions[1]),)


def test_nothing_is_left_to_do_when_all_is_served() -> None:
    situation = Situation(proven=frozenset({KEY_1}), serving=frozenset({KEY_1}))
    assert plan(CHAMPION_1, LIVE_1, situation) == ()


def test_one_publication_per_model_at_a_time_the_champion_first() -> None:
    desired = wanted(model(ONE, TWO, aliases={"candidate": 1, "champion": 2}))
    situation = Situation(staged={KEY_1: ONE.origin, KEY_2: TWO.origin})
    assert plan(desired, live(), situation) == (Publish(desired["loc"].versions[2]),)


def test_while_a_model_is_being_published_no_other_version_of_it_is() -> None:
    situation = Situation(staged={KEY_2: TWO.origin}, publishing=frozenset({"loc"}), busy=frozenset({KEY_1}))
    assert plan(CHAMPION_2, live(), situation) == ()


def test_other_versions_are_staged_meanwhile() -> None:
    situation = Situation(publishing=frozenset({"loc"}), busy=frozenset({KEY_1}))
    assert plan(CHAMPION_2, live(), situation) == (Stage(CHAMPION_2["loc"].versions[2]),)


def test_a_refused_version_rests_until_it_changes() -> None:
    identity = CHAMPION_1["loc"].versions[1].identity
    assert plan(CHAMPION_1, live(), Situation(refused={KEY_1: identity})) == ()
    assert plan(CHAMPION_1, live(), Situation(refused={KEY_1: "before"})) != ()


def test_a_version_that_failed_through_no_fault_of_its_own_waits_for_its_time() -> None:
    assert plan(CHAMPION_1, live(), Situation(resting=frozenset({KEY_1}))) == ()


def test_a_bad_version_does_not_hold_back_a_good_one() -> None:
    desired = wanted(model(ONE, TWO, aliases={"candidate": 1, "champion": 2}))
    situation = Situation(refused={KEY_2: desired["loc"].versions[2].identity})
    assert plan(desired, live(), situation) == (Stage(desired["loc"].versions[1]),)


def test_a_name_that_cannot_be_a_folder_is_refused_without_a_download() -> None:
    desired = wanted(model(registered(1, model="../x"), name="../x", aliases={"champion": 1}))
    (action,) = plan(desired, live(), Situation())
    assert isinstance(action, Refuse)
    assert action.fault == "name"


def test_the_names_of_tunes_copies_are_its_own() -> None:
    name = "fixgate-tune-1"
    desired = wanted(model(registered(1, model=name), name=name, aliases={"champion": 1}))
    (action,) = plan(desired, live(), Situation())
    assert isinstance(action, Refuse)
    assert action.fault == "name"


def test_a_foreign_folder_of_the_same_name_is_left_alone() -> None:
    (action,) = plan(CHAMPION_1, live(foreign=("loc",)), Situation())
    assert isinstance(action, Refuse)
    assert "did not make" in action.reason


def test_an_unwanted_version_is_retired_when_it_is_drained() -> None:
    situation = Situation(proven=frozenset({KEY_1, KEY_2}), serving=frozenset({KEY_2}))
    assert plan(CHAMPION_2, BOTH, situation) == ()
    drained = replace(situation, drained=frozenset({KEY_1}))
    assert plan(CHAMPION_2, BOTH, drained) == (Retire("loc", (1,)),)


def test_a_version_that_is_still_in_the_catalogue_is_not_retired() -> None:
    situation = Situation(
        proven=frozenset({KEY_1, KEY_2}), serving=frozenset({KEY_1, KEY_2}), drained=frozenset({KEY_1})
    )
    assert plan(CHAMPION_2, BOTH, situation) == ()


def test_nothing_is_retired_from_a_model_that_a_job_works_on() -> None:
    situation = Situation(
        proven=frozenset({KEY_2}), drained=frozenset({KEY_1}), publishing=frozenset({"loc"})
    )
    assert plan(CHAMPION_2, BOTH, situation) == ()


def test_a_model_that_is_no_longer_wanted_is_retired_whole() -> None:
    desired = wanted(model(registered(1, model="other"), name="other", aliases={"champion": 1}))
    situation = Situation(drained=frozenset({KEY_1, KEY_2}), resting=frozenset({("other", 1)}))
    assert plan(desired, BOTH, situation) == (Retire("loc", (1, 2)),)


def test_a_registry_that_has_nothing_at_all_retires_nothing() -> None:
    assert plan({}, BOTH, Situation(drained=frozenset({KEY_1, KEY_2}))) == ()


def test_a_number_that_means_other_content_now_is_staged_while_the_old_is_served() -> None:
    anew = wanted(model(registered(1, source="runs:/anew"), aliases={"champion": 1}))
    situation = Situation(proven=frozenset({KEY_1}), serving=frozenset({KEY_1}))
    assert plan(anew, LIVE_1, situation) == (Stage(anew["loc"].versions[1]),)


def test_other_content_replaces_the_old_step_by_step() -> None:
    version = registered(1, source="runs:/anew")
    anew = wanted(model(version, aliases={"champion": 1}))
    staged = Situation(proven=frozenset({KEY_1}), staged={KEY_1: version.origin})
    # Out of the catalogue, not drained yet: nothing moves.
    assert plan(anew, LIVE_1, staged) == ()
    assert plan(anew, LIVE_1, replace(staged, drained=frozenset({KEY_1}))) == (Retire("loc", (1,)),)
    # Out of the repository, but still in Triton: its readiness would be the old content's.
    assert plan(anew, live(), replace(staged, loaded=frozenset({KEY_1}))) == ()
    assert plan(anew, live(), staged) == (Publish(anew["loc"].versions[1]),)


def test_a_new_registration_of_the_same_files_changes_nothing() -> None:
    version = registered(1, source="runs:/anew")
    anew = wanted(model(version, aliases={"champion": 1}))
    situation = Situation(
        proven=frozenset({KEY_1}), serving=frozenset({KEY_1}), equal={KEY_1: version.origin}
    )
    assert plan(anew, LIVE_1, situation) == ()


TUNED = Settings(max_batch_size=4, instances=2, threads=1)


def tuned(settings: Settings) -> dict[str, str]:
    return {"fixgate.settings": dump_tag(settings)}


def test_other_settings_are_put_in_force() -> None:
    larger = Settings(max_batch_size=16, instances=1, threads=2)
    desired = wanted(model(ONE, aliases={"champion": 1}, tags=tuned(larger)))
    situation = Situation(proven=frozenset({KEY_1}))
    assert plan(desired, LIVE_1, situation) == (Reconfigure("loc", larger),)


def test_a_smaller_batch_size_waits_until_every_gateway_knows_it() -> None:
    desired = wanted(model(ONE, aliases={"champion": 1}, tags=tuned(TUNED)))
    situation = Situation(proven=frozenset({KEY_1}))
    assert plan(desired, LIVE_1, situation) == ()
    lowered = replace(situation, lowered=frozenset({"loc"}))
    assert plan(desired, LIVE_1, lowered) == (Reconfigure("loc", TUNED),)


def test_settings_in_force_or_refused_are_left_alone() -> None:
    same = wanted(model(ONE, aliases={"champion": 1}, tags=tuned(SETTINGS)))
    situation = Situation(proven=frozenset({KEY_1}), lowered=frozenset({"loc"}))
    assert plan(same, LIVE_1, situation) == ()
    other = wanted(model(ONE, aliases={"champion": 1}, tags=tuned(TUNED)))
    refused = replace(situation, refused={("loc", MODEL_ITSELF): dump_tag(TUNED)})
    assert plan(other, LIVE_1, refused) == ()


def test_the_plan_reads_its_arguments_only() -> None:
    situation = Situation(staged={KEY_1: ONE.origin})
    assert plan(CHAMPION_1, live(), situation) == plan(CHAMPION_1, live(), situation)


def test_what_was_left_unfinished_is_cleared_first_even_if_nothing_is_wanted() -> None:
    half = replace(live(), unfinished=("loc",))
    assert plan(CHAMPION_1, half, Situation()) == (Clear("loc"), Stage(CHAMPION_1["loc"].versions[1]))
    assert plan({}, half, Situation()) == (Clear("loc"),)


def test_what_a_publication_is_just_writing_is_not_cleared() -> None:
    half = replace(live(), unfinished=("loc", "other"))
    situation = Situation(busy=frozenset({KEY_1}), publishing=frozenset({"loc"}))
    assert plan(CHAMPION_1, half, situation) == (Clear("other"),)
