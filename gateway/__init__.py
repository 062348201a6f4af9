"""The data plane: HTTP in, Triton behind, position and ellipse out."""
