"""URLs as Triton takes them."""

import pytest

from sync import s3_url
from sync.config import from_env
from sync.errors import Misconfigured
from sync.s3_url import NotAnS3Url, S3Url


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("s3://models/fixgate/served", S3Url(None, "models", "fixgate/served")),
        ("s3://models", S3Url(None, "models", "")),
        ("s3://models//a///b/", S3Url(None, "models", "a/b")),
        ("s3://minio:9000/models/a", S3Url("http://minio:9000", "models", "a")),
        ("s3://http://10.0.0.1:9000/models", S3Url("http://10.0.0.1:9000", "models", "")),
        ("s3://https://s3.example:443/models/a", S3Url("https://s3.example:443", "models", "a")),
    ],
)
def test_every_form_is_read(text: str, url: S3Url) -> None:
    assert s3_url.parse(text) == url
    assert s3_url.parse(str(url)) == url


@pytest.mark.parametrize("path", ["model_repository", "/models/s3", "./s3", "s3", ""])
def test_a_path_is_none(path: str) -> None:
    assert s3_url.parse(path) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("s3:/models/a", "is s3://bucket/prefix or"),
        ("s3://", "bucket ''"),
        ("s3://Models/a", "bucket 'Models': 3 to 63"),
        ("s3://https://s3.example/models/a", "the port too"),
        ("s3://minio:99999/models", "port 99999: 1 to 65535"),
        ("s3://minio:9000", "bucket ''"),
        ("s3://models/a b", "prefix 'a b': letters"),
        ("s3://models/" + "a" * 401, "prefix of 401 characters: at most 400"),
    ],
)
def test_what_cannot_be_one_is_an_error_that_names_the_option_and_the_limit(text: str, said: str) -> None:
    with pytest.raises(NotAnS3Url, match=said):
        s3_url.parse(text)
    with pytest.raises(Misconfigured, match=f"FIXGATE_MODEL_REPOSITORY: .*{said}.*got '{text}'"):
        from_env({"FIXGATE_MODEL_REPOSITORY": text})
