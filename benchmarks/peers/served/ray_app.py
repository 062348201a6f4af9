"""Ray Serve with `serve.batch`."""

import os
import signal
import sys
import threading

import numpy as np
import ray
import session
from ray import serve


@serve.deployment(max_ongoing_requests=200, ray_actor_options={"num_cpus": 1})
class Model:
    """Up to 32 rows a call, 2 ms to fill it."""

    def __init__(self):
        self.session, self.input = session.load()

    @serve.batch(max_batch_size=32, batch_wait_timeout_s=0.002)
    async def infer(self, rows):
        return list(np.concatenate(self.session.run(None, {self.input: np.stack(rows)}), 1))

    async def __call__(self, request):
        if request.method == "GET":
            return {}
        return {"o": (await self.infer(session.tensor(await request.body())[0])).tolist()}


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    ray.init(num_cpus=4, include_dashboard=False, log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": int(os.environ["PORT"])})
    serve.run(Model.bind())
    threading.Event().wait()
