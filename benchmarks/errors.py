"""The base of all errors that a user can correct."""


class UserError(Exception):
    """Something the user gave can't be used.

    The message names the file or key, what was found, what was expected and the remedy. The command
    line prints it without a traceback and exits with code 2.
    """
