"""HTTP in, HTTP out, no maths."""
