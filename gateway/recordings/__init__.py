"""From IQ to a model's input tensor."""
