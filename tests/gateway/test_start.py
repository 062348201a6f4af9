"""The gateway as a process that cannot start because of a file that an option names."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"FIXGATE_API_KEYS_FILE": "keys"}, "FIXGATE_API_KEYS_FILE: keys: line 2: JSON is malformed"),
        ({"FIXGATE_TLS_CERT": "none", "FIXGATE_TLS_KEY": "keys"}, "FIXGATE_TLS_CERT: cannot read none"),
    ],
)
def test_it_ends_with_one_line_that_names_the_option(
    options: dict[str, str], told: str, tmp_path: Path
) -> None:
    (tmp_path / "keys").write_text("\nno key\n")
    ended = subprocess.run(
        [sys.executable, "-P", "-m", "gateway"],
        cwd=tmp_path,
        env={**os.environ, "FIXGATE_HOME": str(tmp_path), **options},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].startswith(f"fixgate gateway: {told}")
    assert "Traceback" not in ended.stderr
