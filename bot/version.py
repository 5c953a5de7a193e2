"""The version of the wheel, the image and the command, in one place."""

__version__ = "0.1.0"
