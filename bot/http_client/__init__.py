"""The one HTTP door: `client` asks; the others are the rules it keeps."""
