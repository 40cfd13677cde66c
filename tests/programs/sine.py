"""LSTM cells, trained by LBFGS, learn to go on with sine waves: a step of the optimizer is a line search."""

import argparse

import numpy as np
import torch
import torch.nn as nn
import torch.optim as optim


class Sequence(nn.Module):
    def __init__(self, hidden=24):
        super().__init__()
        self.hidden = hidden
        self.lstm1 = nn.LSTMCell(1, hidden)
        self.lstm2 = nn.LSTMCell(hidden, hidden)
        self.linear = nn.Linear(hidden, 1)

    def forward(self, input, future=0):
        outputs = []
        h_t = torch.zeros(input.size(0), self.hidden, dtype=input.dtype)
        c_t = torch.zeros(input.size(0), self.hidden, dtype=input.dtype)
        h_t2, c_t2 = h_t.clone(), c_t.clone()
        for input_t in input.split(1, dim=1):
            h_t, c_t = self.lstm1(input_t, (h_t, c_t))
            h_t2, c_t2 = self.lstm2(h_t, (h_t2, c_t2))
            output = self.linear(h_t2)
            outputs += [output]
        for _ in range(future):
            h_t, c_t = self.lstm1(output, (h_t, c_t))
            h_t2, c_t2 = self.lstm2(h_t, (h_t2, c_t2))
            output = self.linear(h_t2)
            outputs += [output]
        return torch.cat(outputs, dim=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=100, help="evaluations of the loss")
    parser.add_argument("--length", type=int, default=40)
    parser.add_argument("--double", action="store_true", help="compute in float64")
    parser.add_argument("--load", help="weights to start from")
    parser.add_argument("--save", help="where to write the weights that training starts from")
    args = parser.parse_args()

    np.random.seed(2)
    torch.manual_seed(0)
    waves = np.sin((np.arange(args.length) + np.random.randint(-80, 80, (12, 1))) / 5.0)
    data = torch.from_numpy(waves)
    seq = Sequence()
    seq.double() if args.double else seq.float()
    data = data.to(next(seq.parameters()).dtype)
    if args.load:
        seq.load_state_dict(torch.load(args.load))
    if args.save:
        torch.save(seq.state_dict(), args.save)
    criterion = nn.MSELoss()
    optimizer = optim.LBFGS(seq.parameters(), lr=0.5, max_iter=4, line_search_fn="strong_wolfe")
    step = 0

    def closure():
        nonlocal step
        optimizer.zero_grad()
        loss = criterion(seq(data[3:, :-1]), data[3:, 1:])
        loss.backward()
        if step < args.steps:
            print(f"step {step} loss {loss.item():.17g}")
        step += 1
        return loss

    while step < args.steps:
        optimizer.step(closure)
    with torch.no_grad():
        pred = seq(data[:3, :-1], future=10)
        loss = criterion(pred[:, :-10], data[:3, 1:])
        print(f"test loss {loss.item():.6f}, then {' '.join(f'{y:.2f}' for y in pred[0, -10:].tolist())}")


if __name__ == "__main__":
    main()
