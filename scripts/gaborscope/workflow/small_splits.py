"""Test splits that are too small to show anything."""

LEAST_TEST = 20  # test stimuli below which a run says so, when it is planned and in its report


def said_of(dataset: str, n: int) -> str:
    """
    Say that a test split is too small to show anything.

    Parameters
    ----------
    dataset : str
    n : int
        Number of its test stimuli.

    Returns
    -------
    sentence : str
        Empty if there are `LEAST_TEST` or more.
    """
    if n >= LEAST_TEST:
        return ""
    return (
        f"data set '{dataset}' has {n} test {'stimulus' if n == 1 else 'stimuli'}, and intervals "
        f"of fewer than {LEAST_TEST} are not to be relied on: take scores and verdicts as a trial "
        "of the machinery, and add stimuli before drawing a conclusion"
    )
