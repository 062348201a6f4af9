"""Hostile input at a gateway process's socket: a 4xx or a closed connection, in bounded time and memory."""
