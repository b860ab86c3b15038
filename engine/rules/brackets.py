"""The rule for brackets: a stack says which bracket has to be closed next."""

CLOSED_BY = {"(": ")", "[": "]", "{": "}"}


def due(text: str) -> str:
    """Return for every bracket which closing one is due behind it, "." for none: "([]" is ")])"."""
    answer, stack = "", []
    for bracket in text:
        if bracket in CLOSED_BY:
            stack.append(CLOSED_BY[bracket])
        elif not stack or bracket != stack.pop():
            raise ValueError(f"{bracket!r} closes nothing that is open")
        answer += stack[-1] if stack else "."
    return answer
