"""Random training steps: what a step does, drawn as numbers, and the world of tensors that it lives in.

A program is a list of instructions, each (name, three numbers, whether under no_grad). The numbers choose among the
variables that there are, and among what an instruction knows. A `World` holds what outlives a step: parameters, an
optimiser, buffers; its `step` runs the program once. Two worlds made alike and given the same calls stay alike, whether
their steps are compiled or not.
"""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
from hypothesis import strategies as st
from inplace_programs import VIEWS

import tinygrad_dl as td

F = td.nn.functional

UNARY = [
    lambda v: v.tanh(),
    lambda v: v.relu(),
    lambda v: v.sigmoid() * v,
    lambda v: v.clamp(-0.5, 0.75),
    lambda v: v.sin() + 1,
    lambda v: v.abs().sqrt(),
    lambda v: 1 - v / 3,
    lambda v: v.square().mean(),
    lambda v: F.gelu(v),
    lambda v: -v.clone(),
    lambda v: v.softmax(-1) if v.ndim else v,
    lambda v: F.layer_norm(v, v.shape[-1:]) if v.ndim else v,
    lambda v: v.reshape(-1).log_softmax(0),
    lambda v: v.double().exp().float(),
]
REDUCTIONS = [
    lambda v: v.sum(-1),
    lambda v: v.mean(0, keepdim=True),
    lambda v: v.amax(-1),
    lambda v: v.max(0).values,
    lambda v: v.cumsum(0),
    lambda v: v.logsumexp(-1),
    lambda v: v.var(-1, correction=0),
    lambda v: v.norm(),
    lambda v: v.sort(-1).values,
    lambda v: v.argmax(-1).float(),
]
BINARY = [
    lambda v, u: v + u,
    lambda v, u: v * u,
    lambda v, u: v - 2 * u,
    lambda v, u: td.maximum(v, u),
    lambda v, u: td.where(v > u, v, u * 0.5),
    lambda v, u: v / (u * u + 1),
    lambda v, u: td.addcmul(v, u, u, value=0.25),
    lambda v, u: v.lerp(u, 0.25),
]
CHANGES = [
    lambda v, u, s: v.mul_(0.75),
    lambda v, u, s: v.add_(u, alpha=0.5),
    lambda v, u, s: v.copy_(u),
    lambda v, u, s: v.tanh_(),
    lambda v, u, s: v.zero_(),
    lambda v, u, s: v.fill_(s),
    lambda v, u, s: v.masked_fill_(v > 0.25, s),
    lambda v, u, s: v.lerp_(u, 0.125),
    lambda v, u, s: v.sub_(u * s),
    lambda v, u, s: v.clamp_(-1.0, 1.0),
]
RANDOM = [
    lambda v: F.dropout(v, 0.5),
    lambda v: v + td.rand_like(v),
    lambda v: v * td.randn(v.shape) if v.ndim else v,
    lambda v: v * td.bernoulli(td.full_like(v, 0.5)),
    lambda v: v[td.randperm(v.shape[0])] if v.ndim else v,
    lambda v: F.dropout(v, 0.0),
]
INDICES = [0, -1, slice(1, None), (..., 0), (..., slice(None, None, 2)), slice(None, 1)]
OPTIMIZERS = [
    lambda p: td.optim.SGD(p, lr=0.05),
    lambda p: td.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.01),
    lambda p: td.optim.Adam(p, lr=0.05),
    lambda p: td.optim.AdamW(p, lr=0.05, amsgrad=True),
    lambda p: td.optim.RMSprop(p, lr=0.05, momentum=0.5),
    lambda p: td.optim.Adagrad(p, lr=0.05),
    None,  # gradients are added up
]

NAMES = "unary unary reduce binary binary product product view view view change change store random index number "
NAMES += "detach gradient statistics embed"
instructions = st.tuples(
    st.sampled_from(NAMES.split()),
    st.integers(0, 40),
    st.integers(0, 40),
    st.integers(0, 40),
    st.sampled_from([False] * 5 + [True]),
)
programs = st.lists(instructions, min_size=1, max_size=12)
ROWS, COLUMNS = 3, 4


class World:
    """Parameters, buffers and an optimiser, and a step that runs a program on them; alike for equal arguments."""

    def __init__(self, program, optimizer=0):
        rng = np.random.default_rng(7)

        def new(*shape):
            return td.tensor(rng.standard_normal(shape).astype(np.float32))

        self.program = program
        self.parameters = [new(COLUMNS, COLUMNS), new(COLUMNS), new(5, COLUMNS)]
        for each in self.parameters:
            each.requires_grad_()
        self.buffers = [new(ROWS, COLUMNS), td.zeros(COLUMNS), td.ones(COLUMNS)]
        make = OPTIMIZERS[optimizer % len(OPTIMIZERS)]
        self.optimizer = make(self.parameters) if make else None

    def state(self):
        """All that outlives a step, by name."""
        found = {f"buffer {i}": each for i, each in enumerate(self.buffers)}
        for i, each in enumerate(self.parameters):
            found |= {f"parameter {i}": each, f"gradient {i}": each.grad}
            for key, value in (self.optimizer.state[each] if self.optimizer else {}).items():
                found[f"{key} {i}"] = value
        return found

    def step(self, x, classes, s):
        """One step on a batch `x`, with class indices and a number; returns the loss and some variables."""
        if self.optimizer:
            self.optimizer.zero_grad()
        ends = Run(self.program, self.parameters, self.buffers, x, classes, s).variables[-3:]
        loss = sum((v.float() * (1 + i)).mean() for i, v in enumerate(ends))
        loss = loss + F.cross_entropy(x @ self.parameters[0], classes)
        loss.backward()
        if self.optimizer:
            self.optimizer.step()
        return loss.detach(), [v.detach().clone() for v in ends]


class Run:
    """The variables that a program makes in one step, from those of the world and the step's arguments."""

    def __init__(self, program, parameters, buffers, x, classes, s):
        self.parameters, self.buffers, self.classes, self.s = parameters, buffers, classes, s
        self.variables = [x, *self.parameters[:2], self.buffers[0]]
        self.variables.append(x @ self.parameters[0] + self.parameters[1])
        for name, a, b, c, without_grad in program:
            with td.no_grad() if without_grad else nullcontext():
                getattr(self, name)(self.variables[a % len(self.variables)], b, c)

    def fitting(self, v, number):
        """A variable, or the sum of one that does not have the shape."""
        u = self.variables[number % len(self.variables)]
        return u if u.shape == v.shape else u.sum()

    def own(self, v):
        """The variable if it may be changed in place, else a copy, which becomes one."""
        if v.requires_grad and td.is_grad_enabled() and (v.is_leaf or v._is_view()):
            v = v * 1
            self.variables.append(v)
        return v

    def unary(self, v, b, c):
        self.variables.append(UNARY[b % len(UNARY)](v))

    def reduce(self, v, b, c):
        if v.ndim and v.numel():
            self.variables.append(REDUCTIONS[b % len(REDUCTIONS)](v))

    def binary(self, v, b, c):
        self.variables.append(BINARY[b % len(BINARY)](v, self.fitting(v, c)))

    def product(self, v, b, c):
        w = self.parameters[0]
        if v.ndim == 2 and c % 3 == 0:
            self.variables.append(v @ v.T if b % 2 else td.einsum("ij,kj->ik", v, v))
        elif v.ndim and v.shape[-1] == COLUMNS:
            self.variables.append(v @ w if b % 2 else F.linear(v, w, self.parameters[1]))

    def view(self, v, b, c):
        if v.ndim:
            made = VIEWS[b % len(VIEWS)](v)
            if made.numel():
                self.variables.append(made)

    def change(self, v, b, c):
        v = self.own(v)
        CHANGES[b % len(CHANGES)](v, self.fitting(v, c).clone(), self.s)

    def store(self, v, b, c):
        if v.ndim:
            self.own(v)[INDICES[b % len(INDICES)]] = self.variables[c % len(self.variables)].sum()

    def random(self, v, b, c):
        self.variables.append(RANDOM[b % len(RANDOM)](v))

    def index(self, v, b, c):
        if not v.ndim:
            return
        at = self.classes % v.shape[0]
        if b % 4 == 0:
            self.variables.append(v[at])
        elif b % 4 == 1:
            self.variables.append(v.index_select(0, at))
        elif b % 4 == 2:
            self.variables.append(td.zeros_like(v).index_add(0, at, v[at]))
        else:
            self.variables.append(v.reshape(-1).gather(0, self.classes % v.numel()))

    def number(self, v, b, c):
        self.variables.append([v * self.s, v + self.s, self.s / (v * v + 1), v**2 - self.s][b % 4])

    def detach(self, v, b, c):
        self.variables.append(v.detach())

    def gradient(self, v, b, c):
        if v.requires_grad and td.is_grad_enabled():
            leaf = self.parameters[c % 2]
            again = {"create_graph": True} if b % 2 else {"retain_graph": True}
            (g,) = td.autograd.grad(v.square().sum(), [leaf], allow_unused=True, **again)
            if g is not None:
                self.variables.append(g)

    def statistics(self, v, b, c):
        if v.ndim == 2 and v.shape[1] == COLUMNS and v.shape[0] > 1:
            mean, var = self.buffers[1:]
            self.variables.append(F.batch_norm(v, mean, var, training=bool(b % 3)))

    def embed(self, v, b, c):
        self.variables.append(F.embedding(self.classes, self.parameters[2]))
