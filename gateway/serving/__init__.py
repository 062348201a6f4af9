"""The processes that serve: listeners, workers, the HTTP server."""
