"""Progress bars of sync's downloads, on a terminal."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

if TYPE_CHECKING:
    from sync.watch import Watch

REFRESH_S = 0.2


def follow(console: Console) -> Callable[["Watch"], None]:
    """What shows the downloads of a loop, from a thread, until the loop is stopped."""

    def start(watch: "Watch") -> None:
        threading.Thread(target=_draw, args=(watch, console), name="progress", daemon=True).start()

    return start


def _draw(watch: "Watch", console: Console) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        tasks: dict[tuple[str, int], TaskID] = {}
        while not watch.bell.pause(REFRESH_S):
            update(progress, tasks, watch.reconciler.work.downloads)


def update(
    progress: Progress,
    tasks: dict[tuple[str, int], TaskID],
    downloads: dict[tuple[str, int], tuple[int, int]],
) -> None:
    """Bring the bars to what is being downloaded now: bytes so far and in all, by model and version."""
    for key, (done, total) in downloads.items():
        if key not in tasks:
            tasks[key] = progress.add_task(f"{key[0]} version {key[1]}", total=total)
        progress.update(tasks[key], completed=done)
    for key in [key for key in tasks if key not in downloads]:
        progress.remove_task(tasks.pop(key))
