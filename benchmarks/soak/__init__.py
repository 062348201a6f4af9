"""Half an hour of everything at once: does anything grow, slow down, or fail without a reason?"""
