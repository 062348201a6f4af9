"""Calls to Triton: endpoints, what carries a call, the memory shared with them."""

import os

# gRPC looks when it is imported. Its own log is text, which would stand among our lines of JSON.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
