"""What changed between two images: their source, its releases, the link that compares."""
