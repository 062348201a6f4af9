"""BentoML with adaptive batching; JSON in and out."""

import bentoml
import numpy as np
import session


@bentoml.service(traffic={"concurrency": 200}, workers=1)
class Model:
    """Up to 32 rows a call; like the others it refuses nobody for being late."""

    def __init__(self):
        self.session, self.input = session.load()

    @bentoml.api(batchable=True, max_batch_size=32, max_latency_ms=20_000)
    def run(self, x: np.ndarray) -> np.ndarray:
        """Rows to their outputs."""
        return np.concatenate(self.session.run(None, {self.input: x.astype("f")}), 1)
