"""A small GPT, written once for both libraries: 4 layers, 128 wide, 4 heads, context 64, 65 characters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

LAYERS, WIDTH, HEADS, CONTEXT, BATCH, VOCABULARY = 4, 128, 4, 64, 16, 65


def make_model(lib: Any) -> Any:
    """Token and position embeddings, pre-norm blocks, and a linear layer to the next character's logits."""
    nn, functional = lib.nn, lib.nn.functional

    class Attention(nn.Module):  # type: ignore[misc, name-defined]
        """Causal self-attention with several heads."""

        def __init__(self) -> None:
            super().__init__()
            self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
            self.out = nn.Linear(WIDTH, WIDTH)

        def forward(self, x: Any) -> Any:
            n, length, width = x.shape
            parts = self.qkv(x).split(width, dim=-1)
            q, k, v = (part.reshape(n, length, HEADS, width // HEADS).transpose(1, 2) for part in parts)
            mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            return self.out(mixed.transpose(1, 2).reshape(n, length, width))

    class Block(nn.Module):  # type: ignore[misc, name-defined]
        """Attention, then a perceptron, each on the normalised input and added to it."""

        def __init__(self) -> None:
            super().__init__()
            self.norm1, self.attention = nn.LayerNorm(WIDTH), Attention()
            self.norm2 = nn.LayerNorm(WIDTH)
            self.mlp = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))

        def forward(self, x: Any) -> Any:
            x = x + self.attention(self.norm1(x))
            return x + self.mlp(self.norm2(x))

    class GPT(nn.Module):  # type: ignore[misc, name-defined]
        """From (n, length) character codes to (n, length, VOCABULARY) logits."""

        def __init__(self) -> None:
            super().__init__()
            self.token, self.position = nn.Embedding(VOCABULARY, WIDTH), nn.Embedding(CONTEXT, WIDTH)
            self.blocks = nn.Sequential(*(Block() for _ in range(LAYERS)))
            self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, VOCABULARY)

        def forward(self, codes: Any) -> Any:
            x = self.token(codes) + self.position(lib.arange(codes.shape[1]))
            return self.head(self.norm(self.blocks(x)))

    return GPT()


def gpt(lib: Any) -> Callable[[], Any]:
    """GPT, 4 layers of width 128, context 64, batch 16, AdamW."""
    rng = np.random.default_rng(0)
    text = lib.from_numpy(rng.integers(0, VOCABULARY, (BATCH, CONTEXT + 1)))
    codes, following = text[:, :-1], text[:, 1:].reshape(-1)
    model = make_model(lib)
    optimizer = lib.optim.AdamW(model.parameters(), lr=3e-4)

    def step() -> Any:
        optimizer.zero_grad()
        logits = model(codes)
        loss = lib.nn.functional.cross_entropy(logits.reshape(-1, VOCABULARY), following)
        loss.backward()
        optimizer.step()
        return loss

    return step
