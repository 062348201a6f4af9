"""FastAPI with onnxruntime in the process: what a team writes first. A thread for every request.

With FRONTEND=1 the body is IQ, and the same front-end runs as in the gateway: only the serving differs.
"""

import os

import anyio
import numpy as np
import session
from fastapi import FastAPI, Request

app = FastAPI()
SESSION, INPUT = session.load()

if os.environ.get("FRONTEND"):
    from contract.model import Frontend
    from gateway.recordings.frontend import MelFrontend

    front_end = MelFrontend(Frontend())


def from_tensor(body):
    """One row to its outputs."""
    return SESSION.run(None, {INPUT: session.tensor(body)})


def from_iq(body):
    """One recording of three receivers to its outputs."""
    row = front_end(np.frombuffer(body, "<c8").reshape(3, -1))
    return SESSION.run(None, {INPUT: row[None]})


@app.post("/predict")
async def predict(request: Request):
    """The outputs as JSON."""
    body = await request.body()
    work = from_iq if os.environ.get("FRONTEND") else from_tensor
    position, sigma = await anyio.to_thread.run_sync(work, body)
    return {"position": position[0].tolist(), "uncertainty": sigma[0].tolist()}


@app.get("/health")
async def health():
    """Up."""
    return {}
