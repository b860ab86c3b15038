"""The rule for brackets: a stack says which bracket has to be closed next.

"." says that none is due: the answer to "([]" is ")])".
"""

from engine.rules.stop import Stop

CLOSED_BY = {"(": ")", "[": "]", "{": "}"}


def due(text: str) -> str:
    """Return what is due behind each bracket."""
    answer, stack = "", []
    for bracket in text:
        if bracket in CLOSED_BY:
            stack.append(CLOSED_BY[bracket])
        elif not stack or bracket != stack.pop():
            raise Stop(f"{bracket!r} closes nothing that is open")
        answer += stack[-1] if stack else "."
    return answer
