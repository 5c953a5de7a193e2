"""Where proposals live: one module per forge."""
