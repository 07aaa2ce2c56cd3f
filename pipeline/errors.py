"""The errors of the pipeline: those that end a job, and one that concerns a single image."""


class PipelineError(ValueError):
    """The job cannot run or has failed; the message says what must hold, what came and what to do."""


class UsageError(PipelineError):
    """A flag is wrong, which the command's exit status tells apart from a job that failed."""


class RejectedImageError(ValueError):
    """An image cannot be used; it is listed in rejected.jsonl, and the job goes on.

    Attributes:
        reason: Short code that is counted, e.g. "truncated".
    """

    def __init__(self, reason: str, message: str):
        super().__init__(message)
        self.reason = reason
