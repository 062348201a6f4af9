"""What can be measured, one section a file."""
