"""LitServe with batching; it reads JSON, so the tensor travels as hexadecimal digits."""

import os

import litserve
import numpy as np
import session


class Model(litserve.LitAPI):
    """Up to 32 rows a call, 2 ms to fill it."""

    def setup(self, device):  # noqa: ARG002 - LitServe calls it so
        self.session, self.input = session.load()

    def decode_request(self, request):
        return np.frombuffer(bytes.fromhex(request["x"]), np.float32).reshape(session.ROW)

    def batch(self, inputs):
        return np.stack(inputs)

    def predict(self, x):
        return np.concatenate(self.session.run(None, {self.input: x}), 1)

    def unbatch(self, output):
        return list(output)

    def encode_response(self, output):
        return {"o": output.tolist()}


if __name__ == "__main__":
    server = litserve.LitServer(
        Model(max_batch_size=32, batch_timeout=0.002),
        accelerator="cpu",
        workers_per_device=int(os.environ["WORKERS"]),
    )
    server.run(host="127.0.0.1", port=int(os.environ["PORT"]), log_level="error", generate_client_file=False)
