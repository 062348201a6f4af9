"""Calls to Triton: endpoints, what carries a call, the memory shared with them."""
