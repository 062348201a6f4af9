"""A simulated scene, the model trained on it, and how well that model does."""
