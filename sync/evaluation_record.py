"""What an evaluation found, written to a model version in MLflow: tags, metrics and files of its run."""

from collections.abc import Mapping
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Metric
from mlflow.exceptions import MlflowException
from requests.exceptions import RequestException

from sync.desired import SIGMA_SCALE_TAG
from sync.errors import RegistryUnavailable
from sync.registry import Registry, short

FOLDER = "fixgate/evaluation"
TAG = "fixgate.evaluation"


def log_evaluation(
    uri: str,
    model: str,
    number: int,
    *,
    summary: str,
    metrics: Mapping[str, float],
    report: Path | None,
    at: float,
) -> None:
    """Tag the version with `summary`; give its run, if it has one, the metrics and the report's files.

    Raises:
        RegistryUnavailable: MLflow does not answer, or knows no such version.
    """
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    try:
        run_id = client.get_model_version(model, str(number)).run_id
        client.set_model_version_tag(model, str(number), TAG, summary)
        if run_id:
            stamp = int(at * 1000)
            client.log_batch(run_id, metrics=[Metric(key, value, stamp, 0) for key, value in metrics.items()])
            if report is not None:
                client.log_artifacts(run_id, str(report), FOLDER)
    except (MlflowException, RequestException, OSError) as error:
        raise RegistryUnavailable(
            f"logging the evaluation of {model} version {number}: {short(error)}"
        ) from error


def apply_sigma_scale(uri: str, model: str, number: int, scale: float) -> None:
    """Set the tag that replaces the contract's `sigma_scale`; sync picks it up at its next pass.

    Raises:
        RegistryUnavailable: MLflow does not answer, or knows no such version.
    """
    Registry(uri).tag_version(model, number, {SIGMA_SCALE_TAG: repr(scale)})
