"""The users, in a process of their own, because locust's gevent replaces the standard library's sockets.

python -m benchmarks.loadtest.users URL MODEL KIND USERS WARM_S SECONDS prints the requests as JSON.
"""

import random
import sys
import time
from itertools import count
from typing import Any

import gevent
from locust import FastHttpUser, constant, task
from locust.env import Environment
from locust.exception import LocustError

# Below locust, whose import has to come before any that opens a socket.
import msgspec  # isort: skip

from benchmarks.loadtest.traffic import Traffic  # isort: skip
from benchmarks.loadtest.verdict import Request  # isort: skip

SPAWN_PER_S = 100
LONGEST_PAUSE_S = 5.0


def main() -> None:
    """Run the users and print what they saw."""
    url, model, kind, users, warm_s, seconds = sys.argv[1:]
    traffic = Traffic(model, tensor=kind == "tensor")
    traffic.prepare()
    seen: list[Request] = []
    numbers = count()
    start = time.perf_counter()

    class Client(FastHttpUser):
        host = url
        wait_time = constant(0)
        network_timeout = 20.0
        connection_timeout = 20.0

        def on_start(self) -> None:
            number = next(numbers)
            self.rng, self.session = random.Random(number), f"user-{number}"

        @task
        def ask(self) -> None:
            """One request; whoever is refused comes back when told to."""
            one = traffic.ask(self.rng, self.session)
            begun = time.perf_counter()
            status, retry_after = self._send(one.path, one.body, dict(one.headers))
            ended = time.perf_counter()
            seen.append(Request(one.kind, ended - start, (ended - begun) * 1e3, status))
            if retry_after:
                gevent.sleep(min(retry_after, LONGEST_PAUSE_S))

        def _send(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, float]:
            try:
                answer: Any = self.client.post(path, data=body, headers=headers, name="predict")
            except (LocustError, OSError):
                return 0, 0.0
            given = (answer.headers or {}).get("Retry-After") if answer.status_code in {429, 503} else None
            return int(answer.status_code or 0), float(given or 0)

    environment = Environment(user_classes=[Client])
    runner = environment.create_local_runner()
    runner.start(int(users), spawn_rate=SPAWN_PER_S)
    gevent.sleep(int(users) / SPAWN_PER_S + float(warm_s))
    begun = time.perf_counter() - start
    sys.stdout.write("counting\n")
    sys.stdout.flush()
    gevent.sleep(float(seconds))
    ended = time.perf_counter() - start
    sys.stdout.write("counted\n")
    sys.stdout.flush()
    counted = [one for one in seen if begun <= one.at_s < ended]
    runner.quit()
    sys.stdout.write(msgspec.json.encode(counted).decode() + "\n")


if __name__ == "__main__":
    main()
