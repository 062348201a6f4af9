"""Register the demo models on a first start, by the command that a user has.

Run as a process: `python -m stack.first_models MARKER MLFLOW_URI NAME ARGUMENT_LISTS_AS_JSON`. The file
MARKER says that all were registered once, so that one which the user deletes later does not come back.
"""

import json
import subprocess
import sys
import urllib.parse
import urllib.request
from pathlib import Path


def main() -> int:
    """Register the versions that are not there; returns the exit status."""
    marker, uri, name, lists = sys.argv[1:]
    there = versions(uri, name)
    if there and Path(marker).exists():
        return 0
    for arguments in json.loads(lists)[there:]:
        ended = subprocess.run([sys.executable, "-P", "-m", "cli", "register", *arguments], check=False)
        if ended.returncode != 0:
            return ended.returncode
    Path(marker).touch()
    return 0


def versions(uri: str, name: str) -> int:
    """How many versions of the model the registry has (0: it does not know it)."""
    query = urllib.parse.urlencode({"filter": f"name='{name}'", "max_results": 100})
    url = f"{uri.rstrip('/')}/api/2.0/mlflow/model-versions/search?{query}"
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - an MLflow server  # nosec B310
        return len(json.load(answer).get("model_versions", []))


if __name__ == "__main__":
    sys.exit(main())
