"""The whole journey on one computer, with nothing installed."""
