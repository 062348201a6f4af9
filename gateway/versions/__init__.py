"""Which version answers: the catalogue, routing, readiness, and versions held against each other."""
