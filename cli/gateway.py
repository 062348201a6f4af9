"""`fixgate gateway`: the data plane."""

import inspect
import os
from typing import Annotated

import typer

# Imports nothing that only the gateway needs.
from gateway.config import Config

Workers = Annotated[
    int | None,
    typer.Option(min=1, max=64, help="Processes that answer requests; else FIXGATE_WORKERS, else 1."),
]


def gateway(workers: Workers = None) -> None:
    from gateway.__main__ import main

    if workers is not None:
        os.environ["FIXGATE_WORKERS"] = str(workers)
    main()


gateway.__doc__ = f"""Serve predictions over HTTP, from Triton and what sync says.

Other options come from the environment.

\b
{inspect.getdoc(Config)}
"""
