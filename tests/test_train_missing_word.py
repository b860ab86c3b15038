"""The networks that are trained compute what the engine computes with their parameters."""

from __future__ import annotations

import importlib
from itertools import islice

import numpy as np
import pytest

from engine.models import Model, run
from engine.ops import Ops
from engine.tasks.missing_word import VOCABULARY
from engine.weights import available

pytestmark = pytest.mark.needs_oracle


@pytest.mark.parametrize("name", available())
def test_a_padded_batch_gets_the_logits_of_the_engine(name: str) -> None:
    training = importlib.import_module("scripts.train_missing_word")  # late, for it needs PyTorch
    training.torch.manual_seed(0)
    training.torch.set_num_threads(1)
    net = training.network(training.RECIPES[name].config)
    parameters = {
        key: np.ascontiguousarray(value.detach().numpy())
        for key, value in net.parameters_by_name().items()
    }
    model = Model(name, training.RECIPES[name].config, parameters, VOCABULARY)
    for ids, hidden, _ in islice(training.batches(0), 2):
        logits = net(ids, hidden)[0].detach().numpy()  # (sentence, word)
        for row in range(0, len(ids), 8):
            words = ids[row][ids[row] != training.PADDING].numpy()
            trace = run(model, words, hidden=int(hidden[row]), ops=Ops())
            difference = np.abs(trace.value("answer.logits") - logits[row]).max()
            # Rounding of float32, relative to the largest value.
            assert difference <= 1e-5 * np.abs(logits[row]).max()
