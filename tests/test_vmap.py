"""vmap: random numbers inside, and what it refuses, in whose words."""

import re

import numpy as np
import pytest

import tinygrad_dl as td
import tinygrad_dl.nn.functional as F

X = td.tensor([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6], [0.7, 0.8, 0.9], [0.3, 0.3, 0.3]])

# Random functions of an example x, of shape (3,), whose distribution is the same for all examples.
DRAWS = {
    "rand": lambda x: td.rand(3),
    "randn": lambda x: td.randn(3),
    "complex randn": lambda x: td.randn(3, dtype=td.complex64).real,
    "rand_like": lambda x: td.rand_like(x),
    "randn_like": lambda x: td.randn_like(x),
    "randint": lambda x: td.randint(0, 10**6, (3,)),
    "randperm": lambda x: td.randperm(50),
    "normal": lambda x: td.normal(0.0, 1.0, (3,)),
    "bernoulli": lambda x: td.ones(64).bernoulli(0.5),
    "multinomial": lambda x: td.multinomial(td.ones(50), 40),
    "multinomial with replacement": lambda x: td.multinomial(td.ones(50), 40, True),
    "uniform_": lambda x: x.clone().uniform_(),
    "normal_": lambda x: x.clone().normal_(),
    "bernoulli_": lambda x: x.expand(20, 3).clone().bernoulli_(),
    "random_": lambda x: x.clone().random_(),
    "randint_like": lambda x: td.randint_like(x, 10**6),
    "exponential_": lambda x: x.clone().exponential_(),
    "geometric_": lambda x: x.expand(20, 3).clone().geometric_(0.1),
    "log_normal_": lambda x: x.clone().log_normal_(),
    "cauchy_": lambda x: x.clone().cauchy_(),
    "alpha_dropout": lambda x: F.alpha_dropout(td.ones_like(x).expand(20, 3), training=True),
    "feature_alpha_dropout": lambda x: F.feature_alpha_dropout(td.ones(8, 8, 1), training=True),
    "dropout": lambda x: F.dropout(td.ones(64)),
    "dropout of the example": lambda x: F.dropout(td.ones_like(x).expand(20, 3)),
    "dropout1d": lambda x: F.dropout1d(td.ones(64, 2)),
    "attention": lambda x: F.scaled_dot_product_attention(*[td.ones_like(x).expand(20, 3)] * 3, dropout_p=0.5),
}
# Those whose distribution differs between examples.
OWN = {
    "normal": lambda x: td.normal(x, x),
    "bernoulli": lambda x: td.bernoulli(x.expand(20, 3)),
    "multinomial": lambda x: td.multinomial(x.expand(20, 3), 2),
    "multinomial with replacement": lambda x: td.multinomial(x.expand(20, 3), 9, True),
}


def rows(draw, randomness):
    return td.func.vmap(draw, randomness=randomness)(X).numpy().reshape(4, -1)


@pytest.mark.parametrize("name", [*DRAWS, *(f"own {name}" for name in OWN)])
def test_random_numbers_inside_are_refused_unless_asked_for(name):
    draw = OWN[name.removeprefix("own ")] if name.startswith("own ") else DRAWS[name]
    state = str(td.get_rng_state())
    with pytest.raises(RuntimeError, match="got a random operation with randomness='error', expected none"):
        td.func.vmap(draw)(X)
    assert state == str(td.get_rng_state())


@pytest.mark.parametrize("name", [*DRAWS, *(f"own {name}" for name in OWN)])
def test_different_randomness_differs_between_examples(name):
    draw = OWN[name.removeprefix("own ")] if name.startswith("own ") else DRAWS[name]
    found = rows(draw, "different")
    assert len({row.tobytes() for row in found}) == 4


@pytest.mark.parametrize("name", DRAWS)
def test_same_randomness_is_what_one_example_would_get(name):
    td.manual_seed(3)
    alone = DRAWS[name](X[0]).numpy().ravel()
    td.manual_seed(3)
    found = rows(DRAWS[name], "same")
    assert np.allclose(found, alone, rtol=1e-6)


@pytest.mark.parametrize("name", OWN)
def test_same_randomness_of_distributions_of_their_own_is_refused(name):
    with pytest.raises(RuntimeError, match="parameters of a distribution that differ between examples"):
        rows(OWN[name], "same")


def test_distributions_of_their_own_are_kept():
    ones = td.func.vmap(td.bernoulli, randomness="different")(td.tensor([[0.0, 1.0], [1.0, 0.0]]))
    assert ones.tolist() == [[0.0, 1.0], [1.0, 0.0]]
    means = td.func.vmap(td.normal, randomness="different")(td.tensor([5.0, -7.0]), td.zeros(2))
    assert means.tolist() == [5.0, -7.0]
    for replacement in (False, True):
        weights = td.tensor([[0.0, 0.0, 2.0], [3.0, 0.0, 0.0]])
        pick = td.func.vmap(lambda w, again=replacement: td.multinomial(w, 1, again), randomness="different")
        assert pick(weights).tolist() == [[2], [0]]


def test_multinomial_draws_by_the_weights_inside_too():
    td.manual_seed(0)
    weights = td.tensor([1.0, 3.0, 0.0]).expand(2000, 3)
    found = td.func.vmap(lambda w: td.multinomial(w, 1, True), randomness="different")(weights)
    assert abs(found.double().mean().item() - 0.75) < 0.04 and found.max().item() == 1


def test_each_of_nested_vmaps_has_its_own_randomness():
    def both(outer, inner):
        draw = td.func.vmap(lambda x: td.rand(2), randomness=inner)
        return td.func.vmap(lambda _: draw(X), randomness=outer)(X).numpy()

    across = both("same", "different")
    assert (across == across[:1]).all() and len({row.tobytes() for row in across[0]}) == 4
    along = both("different", "same")
    assert (along == along[:, :1]).all() and len({row.tobytes() for row in along}) == 4
    whole = both("different", "different")
    assert len({row.tobytes() for row in whole.reshape(16, 2)}) == 16


def test_a_tensor_made_outside_is_not_filled_with_numbers_of_many_examples():
    with pytest.raises(RuntimeError, match="for a tensor made without"):
        td.func.vmap(lambda x: td.ones(3).uniform_() + x, randomness="different")(X)


def test_gradients_go_through_dropout_with_the_factors_that_were_drawn():
    def loss(x):
        kept = F.dropout(x, 0.5)
        return kept.sum(), kept

    gradients, kept = td.func.vmap(td.func.grad(loss, has_aux=True), randomness="different")(td.ones(4, 16))
    assert np.array_equal(gradients.numpy(), kept.numpy()) and set(gradients.numpy().ravel()) == {0.0, 2.0}


def test_forward_mode_outside_of_vmap_draws_as_without():
    td.manual_seed(1)
    alone = F.dropout(td.ones(8))
    td.manual_seed(1)
    out, tangent = td.func.jvp(lambda x: F.dropout(x), (td.ones(8),), (td.full((8,), 3.0),))
    assert out.tolist() == alone.tolist() and tangent.tolist() == (3 * alone).tolist()


def test_it_has_the_short_name_too():
    assert td.vmap is td.func.vmap


def test_an_unknown_randomness_is_refused():
    with pytest.raises(ValueError, match=re.escape("got randomness='some', expected one of 'error', 'different'")):
        td.func.vmap(td.sin, randomness="some")


# -- what goes in and comes out ------------------------------------------------------------------------


def test_an_index_of_an_outer_batch_into_an_inner_one():
    rows, picks = td.arange(12.0).reshape(4, 3), td.tensor([[0], [2]])
    found = td.func.vmap(lambda pick: td.func.vmap(lambda column: column[pick], in_dims=1)(rows))(picks)
    assert found.tolist() == [[[0], [1], [2]], [[6], [7], [8]]]


def test_searchsorted_of_rows_and_values_of_examples():
    rows, values = td.tensor([[1.0, 3.0, 5.0], [0.0, 1.0, 9.0]]), td.tensor([[0.0, 3.0], [3.0, 10.0]])
    assert td.func.vmap(td.searchsorted)(rows, values).tolist() == [[0, 1], [2, 3]]
    right = td.func.vmap(lambda v: td.bucketize(v, rows[0], right=True, out_int32=True))(values)
    assert right.tolist() == [[0, 2], [2, 3]] and right.dtype == td.int32
    both = td.func.vmap(lambda v: td.searchsorted(rows, v))(td.stack([values, values + 1]))
    assert both.tolist() == [td.searchsorted(rows, values).tolist(), td.searchsorted(rows, values + 1).tolist()]


def test_bernoulli_in_place_with_probabilities_of_a_tensor():
    x = td.zeros(3).bernoulli_(td.tensor([0.0, 1.0, 1.0]))
    assert x.tolist() == [0, 1, 1]
    draw = td.func.vmap(lambda p: td.zeros_like(p).bernoulli_(p), randomness="different")
    assert draw(td.tensor([[0.0, 1.0], [1.0, 0.0]])).tolist() == [[0, 1], [1, 0]]


def test_what_is_no_tensor_passes_where_out_dims_are_none():
    doubled, name = td.func.vmap(lambda x: (x * 2, "doubled"), out_dims=(0, None))(td.ones(2))
    assert doubled.tolist() == [2, 2] and name == "doubled"
    with pytest.raises(ValueError, match="got a result of type str from vmap's function, expected tensors"):
        td.func.vmap(lambda x: (x, "name"))(td.ones(2))
    with pytest.raises(ValueError, match="out_dims"):
        td.func.vmap(lambda x: (x, x), out_dims=(0,))(td.ones(2))


@pytest.mark.parametrize("name", ["grad", "jacrev", "jacfwd", "hessian"])
@pytest.mark.parametrize(
    ("argnums", "text"),
    [
        ((), "expected at least one number"),
        ([0], "expected an integer or a tuple of integers"),
        (1.0, "expected an integer or a tuple of integers"),
        (2, "expected numbers of the 2 arguments"),
        (-3, "expected numbers of the 2 arguments"),
        ((0, -2), "expected each argument once"),
    ],
)
def test_numbers_of_arguments(name, argnums, text):
    with pytest.raises(RuntimeError, match=re.escape(f"got argnums={argnums!r}, {text}")):
        getattr(td.func, name)(lambda x, y: x * y, argnums)(td.tensor(1.0), td.tensor(2.0))


@pytest.mark.parametrize("jacobian", [td.func.jacrev, td.func.jacfwd])
def test_jacobians_of_what_has_none(jacobian):
    for function, x, text in [
        (lambda x: x * 1j, td.tensor(1.0), "got a result of dtype complex64, expected real ones"),
        (lambda x: x, td.tensor(1j), "got an argument of dtype complex64, expected real ones"),
        (lambda x: (), td.tensor(1.0), "got () from the function, expected at least one tensor"),
        (lambda x: 3, td.tensor(1.0), "got a result of type int"),
    ]:
        with pytest.raises(RuntimeError, match=re.escape(text)):
            jacobian(function)(x)


@pytest.mark.parametrize(
    ("name", "ask"),
    [
        ("item", lambda x: x.sum().item()),
        ("tolist", lambda x: x.tolist()),
        ("numpy", lambda x: x.numpy()),
        ("numpy", np.asarray),
        ("float", lambda x: float(x[0])),
        ("int", lambda x: int(x[0])),
        ("index", lambda x: [1, 2, 3][x[0].long()]),
    ],
)
def test_numbers_are_refused_inside_by_the_name_that_asked(name, ask):
    with pytest.raises(RuntimeError, match=f"^{name}: got a tensor of shape .* inside of vmap, where numbers are need"):
        td.func.vmap(ask)(X)


def test_conditions_that_depend_on_values_are_refused():
    with pytest.raises(RuntimeError, match=re.escape("as a condition (if, while, and, or, not), where numbers are")):
        td.func.vmap(lambda x: x if x.sum() > 1 else -x)(X)


def test_tensors_that_have_left_are_refused():
    kept = []
    td.func.vmap(lambda x: kept.append(x) or x)(X)
    for use in (lambda x: x + 1, lambda x: x[0].item(), lambda x: x.numpy(), bool):
        with pytest.raises(RuntimeError, match="that was made inside vmap, which has ended, expected one of this leve"):
            use(kept[0])


def test_errors_of_an_op_inside_say_what_it_got():
    with pytest.raises(Exception, match=r"got .*expected") as caught:
        td.func.vmap(lambda x: x.reshape(7))(td.ones(2, 3))
    assert "numbers are needed" not in str(caught.value)


def test_chunks_draw_the_same_numbers_where_all_examples_do():
    draw = td.func.vmap(lambda x: x * 0 + td.rand(3), randomness="same", chunk_size=1)
    found = draw(X).numpy()
    assert (found == found[:1]).all()
    different = td.func.vmap(lambda x: x * 0 + td.rand(3), randomness="different", chunk_size=2)(X).numpy()
    assert len({row.tobytes() for row in different}) == 4


def test_a_mask_of_each_example_says_where_a_number_is_stored():
    def cut(x):
        y = x.clone()
        y[x > 0] = -1.0
        return y

    def rows_cut(x):
        y = x.clone()
        y[x.sum(1) > 0] = 5.0
        return y

    x = td.tensor([[[1.0, -2.0], [-3.0, 4.0]], [[0.0, 0.0], [-5.0, 6.0]]])
    assert td.func.vmap(cut)(x).tolist() == [[[-1, -2], [-3, -1]], [[0, 0], [-5, -1]]]
    assert td.func.vmap(rows_cut)(x).tolist() == [[[1, -2], [5, 5]], [[0, 0], [5, 5]]]
    assert td.func.vmap(td.func.grad(lambda x: cut(x).sum()))(x).tolist() == (x <= 0).double().tolist()
    _, tangent = td.func.jvp(cut, (x,), (td.ones_like(x),))
    assert tangent.tolist() == (x <= 0).double().tolist()


def test_another_shape_in_place():
    def turned(x):
        y = x.clone().unsqueeze_(0)
        y.squeeze_(0).mul_(2)
        return y.t_()

    x = td.tensor([[[1.0, 2.0], [3.0, 4.0]]])
    assert td.func.vmap(turned)(x).tolist() == [[[2, 6], [4, 8]]]
    _, tangent = td.func.jvp(turned, (x[0],), (x[0],))
    assert tangent.tolist() == [[2, 6], [4, 8]]


def test_contiguous_is_what_an_example_is():
    whole = td.zeros(3, 5, 2)
    seen = []
    for x, dim in ((whole, 0), (whole, 1), (whole.transpose(1, 2), 0), (whole.permute(1, 2, 0), 2)):
        td.func.vmap(lambda e: seen.append(e.is_contiguous()) or e, in_dims=dim)(x)
    assert seen == [True, False, False, True]
    td.func.vmap(td.func.vmap(lambda e: seen.append(e.is_contiguous()) or e), in_dims=1)(whole)
    assert seen[-1] is True


def test_what_a_jacobian_passes_beside_may_be_anything():
    def twice(x):
        return x**3, (x * 2, "name")

    found = td.func.vmap(td.func.jacfwd(td.func.jacrev(twice, has_aux=True), has_aux=True), out_dims=(0, (0, None)))
    second, (doubled, name) = found(td.tensor([1.0, 2.0]))
    assert second.tolist() == [6, 12] and doubled.tolist() == [2, 4] and name == "name"


def test_losses_that_look_at_values():
    scores, classes = td.tensor([[0.5, 0.0, 1.0], [0.2, 0.9, 0.3]]), td.tensor([2, 0])
    each = td.func.vmap(lambda s, c: F.multi_margin_loss(s, c, weight=td.tensor([2.0, 1.0, 1.0])))(scores, classes)
    assert np.allclose(each.numpy(), [0.5 / 3, 2 * (1.7 + 1.1) / 3])
    gaussian = td.func.vmap(lambda m, t, v: F.gaussian_nll_loss(m, t, v))(scores, scores + 1, scores * 0 + 4.0)
    assert np.allclose(gaussian.numpy(), 0.5 * (np.log(4) + 0.25))
    with pytest.raises(RuntimeError, match="multilabel_margin_loss: got a target inside of vmap, expected the same"):
        td.func.vmap(F.multilabel_margin_loss)(scores, td.tensor([[0, -1, 1], [1, 2, -1]]))


def test_indices_of_each_example_say_where_to_fill_and_to_copy():
    x, at = td.arange(6.0).reshape(2, 3), td.tensor([[0], [2]])
    filled = [[5.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    assert td.vmap(lambda x, i: x.index_fill(0, i, 5.0))(x, at).tolist() == filled
    assert td.vmap(lambda x, i: x.clone().index_fill_(0, i, 5.0))(x, at[:, 0]).tolist() == filled
    assert td.vmap(lambda x, i, v: x.index_fill(0, i, v))(x, at, td.tensor([5.0, 5.0])).tolist() == filled
    assert td.vmap(lambda x, i: x.index_copy(0, i, x[1:2]))(x, at).tolist() == [[1.0, 1.0, 2.0], [3.0, 4.0, 4.0]]
    square = td.zeros(2, 2)
    found = td.vmap(lambda i: square.index_fill(-1, i, 1.0))(td.tensor([[0], [1]]))
    assert found.tolist() == [[[1.0, 0.0]] * 2, [[0.0, 1.0]] * 2]
    slopes = td.func.vmap(td.func.grad(lambda x, i: (x * x).index_fill(0, i, 5.0).sum()))(x, at)
    assert slopes.tolist() == [[0.0, 2.0, 4.0], [6.0, 8.0, 0.0]]


def test_counts_of_each_example_have_to_come_to_the_same():
    x = td.arange(6.0).reshape(2, 3)
    repeated = td.vmap(lambda x, n: x.repeat_interleave(n))
    with pytest.warns(UserWarning, match="vmap: the op repeat_interleave has no rule for batches"):
        assert repeated(x, td.tensor([[1, 1, 1], [2, 0, 1]])).tolist() == [[0.0, 1.0, 2.0], [3.0, 3.0, 5.0]]
    text = r"repeat_interleave: got examples inside of vmap whose results have the shapes \(2,\), \(4,\), expected"
    with pytest.raises(RuntimeError, match=text):
        repeated(x, td.tensor([[1, 1, 0], [2, 1, 1]]))


def test_squeezing_an_example_is_a_view_and_knows_its_dimensions():
    x = td.zeros(3)
    assert td.vmap(lambda t: t.squeeze(0))(x)._base is x
    with pytest.raises(IndexError, match="got dim=1, expected one from -1 to 0"):
        td.vmap(lambda t: t.squeeze(1))(x)


def test_writing_into_what_cannot_hold_it_says_what_can():
    total, x = td.zeros(3), td.ones(2, 3)
    with pytest.raises(RuntimeError, match=r"add_: got a value of shape \(3,\) that differs between examples"):
        td.vmap(lambda t: total.add_(t))(x)
    assert total.tolist() == [0.0, 0.0, 0.0] and total._version == 0


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_losses_with_class_weights_of_each_example(reduction):
    logits, classes = td.randn(2, 5, 3), td.tensor([[0, 2, 1, 1, -100], [1, 1, 0, 2, 2]])
    weights, soft = td.tensor([[1.0, 0.0, 3.0], [0.5, 2.0, 1.0]]), td.rand(2, 5, 3)
    losses = [
        (lambda x, w, t: F.cross_entropy(x, t, w, reduction=reduction, label_smoothing=0.1), classes),
        (lambda x, w, t: F.cross_entropy(x, t, w, reduction=reduction, label_smoothing=0.1), soft),
        (lambda x, w, t: F.nll_loss(F.log_softmax(x, -1), t, w, reduction=reduction), classes),
    ]
    for loss, targets in losses:
        one_by_one = td.stack([loss(logits[i], weights[i], targets[i]) for i in range(2)])
        np.testing.assert_allclose(td.vmap(loss)(logits, weights, targets), one_by_one, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("layer", [td.nn.RNN, td.nn.GRU, td.nn.LSTM])
def test_recurrent_layers_of_an_ensemble_and_of_examples(layer):
    models = [layer(3, 4, num_layers=2, bidirectional=True) for _ in range(2)]
    parameters, _ = td.func.stack_module_state(models)
    sequences = td.randn(2, 5, 2, 3)

    def call(parameters, x):
        return td.func.functional_call(models[0], parameters, (x,))[0]

    found = td.vmap(call)(parameters, sequences)
    np.testing.assert_allclose(
        found.detach(), [m(x)[0].detach() for m, x in zip(models, sequences, strict=True)], rtol=1e-5, atol=1e-6
    )
    found = td.vmap(call, in_dims=(None, 0))(dict(models[0].named_parameters()), sequences)
    np.testing.assert_allclose(found.detach(), [models[0](x)[0].detach() for x in sequences], rtol=1e-5, atol=1e-6)


def test_dtypes_and_layouts_of_examples():
    found = []
    td.vmap(lambda x, y: (found.append(td.result_type(x, y)), x)[1])(td.ones(2), td.ones(2, 3, dtype=td.float16))
    assert found == [td.float16]  # an example of the first is a number, which gives way to a tensor
    x = td.randn(2, 3, 7)
    y = td.vmap(lambda t: t.clone(memory_format=td.contiguous_format), in_dims=1, out_dims=1)(x)
    assert y[:, 0].is_contiguous() and y.tolist() == x.tolist()
