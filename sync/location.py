"""Open the model repository that the option names: a folder, or a prefix in object storage."""

from pathlib import Path

from sync import s3_url
from sync.config import Config
from sync.errors import Misconfigured
from sync.folder_repository import FolderRepository
from sync.repository import Repository
from sync.s3_url import S3Url
from sync.staging_folder import StagingFolder


def open_repository(config: Config) -> Repository:
    """The repository; nothing is read or written yet.

    Raises:
        Misconfigured: it is in object storage, and boto3 is not installed.
    """
    url = s3_url.parse(config.model_repository)
    if url is None:
        return FolderRepository(Path(config.model_repository), config.staging_folder)
    return _in_object_storage(url, StagingFolder(config.staging_folder))


def _in_object_storage(url: S3Url, staging: StagingFolder) -> Repository:
    try:
        # Imported late: boto3 is an extra that a repository in a folder does without.
        from sync.s3_bucket import connect  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise Misconfigured(
            f"FIXGATE_MODEL_REPOSITORY: {url} needs the package {error.name}: pip install 'fixgate[s3]'"
        ) from error
    from sync.s3_repository import S3Repository  # noqa: PLC0415

    return S3Repository(connect(url), url.prefix, staging)
