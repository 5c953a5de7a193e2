"""The long-running process: wires everything, and stops cleanly."""
