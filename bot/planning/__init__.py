"""What would change, and how it is told."""
