"""The error for faults that the user can mend; only its message is shown."""


class InputError(ValueError):
    """The input cannot be used; one sentence names the file, the value and the remedy."""
