"""What a test says when the machine lacks a program that it needs."""


class Missing(Exception):
    """A server cannot be had on this machine.

    Carries `reason` and `remedy`, the command or act that would change it; prints as both.
    """

    def __init__(self, reason: str, *, remedy: str) -> None:
        super().__init__(f"{reason}; to change that: {remedy}")
        self.reason = reason
        self.remedy = remedy
