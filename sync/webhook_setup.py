"""Tell MLflow to call sync (MLflow 3 with a SQL store; `fixgate sync --register-webhook`)."""

from mlflow import MlflowClient
from mlflow.entities.webhook import WebhookEventStr
from mlflow.exceptions import MlflowException
from requests.exceptions import RequestException

from sync import registry
from sync.errors import RegistryUnavailable

NAME = "fixgate-sync"
EVENTS: tuple[WebhookEventStr, ...] = (
    "registered_model.created",
    "model_version.created",
    "model_version_tag.set",
    "model_version_tag.deleted",
    "model_version_alias.created",
    "model_version_alias.deleted",
)


def register(uri: str, url: str, secret: str) -> str:
    """Make or renew the webhook that leads to `url`; its id.

    Raises:
        RegistryUnavailable: no answer, or a server without webhooks, or one that refuses the address.
    """
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    try:
        present = next((one for one in client.list_webhooks() if one.url == url), None)
        if present is not None:
            client.delete_webhook(present.webhook_id)
        made = client.create_webhook(
            name=NAME, url=url, events=list(EVENTS), description="fixgate sync looks at once", secret=secret
        )
    except (MlflowException, RequestException) as error:
        shown = registry.without_credentials(uri)
        raise RegistryUnavailable(
            f"MLflow at {shown} takes no webhook to {url}: {registry.short(error)}"
        ) from error
    return str(made.webhook_id)
