"""The one kind of error that is the user's to mend; the message is all that is shown."""


class InputError(ValueError):
    """What was given cannot be used; one sentence names the file, the value and the remedy."""
