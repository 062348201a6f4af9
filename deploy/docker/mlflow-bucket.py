"""Make the bucket for MLflow's artifacts, unless it is there; boto3's own variables say where."""

import sys

import boto3
from botocore.exceptions import ClientError

THERE_ALREADY = ("BucketAlreadyOwnedByYou", "BucketAlreadyExists")


def main(bucket: str) -> None:
    """Make it."""
    try:
        boto3.client("s3").create_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] not in THERE_ALREADY:
            raise


if __name__ == "__main__":
    main(sys.argv[1])
