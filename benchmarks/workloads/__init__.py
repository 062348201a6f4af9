"""The models that are measured, their contracts, and the bodies that are sent to them."""
