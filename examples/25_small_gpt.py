"""A small GPT: a transformer that reads characters and foretells the next, built from layers, trained, and let write.

Every character looks back at all characters before it: a head of attention gives each earlier one a weight and takes
the mean of what they offer (Vaswani et al., 2017). Each block adds what attention finds, and then what a small net
makes of it, to the stream it has read; normalising before and not after each part keeps the sum free for gradients
(GPT-2, Radford et al., 2019). The text is Python's own help, or that of `--data FILE`.

What to see:

- All places of a window are trained at once. That is right only if none sees what comes after it: a later character is
  changed, and no score before it moves by a bit.
- The loss starts where every character is equally likely, rests for a while near what pairs of characters can tell,
  which needs no attention, and falls far past that once the heads have found what to look at. The rate warms up, then
  falls by half a cosine.
- Heads look at different things: one of the first block at the character before and nothing else, others at the last
  few; in the second block some look far back, to where a word or a quotation began.
- It writes: of the five likeliest characters or of all, at a low temperature or a high one. Leaving out the unlikely
  ones lets a high temperature write words.
"""

from __future__ import annotations

import math
import time

import numpy as np
import show
from matplotlib.figure import Figure

import tinygrad_dl as td
from tinygrad_dl import nn, viz

CONTEXT, WIDTH, HEADS, BLOCKS, BATCH = 64, 64, 4, 2, 16
START = 0.08  # the spread of the first weights: 0.02 in GPT-2, whose sums are over twelve times as many terms
# How it writes: the temperature, and how many of the likeliest characters are drawn from (None: of all).
WAYS = ((0.5, None), (0.8, 5), (0.8, None), (1.2, 5), (1.2, None))


class Attention(nn.Module):
    """Each place takes a weighted mean of what the places up to it offer, in several heads."""

    def __init__(self) -> None:
        super().__init__()
        self.project, self.join = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)

    def heads(self, x: td.Tensor) -> tuple[td.Tensor, ...]:
        """Queries, keys and values, each (batch, heads, length, width of a head)."""
        return self.project(x).unflatten(-1, (3, HEADS, WIDTH // HEADS)).permute(2, 0, 3, 1, 4).unbind()

    def forward(self, x: td.Tensor) -> td.Tensor:
        found = nn.functional.scaled_dot_product_attention(*self.heads(x), is_causal=True)
        return self.join(found.transpose(1, 2).flatten(2))


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.look, self.think = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.attention = Attention()
        self.net = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))

    def forward(self, x: td.Tensor) -> td.Tensor:
        x = x + self.attention(self.look(x))
        return x + self.net(self.think(x))


class GPT(nn.Module):
    """Scores for the next character at each place: (batch, length) -> (batch, length, characters)."""

    def __init__(self, characters: int) -> None:
        super().__init__()
        self.characters, self.places = nn.Embedding(characters, WIDTH), nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.Sequential(*(Block() for _ in range(BLOCKS)))
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, characters, bias=False)
        self.head.weight = self.characters.weight  # one table says what a character means, coming in and going out
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:
                # What is added to the stream is smaller, the more of it there is.
                last = name.endswith(("join.weight", "net.2.weight"))
                nn.init.normal_(parameter, std=START / math.sqrt(2 * BLOCKS) if last else START)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def embed(self, x: td.Tensor) -> td.Tensor:
        return self.characters(x) + self.places.weight[: x.shape[1]]

    def forward(self, x: td.Tensor) -> td.Tensor:
        return self.head(self.norm(self.blocks(self.embed(x))))

    def weights(self, x: td.Tensor) -> np.ndarray:
        """How much each place looks at each other one: (blocks, heads, length, length) for a batch of one."""
        found = []
        with td.no_grad():
            x = self.embed(x)
            for block in self.blocks:
                query, key, _ = block.attention.heads(block.look(x))
                scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
                later = td.ones(scores.shape[-2:], dtype=td.bool).triu(1)
                found.append(td.softmax(scores.masked_fill(later, -math.inf), -1)[0].numpy())
                x = block(x)
        return np.stack(found)


def load(path: str | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The characters there are, and the text as numbers: nine tenths to learn from, the rest to be judged by."""
    characters, ids = np.unique(list(show.text(path)), return_inverse=True)
    return characters, *np.split(ids, [len(ids) * 9 // 10])


def loss_of(model: GPT, x: td.Tensor, y: td.Tensor) -> td.Tensor:
    return nn.functional.cross_entropy(model(x).flatten(0, 1), y.flatten())


def dev_loss(model: GPT, dev: np.ndarray, windows: int) -> float:
    """The loss per character on windows side by side."""
    count = min(windows, (len(dev) - 1) // CONTEXT)
    x, y = (td.tensor(dev[i : i + count * CONTEXT].reshape(count, CONTEXT)) for i in (0, 1))
    with td.no_grad():
        return loss_of(model, x, y).item()


def pairs_loss(train: np.ndarray, dev: np.ndarray, characters: int) -> float:
    """The loss per character of counting which follows which."""
    pairs = np.full((characters, characters), 0.1)
    np.add.at(pairs, (train[:-1], train[1:]), 1)
    return -float(np.log(pairs / pairs.sum(1, keepdims=True))[dev[:-1], dev[1:]].mean())


def train_gpt(
    train: np.ndarray, dev: np.ndarray, characters: int, seed: int, steps: int, looks: int = 20
) -> tuple[GPT, dict]:
    """The model, and by step its loss and rate, its loss on other text every so often, and characters a second."""
    td.manual_seed(seed)
    rng = np.random.default_rng(seed)
    model = GPT(characters)
    # Only matrices decay: pulling gains and biases to 0 would help nobody.
    matrices = [p for p in model.parameters() if p.ndim == 2]
    groups = [{"params": matrices}, {"params": [p for p in model.parameters() if p.ndim < 2], "weight_decay": 0.0}]
    optimizer = td.optim.AdamW(groups, lr=6e-3, betas=(0.9, 0.99), weight_decay=0.1)
    schedules, warm = td.optim.lr_scheduler, max(1, steps // 10)
    scheduler = schedules.SequentialLR(optimizer, [
        schedules.LinearLR(optimizer, 1 / warm, total_iters=warm - 1),
        schedules.CosineAnnealingLR(optimizer, steps - warm, eta_min=6e-4),
    ], milestones=[warm])  # fmt: skip
    history: dict = {"loss": [], "rate": [], "at": [], "dev": []}
    spent = 0.0
    for step in range(steps + 1):
        if step % max(1, steps // looks) == 0 or step == steps:
            history["at"].append(step)
            history["dev"].append(dev_loss(model, dev, 32))
        if step == steps:
            break
        begin = time.perf_counter()
        starts = rng.integers(0, len(train) - CONTEXT, BATCH)[:, None] + np.arange(CONTEXT)
        loss = loss_of(model, td.tensor(train[starts]), td.tensor(train[starts + 1]))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        history["rate"].append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
        history["loss"].append(loss.item())
        spent += time.perf_counter() - begin
    history["speed"] = steps * BATCH * CONTEXT / spent
    return model, history


def leaks(model: GPT, text: np.ndarray) -> float:
    """How much changing one character moves the scores before it (0), where it moves those from there on."""
    x = td.tensor(text[:CONTEXT][None])
    place = CONTEXT // 2
    changed = x.clone()
    changed[0, place] = (x[0, place] + 1) % model.characters.num_embeddings
    with td.no_grad():
        moved = (model(x) - model(changed)).abs()[0].amax(1)
    assert (moved[place:] > 0).all(), "a character that moves nothing after it"
    return moved[:place].max().item()


def write(model: GPT, start: int, length: int, seed: int) -> np.ndarray:
    """A text for each of WAYS, all at once: (ways, length)."""
    generator = td.Generator().manual_seed(seed)
    x = td.full((len(WAYS), 1), start)
    with td.no_grad():
        for _ in range(length):
            scores = model(x[:, -CONTEXT:])[:, -1] / td.tensor([t for t, _ in WAYS])[:, None]
            for row, (_, likeliest) in zip(scores, WAYS, strict=True):
                if likeliest is not None:
                    row[row < row.topk(likeliest).values[-1]] = -math.inf
            x = td.cat([x, td.multinomial(td.softmax(scores, 1), 1, generator=generator)], 1)
    return x.numpy()[:, 1:]


def draw_training(axes: np.ndarray, history: dict, pairs: float) -> None:
    """The losses beside that of pairs, and the rate."""
    training, dev = np.full((2, len(history["loss"]) + 1), np.nan)
    training[10:] = np.convolve(history["loss"], np.full(10, 0.1), "valid")
    dev[history["at"]] = history["dev"]
    curves = {"training, mean of 10": training, "other text": dev, "which follows which": np.full(len(dev), pairs)}
    viz.plot_curves(curves, x=range(len(dev)), xlabel="step", ylabel="loss per character", ax=axes[0])
    axes[0].set_title("Loss")
    viz.plot_schedule({"AdamW": history["rate"]}, ax=axes[1])
    axes[1].set_title("Warm-up and half a cosine")


def attention_map(model: GPT, text: np.ndarray, characters: np.ndarray, length: int = 24) -> Figure:
    """For each head a square: a row is a character, its columns are those that it looks at."""
    text = text[int(np.argmax(text[:-length] == characters.searchsorted("\n"))) + 1 :]  # from the start of a line
    maps = model.weights(td.tensor(text[None, :length]))
    letters = [{" ": "\N{OPEN BOX}", "\n": "\N{PILCROW SIGN}"}.get(c, c) for c in characters[text[:length]]]
    figure, axes = viz.figure(BLOCKS, HEADS, title="Who looks where: each row at the characters above", size=(16, 9))
    for (block, head), ax in np.ndenumerate(axes):
        image = ax.imshow(maps[block, head], cmap="Blues", vmin=0, vmax=1)
        ax.set_xticks(range(length), letters, fontsize=8)
        ax.set_yticks(range(length), letters, fontsize=8)
        ax.xaxis.tick_top()
        ax.tick_params(length=0)
        ax.grid(False)
        before = np.diagonal(maps[block, head], -1).mean()
        ax.set_title(f"block {block + 1}, head {head + 1}: {before:.0%} on the one before", fontsize=9)
    figure.colorbar(image, ax=axes, shrink=0.5, aspect=30, pad=0.01, label="share of a row's attention")
    return figure


def main() -> None:
    options = show.options(__doc__, "60 steps, after which counted pairs still predict better", data=None)
    td.set_num_threads(1)  # products this small gain little from a second core, and lose much where it is busy
    characters, train, dev = load(options.data)
    steps = 60 if options.quick else 1200
    model, history = train_gpt(train, dev, len(characters), options.seed, steps, 3 if options.quick else 20)
    count = sum(p.numel() for p in model.parameters())
    print(f"{count:,} parameters, {steps} steps of {BATCH} x {CONTEXT}, {history['speed']:,.0f} characters a second\n")
    uniform, pairs = math.log(len(characters)), pairs_loss(train, dev, len(characters))
    found = dev_loss(model, dev, len(dev))
    rows = [("all equally likely", uniform), ("which follows which", pairs), ("GPT at first", history["dev"][0])]
    rows += [("GPT", found)]
    show.table(
        ("loss on other text", "nats", "like a choice of"), [(n, f"{v:.2f}", f"{math.exp(v):.1f}") for n, v in rows]
    )
    print(f"Changing a character moves the scores before it by {leaks(model, dev):g}\n")
    start = int(np.flatnonzero(characters == "\n")[0]) if "\n" in characters else 0
    for (temperature, likeliest), line in zip(
        WAYS, write(model, start, 40 if options.quick else 240, options.seed), strict=True
    ):
        of = f"of the {likeliest} likeliest" if likeliest else "of all"
        print(f"temperature {temperature}, {of}: {''.join(characters[line])!r}\n")

    figure, axes = viz.figure(1, 2, title=f"A GPT of {count:,} parameters", size=(13, 5))
    draw_training(axes, history, pairs)
    show.save(figure, options, "25_small_gpt.png")
    show.save(attention_map(model, dev, characters), options, "25_small_gpt_attention.png")


if __name__ == "__main__":
    main()
