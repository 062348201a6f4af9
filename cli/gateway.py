"""`fixgate gateway`: the data plane."""

import inspect

# Imports nothing that only the gateway needs.
from gateway.config import Config


def gateway() -> None:
    from gateway.__main__ import main

    main()


gateway.__doc__ = f"""Serve predictions over HTTP, from Triton and what sync says.

Options come from the environment.

\b
{inspect.getdoc(Config)}
"""
