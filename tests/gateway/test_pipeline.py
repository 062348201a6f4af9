"""What is made ready before a request needs it."""

import subprocess
import sys

import msgspec
import pytest

from contract.model import MelInput
from gateway.errors import BadAnswer
from gateway.pipeline import Pipeline, make_frontends
from gateway.recordings.frontend import mel_frontend
from tests.gateway import stand


def test_the_front_ends_of_a_catalogue_are_made_ahead() -> None:
    served = stand.mel_model("a", 1).served()
    mel_frontend.cache_clear()
    make_frontends(stand.catalogue(stand.served_model(served, name="a"), stand.served_model(name="b")))
    assert mel_frontend.cache_info().currsize == 1
    Pipeline("a", served)
    assert mel_frontend.cache_info().hits == 1


def test_a_front_end_that_cannot_be_made_keeps_no_other_from_being_made() -> None:
    served = stand.mel_model("b", 1).served()
    asked = served.contract.input
    assert isinstance(asked, MelInput)
    crowded = msgspec.structs.replace(asked.frontend, f_min_hz=asked.frontend.f_max_hz)
    contract = msgspec.structs.replace(
        served.contract, input=msgspec.structs.replace(asked, frontend=crowded)
    )
    impossible = msgspec.structs.replace(served, contract=contract)
    mel_frontend.cache_clear()
    make_frontends(
        stand.catalogue(stand.served_model(impossible, name="a"), stand.served_model(served, name="b"))
    )
    assert mel_frontend.cache_info().currsize == 1
    with pytest.raises(BadAnswer, match="bands do not fit"):
        Pipeline("a", impossible)


def test_a_gateway_loads_no_signal_processing_before_a_model_wants_it() -> None:
    loaded = "import gateway.app, sys; sys.exit('scipy.signal' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", loaded], check=False).returncode == 0
