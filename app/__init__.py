"""The application: knows everything, and wires it.

What several of its modules begin with stands here, because help, a wrong argument and the first
frame of the window wait for none of them.
"""

CHAPTER = "rnn-transformer"  # a key of widgets.scenes.SCENES
DEFAULT_TEXT = "the cat that slept ___"
DEFAULT_PAIR = ("rnn", "transformer")  # ids of models
CELLS = ("rnn", "gru", "lstm")  # of a chain, as its id begins
SETS = ("", "-50k")  # endings: small state, equal budget
# As engine.precision.PRECISIONS, a test compares; TF32 is of GPUs alone.
PRECISION, PRECISIONS = "float32", ("float32", "TF32", "float16", "bfloat16")
# As engine.influence has them, a test compares: what is done to a word to see what it does.
INFLUENCES = ("replaced", "left out")
SPEEDS = (0.5, 1.0, 2.0, 4.0)  # ticks follow one another so many times faster
SCALES = (1.0, 1.25, 1.5, 1.75, 2.0)  # all text of the window is so many times larger
THEMES = ("light", "dark", "contrast", "contrast-dark")  # as widgets.theme.NAMES
MOST_SIDE = 16_384  # px of a side of a figure
