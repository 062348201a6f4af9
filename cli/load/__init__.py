"""Load on an HTTP service: arrivals that wait for nobody, clients that wait for their answer, and figures.

Nothing but the standard library and numpy, so that the generator takes little of the machine it measures.
"""
