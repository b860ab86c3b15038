"""The base of all errors whose text is meant for people."""


class Said(ValueError):
    """What cannot be done: its text is one sentence that says what, why and what to do.

    Whoever shows errors shows this text as it is. Any other ``ValueError`` is an error of the
    program, and is said to be one.
    """
