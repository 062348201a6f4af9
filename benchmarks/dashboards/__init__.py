"""The dashboards of deploy/grafana as pictures for the docs, from a Prometheus that watched a real stack."""
