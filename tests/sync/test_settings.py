"""How a model runs."""

import pytest

from sync.settings import Defaults, Kind, Settings, SettingsError, dump_tag, first, parse_tag

DEFAULTS = Defaults(max_batch_size=32, instances=1, threads=0, kind="cpu", cores=4)


@pytest.mark.parametrize(
    ("cores", "kind", "instances", "threads"),
    [(1, "cpu", 1, 1), (2, "cpu", 2, 1), (9, "cpu", 2, 4), (4, "gpu", 1, 4)],
)
def test_two_instances_share_the_cores_where_nothing_is_said(
    cores: int, kind: Kind, instances: int, threads: int
) -> None:
    chosen = first(Defaults(32, 0, 0, kind, cores), {}, {})
    assert (chosen.instances, chosen.threads) == (instances, threads)


def test_defaults_share_the_cores_among_the_instances() -> None:
    assert first(DEFAULTS, {}, {}) == Settings(max_batch_size=32, instances=1, threads=4)
    assert first(DEFAULTS, {"fixgate.instances": "3"}, {}).threads == 1
    assert first(DEFAULTS, {"fixgate.instances": "9"}, {}).threads == 1


def test_the_versions_tags_come_before_the_models() -> None:
    chosen = first(
        DEFAULTS,
        {"fixgate.max_batch_size": "4", "fixgate.kind": "gpu"},
        {"fixgate.max_batch_size": "8", "fixgate.threads": "2"},
    )
    assert chosen == Settings(max_batch_size=8, instances=1, threads=2, kind="gpu")


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        ("max_batch_size", "0"),
        ("max_batch_size", "many"),
        ("instances", "-1"),
        ("threads", "0"),
        ("kind", "tpu"),
    ],
)
def test_an_impossible_tag_is_an_error_that_names_it(tag: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"tag fixgate.{tag}: "):
        first(DEFAULTS, {}, {f"fixgate.{tag}": value})


def test_the_settings_tag_is_read_as_it_is_written() -> None:
    settings = Settings(max_batch_size=8, instances=2, threads=3, kind="gpu")
    assert parse_tag(dump_tag(settings)) == settings


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"max_batch_size": 8, "instances": 1, "threads": 1, "thread": 2}']
)
def test_a_settings_tag_that_is_none_is_an_error(text: str) -> None:
    with pytest.raises(SettingsError):
        parse_tag(text)
