"""A labelled set through the gateway, and a report of how true the stated uncertainty is."""
