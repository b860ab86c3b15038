"""How a rule says that it has no branch for a text."""


class Stop(ValueError):
    """A program stops here, and says why."""
