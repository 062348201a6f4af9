"""What `fixgate capacity` sends, and what it prints and writes."""
