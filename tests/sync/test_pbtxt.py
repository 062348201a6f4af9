"""Triton's config: what is written, what is kept."""

import pytest

from contract.catalog import TensorSpec
from sync import pbtxt
from sync.settings import Settings
from tests.sync.makers import INPUTS, OUTPUTS, SETTINGS


def rendered(*versions: int) -> pbtxt.ServingConfig:
    return pbtxt.render("loc", SETTINGS, INPUTS, OUTPUTS, versions)


def test_a_config_is_read_as_it_was_rendered() -> None:
    config = rendered(2, 1)
    assert config == pbtxt.parse(config.text)
    assert (config.name, config.owned, config.versions) == ("loc", True, (1, 2))
    assert (config.inputs, config.outputs, config.settings) == (INPUTS, OUTPUTS, SETTINGS)


def test_the_rendered_text_names_backend_threads_and_batching() -> None:
    text = rendered(1).text
    for part in ('backend: "onnxruntime"', "max_batch_size: 8", "KIND_CPU", "intra_op_thread_count"):
        assert part in text


def test_dynamic_batching_has_no_queue_policy() -> None:
    assert "dynamic_batching {\n}" in rendered(1).text


def test_an_axis_without_a_size_is_written_as_minus_one() -> None:
    text = pbtxt.render("loc", SETTINGS, (TensorSpec("iq", "FP32", (3, -1, 2)),), OUTPUTS, (1,)).text
    assert "dims: -1" in text


def test_changing_versions_changes_nothing_else() -> None:
    before = rendered(1)
    after = pbtxt.with_versions(before, (1, 3))
    assert after.versions == (1, 3)
    assert pbtxt.with_versions(after, (1,)) == before


def test_an_operators_own_additions_are_kept() -> None:
    edited = pbtxt.parse(rendered(1).text + "model_warmup { name: 'w' }\nparameters { key: 'x' }\n")
    assert "model_warmup" in pbtxt.with_versions(edited, (1, 2)).text
    assert "model_warmup" in pbtxt.with_settings(edited, SETTINGS).text


def test_other_settings_replace_the_old_ones() -> None:
    settings = Settings(max_batch_size=16, instances=2, threads=1, kind="gpu")
    config = pbtxt.with_settings(rendered(1, 2), settings)
    assert config.settings == settings
    assert config.versions == (1, 2)
    assert config.text.count("instance_group") == 1


def test_tritons_own_json_of_a_config_has_the_same_settings() -> None:
    document = {
        "name": "loc",
        "max_batch_size": 8,
        "instance_group": [{"count": 1, "kind": "KIND_CPU", "name": "loc_0"}],
        "parameters": {"intra_op_thread_count": {"string_value": "2"}},
        "something_newer": True,
    }
    assert pbtxt.parse_json(document).settings == SETTINGS


def test_a_config_of_another_owner_is_not_ours() -> None:
    assert not pbtxt.parse('name: "other"').owned


def test_a_config_that_is_none_is_an_error() -> None:
    with pytest.raises(pbtxt.ConfigError):
        pbtxt.parse("name = loc")
    with pytest.raises(pbtxt.ConfigError):
        pbtxt.parse_json({"max_batch_size": "many"})
