"""Environments of the peers, made when they are first needed from pinned requirements."""

import hashlib
import subprocess
import sys
from pathlib import Path

REQUIREMENTS = Path(__file__).parent / "requirements"


def python(environment: str, cache: Path) -> Path:
    """The Python of an environment, installed below `cache` unless it is there already.

    Raises:
        subprocess.CalledProcessError: it cannot be installed.
    """
    requirements = REQUIREMENTS / f"{environment}.txt"
    folder = cache / environment
    stamp = folder / ".installed"
    wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
    executable = folder.absolute() / "bin" / "python"
    if not stamp.exists() or stamp.read_text() != wanted:
        sys.stderr.write(f"installing {environment} into {folder}\n")
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        command = (str(executable), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        subprocess.run([*command, "-r", str(requirements)], check=True)
        stamp.write_text(wanted)
    return executable
