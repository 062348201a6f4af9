"""A load test as a user would run it: many clients, a stated mix, a verdict."""
