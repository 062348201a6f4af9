"""Evaluations written to MLflow: what a version gets, with and without a run."""

import pytest
from mlflow import MlflowClient

from sync.errors import RegistryUnavailable
from sync.evaluation_record import TAG, apply_sigma_scale, log_evaluation

pytestmark = pytest.mark.stack

MODEL = "evaluation-record"


@pytest.fixture(scope="module")
def client(mlflow_uri: str) -> MlflowClient:
    """MLflow with a version that no run has made."""
    client = MlflowClient(tracking_uri=mlflow_uri, registry_uri=mlflow_uri)
    client.create_registered_model(MODEL)
    client.create_model_version(MODEL, "s3://nowhere/model")
    return client


def test_a_version_without_a_run_gets_the_tag_alone(client: MlflowClient, mlflow_uri: str) -> None:
    log_evaluation(mlflow_uri, MODEL, 1, summary="{}", metrics={"fixgate/nees": 2.0}, report=None, at=1.0)
    assert client.get_model_version(MODEL, "1").tags[TAG] == "{}"


def test_a_scale_is_written_with_all_its_digits(client: MlflowClient, mlflow_uri: str) -> None:
    apply_sigma_scale(mlflow_uri, MODEL, 1, 1.1000000000000001)
    assert float(client.get_model_version(MODEL, "1").tags["fixgate.sigma_scale"]) == 1.1000000000000001


def test_an_unknown_version_is_said_to_be_unknown(client: MlflowClient, mlflow_uri: str) -> None:
    with pytest.raises(RegistryUnavailable, match="version 9"):
        log_evaluation(mlflow_uri, MODEL, 9, summary="{}", metrics={}, report=None, at=1.0)
    with pytest.raises(RegistryUnavailable, match="version 9"):
        apply_sigma_scale(mlflow_uri, MODEL, 9, 2.0)
