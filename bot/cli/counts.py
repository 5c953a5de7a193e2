"""Numbers with their nouns, for the lines that people read.

Pure: no I/O, no clock, no logging.
"""


def counted(count: int, one: str, many: str = "") -> str:
    """Return the count with its noun; `many` is for nouns whose plural is not an s."""
    return f"{count} {one if count == 1 else many or one + 's'}"
