"""The LSTM of NeuralTalk2 and VQA_LSTM_CNN: one step, written out.

    core = Core(input_size=128, rnn_size=192, layers=1)
    state = core(x, core.zero_state(len(x)))
    state[-1][1]                     # h of the last layer, [N, R]

For each layer, with gates in the order in, forget, out, write:

    [i f o g] = i2h(x) + h2h(h)
    c' = σ(f)·c + σ(i)·tanh(g);  h' = σ(o)·tanh(c')

Written out, and not `nn.LSTM`, because the layout of the originals' weights has its own order and two biases, and
because cuDNN refuses the backward pass of its LSTM in eval mode.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

State = list[tuple[Tensor, Tensor]]
"""c and h of each layer, each `[N, R]`."""


class Core(nn.Module):
    """One step of a stack of LSTM layers.

    Args:
        input_size: width of the input.
        rnn_size: R, width of each layer.
        layers: how many.
        dropout: between the layers, while training.

    Attributes:
        i2h_1, h2h_1, i2h_2, …: the linear maps to the four gates, as the originals annotate them.
    """

    def __init__(self, input_size: int, rnn_size: int, *, layers: int = 1, dropout: float = 0.0) -> None:
        super().__init__()
        self.rnn_size = rnn_size
        self.layers = layers
        self.drop = nn.Dropout(dropout)
        for layer in range(1, layers + 1):
            self.add_module(f"i2h_{layer}", nn.Linear(input_size if layer == 1 else rnn_size, 4 * rnn_size))
            self.add_module(f"h2h_{layer}", nn.Linear(rnn_size, 4 * rnn_size))

    def zero_state(self, like: Tensor) -> State:
        """The state before the first step, for a batch as large as `like` and on its device."""
        zeros = like.new_zeros(len(like), self.rnn_size)
        return [(zeros, zeros) for _ in range(self.layers)]

    def forward(self, x: Tensor, state: State) -> State:
        """The next state, from the input `[N, input_size]` and the state."""
        following: State = []
        for layer, (c, h) in enumerate(state, 1):
            gates = self.get_submodule(f"i2h_{layer}")(x if layer == 1 else self.drop(x))
            gates = gates + self.get_submodule(f"h2h_{layer}")(h)
            take, forget, out, write = gates.chunk(4, dim=1)
            c = torch.sigmoid(forget) * c + torch.sigmoid(take) * torch.tanh(write)
            x = torch.sigmoid(out) * torch.tanh(c)
            following.append((c, x))
        return following
