"""The guard, over real processes that it has to stop."""

import signal
import subprocess
import sys
import time

import pytest

from stack import process

# Starts a guarded sleeper that ignores or takes SIGTERM, prints its group, and waits.
OWNER = """
import subprocess, sys, time
from stack.guard import Guard
guard = Guard()
command = [sys.executable, "-c", sys.argv[1]]
sleeper = subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE)
sleeper.stdout.readline()
gone = subprocess.Popen(["true"], start_new_session=True)
gone.wait()
guard.watch(gone.pid)
guard.watch(sleeper.pid)
guard.forget(gone.pid)
print(sleeper.pid, flush=True)
time.sleep(600)
"""
SLEEPER = "import time; print(flush=True); time.sleep(600)"
DEAF_SLEEPER = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEPER


@pytest.mark.parametrize("sleeper", [SLEEPER, DEAF_SLEEPER], ids=["listens", "deaf"])
def test_a_killed_owner_leaves_no_process_behind(sleeper: str) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, sleeper], stdout=subprocess.PIPE, text=True)
    with owner:
        assert owner.stdout is not None
        group = int(owner.stdout.readline())
        assert process.members(group) == [group]
        owner.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 30
    while process.members(group):
        assert time.monotonic() < deadline, "the guard did not stop the group"
        time.sleep(0.05)
