"""What the door could not turn into an event, and why."""


class Unmappable(Exception):
    """Something that cannot become an event: a stable reason code, and what was wrong with which field or column."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
