"""Predictions on paper: a table, CSV, GeoJSON, KML. From the gateway's own documents; pure."""
