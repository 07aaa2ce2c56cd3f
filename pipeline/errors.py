"""The two ways in which the job says no: to a whole input, and to a single image."""


class PipelineError(ValueError):
    """A job that cannot run or did not succeed; the message is all that its user needs."""


class RejectedImageError(ValueError):
    """One image that cannot be used; it goes to the dead letters.

    Attributes:
        reason: Short code that is counted, e.g. "truncated".
    """

    def __init__(self, reason: str, message: str):
        super().__init__(message)
        self.reason = reason
