"""What the server remembers between runs: memory, not truth."""
