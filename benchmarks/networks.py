"""The models for images and sequences that are measured: one source for both libraries."""

from __future__ import annotations

from typing import Any


def lenet(nn: Any) -> Any:
    """Two 5x5 convolutions with pooling and three linear layers, for 28x28 images (LeCun et al., 1998)."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(400, 120),
        nn.ReLU(),
        nn.Linear(120, 84),
        nn.ReLU(),
        nn.Linear(84, 10),
    )


def autoencoder(nn: Any) -> Any:
    """28x28 images down to 32 channels of 7x7 with strides, and up again with transposed convolutions."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.ConvTranspose2d(32, 16, 3, stride=2, padding=1, output_padding=1),
        nn.ReLU(),
        nn.ConvTranspose2d(16, 1, 3, stride=2, padding=1, output_padding=1),
        nn.Sigmoid(),
    )


def recurrent(nn: Any) -> Any:
    """An LSTM over 128 features with 128 hidden units, and a linear layer on its last output."""

    class Classifier(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(128, 128, batch_first=True)
            self.head = nn.Linear(128, 10)

        def forward(self, x: Any) -> Any:
            hidden, _ = self.lstm(x)
            return self.head(hidden[:, -1])

    return Classifier()


def cells(lib: Any) -> Any:
    """The same LSTM written by hand: a loop over the steps with an LSTMCell."""
    nn = lib.nn

    class Classifier(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = nn.LSTMCell(128, 128)
            self.head = nn.Linear(128, 10)

        def forward(self, x: Any) -> Any:
            hidden = state = lib.zeros(x.shape[0], 128)
            for step in range(x.shape[1]):
                hidden, state = self.cell(x[:, step], (hidden, state))
            return self.head(hidden)

    return Classifier()


def encoder(nn: Any) -> Any:
    """A transformer encoder of 4 layers, 256 wide, whose mean over the steps is classified."""

    class Classifier(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            layer = nn.TransformerEncoderLayer(256, 4, 1024, dropout=0.0, batch_first=True)
            self.encoder = nn.TransformerEncoder(layer, 4)
            self.head = nn.Linear(256, 10)

        def forward(self, x: Any) -> Any:
            return self.head(self.encoder(x).mean(1))

    return Classifier()


def resnet(nn: Any) -> Any:
    """Three stages of two residual blocks with 16, 32 and 64 channels, for 32x32 images (He et al., 2015)."""

    class Block(nn.Module):
        def __init__(self, inputs: int, outputs: int, stride: int) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
            self.bn1 = nn.BatchNorm2d(outputs)
            self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
            self.bn2 = nn.BatchNorm2d(outputs)
            self.relu = nn.ReLU()
            self.shortcut = nn.Identity()
            if inputs != outputs:
                self.shortcut = nn.Sequential(
                    nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
                )

        def forward(self, x: Any) -> Any:
            out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
            return self.relu(out + self.shortcut(x))

    stages = [(16, 16, 1), (16, 16, 1), (16, 32, 2), (32, 32, 1), (32, 64, 2), (64, 64, 1)]
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        *(Block(*stage) for stage in stages),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(64, 10),
    )


LAYERS, WIDTH, HEADS, CONTEXT, VOCABULARY = 4, 128, 4, 64, 65


def gpt(lib: Any) -> Any:
    """Token and position embeddings, pre-norm blocks, and a linear layer to the next character's logits."""
    nn = lib.nn

    class Attention(nn.Module):
        """Causal self-attention with several heads."""

        def __init__(self) -> None:
            super().__init__()
            self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
            self.out = nn.Linear(WIDTH, WIDTH)

        def forward(self, x: Any) -> Any:
            n, length, width = x.shape
            parts = self.qkv(x).split(width, dim=-1)
            q, k, v = (part.reshape(n, length, HEADS, width // HEADS).transpose(1, 2) for part in parts)
            mixed = lib.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            return self.out(mixed.transpose(1, 2).reshape(n, length, width))

    class Block(nn.Module):
        """Attention, then a perceptron, each on the normalised input and added to it."""

        def __init__(self) -> None:
            super().__init__()
            self.norm1, self.attention = nn.LayerNorm(WIDTH), Attention()
            self.norm2 = nn.LayerNorm(WIDTH)
            self.mlp = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))

        def forward(self, x: Any) -> Any:
            x = x + self.attention(self.norm1(x))
            return x + self.mlp(self.norm2(x))

    class GPT(nn.Module):
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
