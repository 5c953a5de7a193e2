"""What people wrote about what should happen, read into one model."""
