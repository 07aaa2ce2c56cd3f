"""The one error that every reader of other people's weights raises."""


class WeightsFileError(ValueError):
    """A weights file that is damaged, foreign, unsafe, or does not hold what was asked of it."""
