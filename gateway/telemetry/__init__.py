"""What the gateway tells of itself: metrics, histories, logs, traces."""
