"""The bot carries a tag from a registry into a merged change in Git."""
