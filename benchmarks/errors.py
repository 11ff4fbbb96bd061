"""The base of all errors that a user can correct; unusable data; memory that runs out."""


class UserError(Exception):
    """Something the user gave can't be used.

    The message names the file or key, what was found, what was expected and the remedy. The command
    line prints it without a traceback and exits with code 2.
    """


class DataError(UserError, ValueError):
    """The data can't be used; the message says what was found and expected, and the remedy."""


class OutOfMemory(UserError):  # noqa: N818 - named after MemoryError, which it replaces
    """Memory ran out; the message says while doing what, and the remedy.

    Parameters
    ----------
    doing : str
        What was being done.
    """

    def __init__(self, doing: str) -> None:
        super().__init__(doing)
        self.doing = doing

    def __str__(self) -> str:
        return (
            f"Memory ran out while {self.doing}. Use --jobs 1, smaller images or --limit, or close "
            "other programs."
        )
