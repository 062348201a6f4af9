"""Every Triton that serves the repository: readiness of one version, what failed to load, proof by inference
(the only importer of tritonclient's transports)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from gevent import Timeout
from numpy.typing import NDArray
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from sync import pbtxt
from sync.errors import TritonUnavailable
from sync.settings import Settings

CONNECT_S = 2.0
NETWORK_S = 30.0

Tensors = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class VersionState:
    """One version as one Triton's repository index has it; `reason` says why it is not ready."""

    state: str
    reason: str = ""

    @property
    def ready(self) -> bool:
        """Whether it answers requests."""
        return self.state == "READY"

    @property
    def loaded(self) -> bool:
        """Whether Triton has it, or is loading or unloading it."""
        return self.state in ("READY", "LOADING", "UNLOADING")

    @property
    def failed(self) -> bool:
        """Whether Triton tried to load it and could not."""
        return self.state == "UNAVAILABLE" and self.reason not in ("", "unloaded")


States = Mapping[tuple[str, int], VersionState]


class Triton:
    """One Triton, by its HTTP address (host:port). A client per call, so that its restart costs nothing."""

    def __init__(self, address: str) -> None:
        self.address = address

    def states(self) -> States:
        """Every version that Triton knows of.

        Raises:
            TritonUnavailable: no answer.
        """
        try:
            index = self._call(lambda client: client.get_model_repository_index())
            return {
                (entry["name"], int(entry["version"])): VersionState(
                    state=entry.get("state", ""), reason=entry.get("reason", "")
                )
                for entry in index
                if entry.get("version", "").isdecimal()
            }
        except (InferenceServerException, ValueError, KeyError, TypeError, AttributeError) as error:
            raise TritonUnavailable(f"Triton at {self.address}: its index is no index: {error}") from error

    def ready(self, model: str, version: int) -> bool:
        """Whether a version answers requests, whatever stands in the repository now.

        The index lists what stands there: what is loaded but has been taken out is not in it.

        Raises:
            TritonUnavailable: no answer.
        """
        try:
            return bool(self._call(lambda client: client.is_model_ready(model, str(version))))
        except InferenceServerException as error:
            raise TritonUnavailable(f"Triton at {self.address}: {error}") from error

    def settings(self, model: str, version: int) -> Settings:
        """The settings that a loaded version runs with.

        Raises:
            TritonUnavailable: no answer, or the version is not loaded.
        """
        try:
            found = self._call(lambda client: client.get_model_config(model, str(version)))
        except InferenceServerException as error:
            raise TritonUnavailable(f"Triton at {self.address}: {error}") from error
        return pbtxt.parse_json(found).settings

    def infer(self, model: str, version: int, inputs: Tensors, outputs: tuple[str, ...]) -> Tensors:
        """Run one request on one version.

        Raises:
            TritonUnavailable: no answer.
            InferenceServerException: Triton refuses or fails the request.
        """
        tensors = []
        for name, array in inputs.items():
            tensor = InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
            tensor.set_data_from_numpy(array)
            tensors.append(tensor)
        wanted = [InferRequestedOutput(name) for name in outputs]
        result = self._call(
            lambda client: client.infer(model, tensors, model_version=str(version), outputs=wanted)
        )
        return {name: result.as_numpy(name) for name in outputs}

    def _call(self, action: Callable[[InferenceServerClient], Any]) -> Any:
        client = InferenceServerClient(self.address, connection_timeout=CONNECT_S, network_timeout=NETWORK_S)
        try:
            return action(client)
        except (OSError, Timeout) as error:
            raise TritonUnavailable(f"Triton at {self.address}: {error or 'no answer'}") from error
        finally:
            client.close()
