"""Marked fields: finding them in files, and changing their bytes alone."""
