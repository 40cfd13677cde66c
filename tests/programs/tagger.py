"""A bidirectional LSTM marks the numbers in sentences: packed sequences, a collate function."""

import argparse
import random

import torch
import torch.nn as nn
import torch.optim as optim
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence
from torch.utils.data import DataLoader, Dataset

NUMBERS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
NOUNS = ["cats", "dogs", "trees", "stones", "rivers", "birds"]
OTHERS = ["the", "of", "and", "saw", "has", "near", "old", "green", "a", "with"]
PAD, IGNORED = 0, -100


class Sentences(Dataset):
    """Random sentences; the tag of a word is 0, or 1 for a number, or 2 for a noun that a number counts."""

    def __init__(self, count, seed=0):
        draw = random.Random(seed)
        self.vocabulary = {word: i + 1 for i, word in enumerate(NUMBERS + NOUNS + OTHERS)}
        self.pairs = []
        for _ in range(count):
            words = [draw.choice(draw.choice([NUMBERS, NOUNS, OTHERS])) for _ in range(draw.randint(3, 14))]
            tags = [
                1 if word in NUMBERS else 2 if word in NOUNS and i and words[i - 1] in NUMBERS else 0
                for i, word in enumerate(words)
            ]
            self.pairs.append((words, tags))

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, i):
        words, tags = self.pairs[i]
        return torch.LongTensor([self.vocabulary[w] for w in words]), torch.LongTensor(tags)


def collate(batch):
    batch.sort(key=lambda pair: len(pair[0]), reverse=True)
    words, tags = zip(*batch, strict=True)
    lengths = torch.tensor([len(w) for w in words])
    return (
        pad_sequence(words, batch_first=True, padding_value=PAD),
        lengths,
        pad_sequence(tags, batch_first=True, padding_value=IGNORED),
    )


class Tagger(nn.Module):
    def __init__(self, vocabulary_size, tags, embedding_dim=32, hidden_dim=48):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, embedding_dim, padding_idx=PAD)
        self.lstm = nn.LSTM(embedding_dim, hidden_dim, num_layers=2, batch_first=True, bidirectional=True)
        self.hidden2tag = nn.Linear(2 * hidden_dim, tags)

    def forward(self, sentences, lengths):
        packed = pack_padded_sequence(self.embedding(sentences), lengths, batch_first=True)
        out, _ = self.lstm(packed)
        out, _ = pad_packed_sequence(out, batch_first=True)
        return self.hidden2tag(out)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--double", action="store_true", help="compute in float64")
    parser.add_argument("--load", help="weights to start from")
    parser.add_argument("--save", help="where to write the weights that training starts from")
    args = parser.parse_args()

    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64 if args.double else torch.float32)
    data = Sentences(200)
    model = Tagger(len(data.vocabulary) + 1, tags=3)
    if args.load:
        model.load_state_dict(torch.load(args.load))
    if args.save:
        torch.save(model.state_dict(), args.save)
    loss_function = nn.CrossEntropyLoss(ignore_index=IGNORED)
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    scheduler = optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    loader = DataLoader(data, batch_size=args.batch_size, shuffle=False, collate_fn=collate, drop_last=True)
    step = 0
    while step < args.steps:
        total = 0.0
        for sentences, lengths, tags in loader:
            model.zero_grad()
            scores = model(sentences, lengths)
            loss = loss_function(scores.transpose(1, 2), tags)
            loss.backward()
            nn.utils.clip_grad_value_(model.parameters(), 0.5)
            optimizer.step()
            print(f"step {step} loss {loss.item():.17g}")
            total += loss.item()
            step += 1
            if step == args.steps:
                break
        scheduler.step(total)
    model.eval()
    with torch.no_grad():
        sentences, lengths, tags = next(iter(loader))
        predicted = model(sentences, lengths).argmax(-1)
        known = tags != IGNORED
        print(f"accuracy {(predicted[known] == tags[known]).double().mean():.3f}")


if __name__ == "__main__":
    main()
