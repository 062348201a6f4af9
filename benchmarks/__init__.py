"""What fixgate costs and what it bears, measured against what a user would pick instead: `make bench`."""
