"""A graph convolutional network finds the communities of a graph from a few labels: a dense adjacency, dropout."""

import argparse
import math

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.nn.modules.module import Module
from torch.nn.parameter import Parameter


class GraphConvolution(Module):
    """A linear layer whose results each node averages over its neighbours."""

    def __init__(self, in_features, out_features, bias=True):
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter(torch.FloatTensor(in_features, out_features))
        if bias:
            self.bias = Parameter(torch.FloatTensor(out_features))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self):
        stdv = 1.0 / math.sqrt(self.weight.size(1))
        self.weight.data.uniform_(-stdv, stdv)
        if self.bias is not None:
            self.bias.data.uniform_(-stdv, stdv)

    def forward(self, input, adj):
        support = torch.mm(input, self.weight)
        output = torch.spmm(adj, support)
        return output + self.bias if self.bias is not None else output

    def __repr__(self):
        return f"{self.__class__.__name__} ({self.in_features} -> {self.out_features})"


class GCN(nn.Module):
    def __init__(self, nfeat, nhid, nclass, dropout):
        super().__init__()
        self.gc1 = GraphConvolution(nfeat, nhid)
        self.gc2 = GraphConvolution(nhid, nclass)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, adj):
        x = F.relu(self.gc1(x, adj))
        x = self.dropout(x)
        x = self.gc2(x, adj)
        return F.log_softmax(x, dim=1)


def communities(nodes=120, groups=3):
    """Features, adjacency with loops and rows that sum to 1, and the group of each node."""
    rng = np.random.default_rng(6)
    labels = np.arange(nodes) % groups
    likely = np.where(labels[:, None] == labels, 0.12, 0.01)
    links = np.triu(rng.random((nodes, nodes)) < likely, 1)
    adjacency = (links | links.T | np.eye(nodes, dtype=bool)).astype(float)
    features = np.eye(groups)[labels] + rng.normal(0, 1.5, (nodes, groups))
    return (
        torch.tensor(np.hstack([features, rng.normal(0, 1, (nodes, 5))])),
        torch.tensor(adjacency / adjacency.sum(1, keepdims=True)),
        torch.LongTensor(labels),
    )


def accuracy(output, labels):
    preds = output.max(1)[1].type_as(labels)
    correct = preds.eq(labels).double()
    return correct.sum() / len(labels)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--double", action="store_true", help="compute in float64")
    parser.add_argument("--load", help="weights to start from")
    parser.add_argument("--save", help="where to write the weights that training starts from")
    args = parser.parse_args()

    torch.manual_seed(42)
    features, adj, labels = communities()
    model = GCN(nfeat=features.shape[1], nhid=16, nclass=labels.max().item() + 1, dropout=0.5)
    if args.double:
        model.double()
    else:
        features, adj = features.float(), adj.float()
    if args.load:
        model.load_state_dict(torch.load(args.load))
    if args.save:
        torch.save(model.state_dict(), args.save)
    optimizer = optim.Adam(model.parameters(), lr=0.01, weight_decay=5e-4)
    features, adj, labels = torch.autograd.Variable(features), torch.autograd.Variable(adj), labels
    idx_train, idx_test = torch.LongTensor(range(24)), torch.LongTensor(range(24, 120))
    for step in range(args.steps):
        model.train()
        optimizer.zero_grad()
        output = model(features, adj)
        loss_train = F.nll_loss(output[idx_train], labels[idx_train])
        loss_train.backward()
        optimizer.step()
        print(f"step {step} loss {loss_train.item():.17g}")
    model.eval()
    output = model(features, adj)
    print(f"test accuracy {accuracy(output[idx_test], labels[idx_test]):.4f}")


if __name__ == "__main__":
    main()
