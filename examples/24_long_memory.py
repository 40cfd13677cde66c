"""Long memory: what LSTM and GRU can keep and a plain recurrent net can't, and an LSTM that writes text.

The task: one of eight symbols, then T steps of noise; which symbol was it? The gradient of the answer has to come back
through all T steps. A plain net multiplies it by its weights at each, and it vanishes as it does in a deep net (15).
An LSTM's state is c' = f c + i g: it is multiplied by the forget gate f alone, which can be 1 (Hochreiter and
Schmidhuber, 1997); GRU has the same in one gate less (Cho et al., 2014).

What to see:

- The course says that LSTM doesn't let the gradient vanish, thanks to its gates. They have to be open for that. As they
  start, at f = 1/2, half of the gradient is lost at every step, hardly less than in the plain net; and that net learns
  20 steps sooner than the LSTM. With a bias of b on it the gate forgets in about 1 + e^b steps, so a bias of 1
  (Jozefowicz et al., 2015) is good for 4 and log T for T: drawn that way (Tallec and Ollivier, 2018), both cells learn
  100 steps.
- Where the gradient does not vanish, it may explode. A net of rectifiers that starts by copying its state (Le et al.,
  2015) meets gradients dozens of times as long as usual and is thrown so far that it never learns. Cut to length 1,
  with their direction kept, they teach it.
- An LSTM that has learnt to foretell the next character of a text, Python's own help or that of `--data FILE`, knows
  far more than which character follows which, and writes: at a low temperature the likeliest, in circles; at a high
  one new words, and in the end noise.
"""

from __future__ import annotations

import math

import numpy as np
import show

import tinygrad_dl as td
from tinygrad_dl import nn, viz

SYMBOLS, NOISE, HIDDEN, BATCH = 8, 8, 32, 32
# The cell, and how long its gate is to remember at the start: None leaves it as PyTorch has it.
CELLS = {
    "RNN": (nn.RNN, None),
    "GRU": (nn.GRU, None),
    "LSTM": (nn.LSTM, None),
    "LSTM, bias 1": (nn.LSTM, 1),
    "GRU, bias log T": (nn.GRU, "T"),
    "LSTM, bias log T": (nn.LSTM, "T"),
}
TEMPERATURES = (0.3, 0.7, 1.0, 1.5)


class Recall(nn.Module):
    """Reads a sequence of symbols and says with which of the first eight it began."""

    def __init__(self, cell: nn.RNNBase) -> None:
        super().__init__()
        self.cell, self.head = cell, nn.Linear(HIDDEN, SYMBOLS)

    def forward(self, x: td.Tensor) -> td.Tensor:
        return self.head(self.cell(x)[0][:, -1])


def make(name: str, length: int) -> Recall:
    """A net with the cell of this name, its gates set for a memory of `length` steps if the name says so."""
    kind, bias = CELLS[name]
    cell = kind(SYMBOLS + NOISE, HIDDEN, batch_first=True)
    if bias is not None:
        # An LSTM's gates are input, forget, cell, output; a GRU's reset, update, new: what keeps comes second in both.
        start = td.full((HIDDEN,), 1.0) if bias == 1 else td.log(1 + (length - 1) * td.rand(HIDDEN))
        with td.no_grad():
            cell.bias_hh_l0.zero_()  # there are two biases, which are added up
            cell.bias_ih_l0[HIDDEN : 2 * HIDDEN] = start
            if bias == "T" and kind is nn.LSTM:
                cell.bias_ih_l0[:HIDDEN] = -start  # what is kept for T steps takes in 1/T at each
    return Recall(cell)


def copying(_: int = 0) -> Recall:
    """A net of rectifiers that starts by copying its state."""
    cell = nn.RNN(SYMBOLS + NOISE, HIDDEN, nonlinearity="relu", batch_first=True)
    nn.init.eye_(cell.weight_hh_l0)
    nn.init.zeros_(cell.bias_ih_l0)
    nn.init.zeros_(cell.bias_hh_l0)
    return Recall(cell)


def draw(length: int) -> tuple[td.Tensor, td.Tensor]:
    """A batch of sequences, one-hot, and the symbol that each began with."""
    first = td.randint(SYMBOLS, (BATCH, 1))
    noise = td.randint(SYMBOLS, SYMBOLS + NOISE, (BATCH, length))
    return nn.functional.one_hot(td.cat([first, noise], 1), SYMBOLS + NOISE).float(), first[:, 0]


def train(
    model: Recall, optimizer: td.optim.Optimizer, length: int, steps: int, clip: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """The accuracy on each batch, before it is learnt from, and the length of its gradient."""
    right, norms = [], []
    for _ in range(steps):
        x, first = draw(length)
        scores = model(x)
        optimizer.zero_grad()
        nn.functional.cross_entropy(scores, first).backward()
        norms.append(nn.utils.clip_grad_norm_(model.parameters(), clip).item())
        optimizer.step()
        right.append((scores.argmax(1) == first).float().mean().item())
    return np.array(right), np.array(norms)


def recall(name: str, length: int, seed: int, steps: int = 300) -> float:
    """The accuracy that a net with this cell comes to, over its last 20 batches: 1/8 is a guess."""
    td.manual_seed(seed)
    model = make(name, length)
    return train(model, td.optim.Adam(model.parameters(), lr=3e-3), length, steps)[0][-20:].mean()


def clipping(clip: float, seed: int, steps: int = 600) -> tuple[np.ndarray, np.ndarray]:
    """The accuracy of the copying net over 20 steps of noise with plain descent, and the gradient's length."""
    td.manual_seed(seed)
    model = copying()
    return train(model, td.optim.SGD(model.parameters(), lr=0.02), 20, steps, clip)


def arriving(name: str, seed: int, length: int = 100) -> np.ndarray:
    """How much of the gradient of the last answer arrives at each step before it, in a net that has learnt nothing."""
    td.manual_seed(seed)
    model = make(name, length)
    x, first = draw(length)
    nn.functional.cross_entropy(model(x.requires_grad_()), first).backward()
    slope = np.linalg.norm(x.grad.double().numpy(), axis=(0, 2))  # squares of 1e-30 would be 0 in float32
    return slope / slope[-1]


class Writer(nn.Module):
    """Scores for the next character, from the one before and a state."""

    def __init__(self, characters: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(characters, 32)
        self.cell = nn.LSTM(32, 128, batch_first=True)
        self.head = nn.Linear(128, characters)

    def forward(self, x: td.Tensor, state: tuple | None = None) -> tuple[td.Tensor, tuple]:
        out, state = self.cell(self.embedding(x), state)
        return self.head(out), state


def loss_per_character(scores: td.Tensor, targets: td.Tensor) -> td.Tensor:
    return nn.functional.cross_entropy(scores.flatten(0, 1), targets.flatten())


def learn(train: np.ndarray, characters: int, seed: int, steps: int) -> tuple[Writer, list[float]]:
    """Reads a text in 32 streams side by side, 64 characters a step, and hands the state on from step to step."""
    td.manual_seed(seed)
    model = Writer(characters)
    optimizer = td.optim.Adam(model.parameters(), lr=1e-2)
    scheduler = td.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    streams = td.tensor(train[: len(train) // 32 * 32].reshape(32, -1))
    rounds = max(1, (streams.shape[1] - 1) // 64)
    state, losses = None, []
    for step in range(steps):
        at = step % rounds * 64
        scores, state = model(streams[:, at : at + 64], state if at else None)
        state = tuple(each.detach() for each in state)  # the gradient goes back 64 steps, the memory farther
        loss = loss_per_character(scores[:, : streams.shape[1] - at - 1], streams[:, at + 1 : at + 65])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
    return model, losses


def counted(train: np.ndarray, dev: np.ndarray, characters: int) -> tuple[float, float]:
    """The loss per character of counting: how often each one occurs, and how often each follows each."""
    pairs = np.full((characters, characters), 0.1)
    np.add.at(pairs, (train[:-1], train[1:]), 1)
    alone, after = pairs.sum(0) / pairs.sum(), pairs / pairs.sum(1, keepdims=True)
    return -float(np.log(alone[dev[1:]]).mean()), -float(np.log(after[dev[:-1], dev[1:]]).mean())


def write(model: Writer, start: int, length: int, seed: int) -> np.ndarray:
    """A text for each temperature, all at once: (temperatures, length)."""
    generator = td.Generator().manual_seed(seed)
    temperatures = td.tensor(TEMPERATURES)[:, None]
    x, state, found = td.full((len(TEMPERATURES), 1), start), None, []
    with td.no_grad():
        for _ in range(length):
            scores, state = model(x, state)
            x = td.multinomial(td.softmax(scores[:, 0] / temperatures, 1), 1, generator=generator)
            found.append(x.numpy()[:, 0])
    return np.stack(found, 1)


def main() -> None:
    options = show.options(__doc__, data=None)
    td.set_num_threads(1)  # products this small gain little from a second core, and lose much where it is busy
    lengths, steps = ((20,), 150) if options.quick else ((20, 50, 100), 300)
    print(f"The first of 8 symbols recalled after T steps of noise: accuracy after {steps} batches (a guess: 12.5 %)\n")
    slopes = {name: arriving(name, options.seed) for name in CELLS}
    rows = [
        (name, *(f"{recall(name, length, options.seed, steps):.1%}" for length in lengths), f"{slopes[name][0]:.0e}")
        for name in CELLS
    ]
    show.table(("", *(f"T = {length}" for length in lengths), "gradient left after 100 steps, at first"), rows)

    print("Twenty steps of noise, a net that starts by copying its state, plain descent\n")
    runs = {name: clipping(clip, options.seed, 2 * steps) for name, clip in (("as it is", math.inf), ("cut to 1", 1.0))}
    show.table(("gradient", "median length", "longest", "accuracy"), [
        (name, f"{np.median(norms):.1f}", f"{norms.max():.0f}", f"{right[-20:].mean():.1%}")
        for name, (right, norms) in runs.items()
    ])  # fmt: skip

    text = show.text(options.data)
    characters, ids = np.unique(list(text), return_inverse=True)
    train, dev = np.split(ids, [len(ids) * 9 // 10])
    model, losses = learn(train, len(characters), options.seed, 60 if options.quick else 400)
    alone, after = counted(train, dev, len(characters))
    with td.no_grad():
        rest = td.tensor(dev[: len(dev) // 16 * 16].reshape(16, -1))
        found = loss_per_character(model(rest[:, :-1])[0], rest[:, 1:]).item()
    print(f"The next of {len(characters)} characters, after {len(losses) * 32 * 64:,} of them: loss on other text\n")
    show.table(("", "nats", "like a choice of"), [
        (name, f"{loss:.2f}", f"{math.exp(loss):.1f}")
        for name, loss in (("how often each occurs", alone), ("how often each follows each", after), ("LSTM", found))
    ])  # fmt: skip
    start = int(np.flatnonzero(characters == "\n")[0]) if "\n" in characters else 0
    for temperature, line in zip(TEMPERATURES, write(model, start, 240, options.seed), strict=True):
        print(f"temperature {temperature}: {''.join(characters[line])!r}\n")

    figure, axes = viz.figure(1, 3, title="Long memory", size=(16, 5))
    axes[0].set_ylim(1e-18, 10)
    viz.plot_curves(
        slopes, xlabel="step", ylabel="part of the gradient that arrives", x=range(101), log=True, ax=axes[0]
    )
    axes[0].set_title("From the last step back to the first")
    smooth = {name: np.convolve(right, np.full(20, 1 / 20), "valid") for name, (right, _) in runs.items()}
    viz.plot_curves(smooth, xlabel="step", ylabel="accuracy over 20 batches", ax=axes[1])
    axes[1].set_title("A net that copies its state, by its gradient")
    levels = {"each character alone": alone, "pairs counted": after, "LSTM, other text": found}
    level_lines = {name: np.full(len(losses), level) for name, level in levels.items()}
    viz.plot_curves({"LSTM, training": losses, **level_lines}, xlabel="step", ylabel="loss per character", ax=axes[2])
    axes[2].set_title("The next character")
    show.save(figure, options, "24_long_memory.png")


if __name__ == "__main__":
    main()
