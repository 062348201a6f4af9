"""The folder in which versions are made ready, and what a kill left of that in it."""

import shutil
import uuid
from pathlib import Path

OURS = "fixgate-"
"""Beginning of every name in staging: what a kill left over is known by it."""


class StagingFolder:
    """A folder, made when first needed, of which sync owns what it made."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    def new_folder(self, label: str) -> Path:
        """A new empty folder."""
        folder = self.new_path(label)
        folder.mkdir(parents=True)
        return folder

    def new_path(self, label: str) -> Path:
        """A name that nothing has yet."""
        return self.path / f"{OURS}{label}-{uuid.uuid4().hex[:8]}"

    def drop(self, folder: Path) -> None:
        """Delete a folder that is not needed any more."""
        shutil.rmtree(folder, ignore_errors=True)

    def clear(self) -> None:
        """Delete everything of ours.

        Raises:
            OSError: something cannot be deleted.
        """
        for entry in self.path.glob(f"{OURS}*"):
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
