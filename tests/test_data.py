"""Datasets, samplers, collating, and the DataLoader without workers."""

from __future__ import annotations

import itertools
import subprocess
import sys
import tracemalloc
from collections import Counter, namedtuple

import numpy as np
import pytest
from data_for_workers import Foreign, Numbers, Random, Stream, pairs
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_dl as td
from tinygrad_dl import data


def seeded(seed=0):
    return td.Generator().manual_seed(seed)


def rows(*arrays):
    return data.TensorDataset(*arrays)


def test_importing_it_loads_neither_processes_nor_images():
    code = "import sys, tinygrad_dl as td; td.data; print(*{m.split('.')[0] for m in sys.modules})"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    assert loaded.isdisjoint({"multiprocessing", "PIL", "sklearn", "matplotlib"})


class TestDatasets:
    def test_a_sample_of_a_tensor_dataset_is_a_row_of_each_tensor(self):
        x, y = td.randn(4, 2), td.arange(4)
        dataset = rows(x, y)
        assert len(dataset) == 4
        assert td.equal(dataset[2][0], x[2])
        assert dataset[2][1].item() == 2

    def test_tensors_of_different_lengths_are_refused(self):
        with pytest.raises(
            ValueError, match="got different lengths, tensor 0: 3, tensor 1: 4, expected the same length of all"
        ):
            rows(td.ones(3), td.ones(4))
        with pytest.raises(ValueError, match="expected at least one, got none"):
            rows()
        with pytest.raises(ValueError, match="got a 0-d tensor 0, expected rows, one for each sample"):
            rows(td.tensor(1.0))

    def test_a_batch_of_a_tensor_dataset_is_what_collating_its_samples_gives(self):
        dataset = rows(td.randn(6, 2), td.arange(6))
        indices = np.array([4, 0, 4])
        for quick, slow in zip(
            dataset.__getbatch__(indices), data.default_collate([dataset[i] for i in indices]), strict=True
        ):
            assert td.equal(quick, slow)
            assert quick.dtype == slow.dtype

    def test_a_batch_does_not_share_memory_with_the_dataset(self):
        x = td.zeros(4, 2)
        for [batch] in data.DataLoader(rows(x), batch_size=2):
            batch.fill_(1.0)
        assert x.sum().item() == 0

    def test_a_transform_is_called_with_whole_batches(self):
        sizes = []

        def double(x, y):
            sizes.append(len(x))
            return 2 * x, y

        dataset = data.TensorDataset(td.arange(5), td.arange(5), transform=double)
        assert [x.tolist() for x, y in data.DataLoader(dataset, 3)] == [[0, 2, 4], [6, 8]]
        assert sizes == [3, 2]
        assert [part.item() for part in dataset[4]] == [8, 4]
        single = data.TensorDataset(td.ones(2, 1, 4, 4), transform=data.transforms.Normalize(0.5, 0.5))
        [[batch]] = data.DataLoader(single, 2)
        assert (batch == 1).all()
        assert single[0][0].shape == (1, 4, 4)

    def test_a_subclass_with_a_sample_of_its_own_is_asked_for_it(self):
        class Doubled(data.TensorDataset):
            def __getitem__(self, index):
                return super().__getitem__(index)[0] * 2

        for dataset in (Doubled(td.ones(4)), data.Subset(Doubled(td.ones(4)), [0, 1])):
            assert all((batch == 2).all() for batch in data.DataLoader(dataset, batch_size=2))

    def test_gradients_flow_through_a_batch(self):
        x = td.ones(4, requires_grad=True)
        [[batch]] = data.DataLoader(rows(x), batch_size=4)
        batch.sum().backward()
        assert x.grad.tolist() == [1, 1, 1, 1]
        data.default_collate([x[0], x[1]]).sum().backward()
        assert x.grad.tolist() == [2, 2, 1, 1]

    def test_subset_of_a_subset(self):
        dataset = data.Subset(data.Subset(rows(td.arange(10)), [9, 7, 5, 3]), np.array([3, 0]))
        assert [batch.tolist() for [batch] in data.DataLoader(dataset, batch_size=2)] == [[3, 9]]
        assert dataset[1][0].item() == 9

    def test_concatenation(self):
        both = data.ConcatDataset([[1, 2], [], [3]])
        assert [both[i] for i in range(3)] == [1, 2, 3]
        assert both[-1] == 3
        for index in (3, -4):
            with pytest.raises(IndexError, match=f"got index {index}, expected -3 to 2"):
                both[index]
        assert len(Numbers(3) + Numbers(4)) == 7
        with pytest.raises(ValueError, match="at least one"):
            data.ConcatDataset([])
        with pytest.raises(TypeError, match="got an IterableDataset for dataset 0, expected samples with numbers"):
            data.ConcatDataset([Stream(3)])

    def test_streams_one_after_the_other(self):
        chain = Stream(2) + Stream(3)
        assert isinstance(chain, data.ChainDataset) and [int(x) for x in chain] == [0, 1, 0, 1, 2]
        with pytest.raises(TypeError, match="ChainDataset: got list for dataset 1, expected an IterableDataset"):
            list(data.ChainDataset([Stream(1), [1]]))

    def test_stacking(self):
        with pytest.raises(ValueError, match="image: 2, text: 3"):
            data.StackDataset(image=[1, 2], text="abc")
        with pytest.raises(ValueError, match="got both"):
            data.StackDataset([1], text="a")
        [batch] = data.DataLoader(data.StackDataset(image=[1, 2], text="ab"), batch_size=2)
        assert batch["image"].tolist() == [1, 2]
        assert batch["text"] == ["a", "b"]

    def test_what_a_subclass_forgot_is_named(self):
        class Bare(data.Dataset):
            pass

        with pytest.raises(
            NotImplementedError, match="got a Dataset without __getitem__, expected one that returns sample `index`"
        ):
            Bare()[0]
        with pytest.raises(NotImplementedError, match=r"got an? \w+ without __iter__, expected one that"):
            iter(type("Dry", (data.IterableDataset,), {})())
        with pytest.raises(NotImplementedError, match=r"got an? \w+ without __iter__, expected one that"):
            iter(data.Sampler())


class TestRandomSplit:
    @given(st.integers(0, 200), st.lists(st.integers(1, 20), min_size=1, max_size=5), st.integers(0, 9))
    def test_every_sample_is_in_one_part(self, total, shares, seed):
        parts = data.random_split(range(total), [share / sum(shares) for share in shares], seeded(seed))
        assert sorted(index for part in parts for index in part.indices) == list(range(total))
        for part, share in zip(parts, shares, strict=True):
            assert abs(len(part) - total * share / sum(shares)) <= len(shares)

    def test_lengths_and_fractions(self):
        assert [len(part) for part in data.random_split(range(10), [3, 7])] == [3, 7]
        assert [len(part) for part in data.random_split(range(10), [0.7, 0.2, 0.1])] == [7, 2, 1]
        assert [len(part) for part in data.random_split(range(1), [1])] == [1]

    def test_the_seed_decides(self):
        first, again, other = (data.random_split(range(50), [25, 25], seeded(seed))[0].indices for seed in (1, 1, 2))
        assert first == again != other

    @pytest.mark.parametrize("lengths", [[3, 3], [5, 6], [-1, 11], [2.5, 7.5], [0.5, 0.6]])
    def test_what_does_not_sum_up_is_refused(self, lengths):
        with pytest.raises(ValueError, match="whole numbers that sum to the 10 samples"):
            data.random_split(range(10), lengths)
        with pytest.raises(ValueError, match="between 0 and 1"):
            data.random_split(range(10), [1.5, -0.5])


class TestSamplers:
    def test_a_random_order_holds_every_sample_once(self):
        assert sorted(data.RandomSampler(range(20), generator=seeded())) == list(range(20))

    def test_more_samples_than_there_are_come_in_several_passes(self):
        drawn = list(data.RandomSampler(range(4), num_samples=10))
        assert len(drawn) == 10
        assert sorted(drawn[:4]) == sorted(drawn[4:8]) == [0, 1, 2, 3]

    def test_replacement(self):
        drawn = list(data.RandomSampler(range(3), replacement=True, num_samples=50))
        assert set(drawn) == {0, 1, 2}

    def test_each_pass_has_an_order_of_its_own(self):
        sampler = data.RandomSampler(range(30), generator=seeded())
        assert list(sampler) != list(sampler)

    def test_subset(self):
        sampler = data.SubsetRandomSampler([7, 5, 3], seeded())
        assert len(sampler) == 3
        assert sorted(sampler) == [3, 5, 7]

    def test_shares_of_several_processes_are_even_and_cover_all(self):
        shares = [data.DistributedSampler(range(7), 3, rank, shuffle=False) for rank in range(3)]
        assert [list(share) for share in shares] == [[0, 3, 6], [1, 4, 0], [2, 5, 1]]
        assert [len(share) for share in shares] == [3, 3, 3] and shares[0].total_size == 9
        shares = [data.DistributedSampler(range(7), 3, rank, shuffle=False, drop_last=True) for rank in range(3)]
        assert [list(share) for share in shares] == [[0, 3], [1, 4], [2, 5]]
        assert list(data.DistributedSampler(range(2), 5, 4, shuffle=False)) == [0]
        assert list(data.DistributedSampler(range(2), 5, 4, drop_last=True)) == []

    def test_shares_in_random_order_are_of_one_order_which_the_epoch_changes(self):
        shares = [data.DistributedSampler(range(40), num_replicas=2, rank=rank, seed=5) for rank in range(2)]
        first = [list(share) for share in shares]
        assert sorted(first[0] + first[1]) == list(range(40)) and first == [list(share) for share in shares]
        for share in shares:
            share.set_epoch(1)
        second = [list(share) for share in shares]
        assert sorted(second[0] + second[1]) == list(range(40)) and second != first
        loader = data.DataLoader(td.arange(40), batch_size=4, sampler=shares[0])
        assert [n for batch in loader for n in batch.tolist()] == second[0] and len(loader) == 5

    @given(
        *(st.integers(0, 40), st.integers(1, 7), st.booleans(), st.booleans()),
        *(st.integers(0, 2**31), st.integers(0, 5)),
    )
    def test_shares_of_any_size_are_even_and_cover_all(self, length, replicas, shuffle, drop_last, seed, epoch):
        shares = [
            data.DistributedSampler(range(length), replicas, rank, shuffle, seed, drop_last) for rank in range(replicas)
        ]
        for share in shares:
            share.set_epoch(epoch)
        orders = [list(share) for share in shares]
        each = length // replicas if drop_last else -(-length // replicas)
        assert [len(order) for order in orders] == [len(share) for share in shares] == [each] * replicas
        # Dealt out in turn: the first rounds are the order itself, and what is missing at the end begins it again.
        order = [index for round in zip(*orders, strict=True) for index in round]
        whole = order[:length]
        assert len(set(whole)) == len(whole) and set(whole) <= set(range(length))
        assert drop_last or len(whole) == length
        assert order[length:] == [order[place % length] for place in range(length, len(order))]
        assert shuffle or whole == list(range(len(whole)))
        assert [list(share) for share in shares] == orders

    @given(st.integers(20, 40), st.integers(1, 7), st.integers(0, 100), st.integers(0, 100))
    def test_the_order_depends_on_seed_and_epoch_and_on_nothing_else(self, length, replicas, seed, epoch):
        def order(replicas, epoch):
            shares = [data.DistributedSampler(range(length), replicas, rank, seed=seed) for rank in range(replicas)]
            for share in shares:
                share.set_epoch(epoch)
            return [index for round in zip(*shares, strict=True) for index in round][:length]

        before = order(1, epoch)
        td.rand(3)
        assert order(replicas, epoch) == order(1, epoch) == before != order(1, epoch + 1)

    def test_shares_need_the_number_of_processes(self):
        with pytest.raises(ValueError, match="got num_replicas=None and rank=0, expected both"):
            data.DistributedSampler(range(4), rank=0)
        with pytest.raises(ValueError, match="got rank 2, expected one between 0 and 1"):
            data.DistributedSampler(range(4), 2, 2)

    def test_weights_are_proportions(self):
        drawn = Counter(data.WeightedRandomSampler([1.0, 3.0, 0.0], 8000, generator=seeded()))
        assert drawn[2] == 0
        assert drawn[1] / drawn[0] == pytest.approx(3, rel=0.15)

    def test_weighted_without_replacement(self):
        assert sorted(data.WeightedRandomSampler(td.tensor([1.0, 0.0, 2.0]), 2, replacement=False)) == [0, 2]

    @pytest.mark.parametrize(
        ("weights", "count", "replacement", "message"),
        [
            ([-1.0, 2.0], 1, True, "0 or more"),
            ([0.0, 0.0], 1, True, "one above 0"),
            ([float("nan")], 1, True, "finite"),
            ([[1.0]], 1, True, "one weight for each"),
            ([1.0, 0.0], 2, False, "got num_samples=2 without replacement, expected at most 1"),
            ([1.0], 0, True, "num_samples to be a whole number above 0, got 0"),
        ],
    )
    def test_weights_that_make_no_sense(self, weights, count, replacement, message):
        with pytest.raises(ValueError, match=message):
            data.WeightedRandomSampler(weights, count, replacement)

    def test_empty(self):
        assert list(data.RandomSampler([])) == []
        assert list(data.DataLoader([], batch_size=3, shuffle=True)) == []

    @given(st.integers(0, 30), st.integers(1, 10), st.booleans())
    def test_batches_are_cut_alike_with_and_without_arrays(self, total, size, drop_last):
        sampler = data.BatchSampler(data.SequentialSampler(range(total)), size, drop_last)
        batches = list(sampler)
        assert [batch.tolist() for batch in sampler.arrays()] == batches
        assert len(sampler) == len(batches)
        assert data.BatchSampler(range(total), size, drop_last).arrays() is None

    @pytest.mark.parametrize(("size", "drop"), [(0, False), (1.5, False), (True, False), (2, "no")])
    def test_batch_options_that_make_no_sense(self, size, drop):
        with pytest.raises(ValueError, match=r"expected (batch_size|drop_last)"):
            data.BatchSampler(range(3), size, drop)

    def test_subclasses_with_an_order_of_their_own(self):
        class Reversed(data.SequentialSampler):
            def __iter__(self):
                return iter(range(len(self))[::-1])

        class Twice(data.BatchSampler):
            def __iter__(self):
                for batch in super().__iter__():
                    yield batch + batch

        dataset = rows(td.arange(3))
        assert [x.tolist() for [x] in data.DataLoader(dataset, 2, sampler=Reversed(dataset))] == [[2, 1], [0]]
        batches = Twice(data.SequentialSampler(dataset), 2, False)
        assert [x.tolist() for [x] in data.DataLoader(dataset, batch_sampler=batches)] == [[0, 1, 0, 1], [2, 2]]


class TestCollate:
    def test_tensors_arrays_and_numbers_become_tensors_and_structures_stay(self):
        point = namedtuple("point", "x y")
        samples = [point(1, {"a": [td.tensor([2.0]), "s"]}), point(3, {"a": [np.array([4.0]), "t"]})]
        found = data.default_collate(samples)
        assert type(found) is point and found.x.tolist() == [1, 3] and found.x.dtype == td.int64
        assert found.y["a"][0].tolist() == [[2.0], [4.0]] and found.y["a"][1] == ("s", "t")

    @pytest.mark.parametrize(
        ("samples", "error", "message"),
        [
            ([], ValueError, "at least one sample"),
            (
                [np.ones(2), np.ones(2), np.ones(3)],
                ValueError,
                r"shapes \(2,\) \(sample 0 .*\) and \(3,\) \(sample 2\)",
            ),
            ([(1, 2), (1,)], ValueError, r"samples of 2 entries \(sample 0 of the batch\) and 1 \(sample 1\)"),
            ([{"a": 1}, {"b": 1}], ValueError, r"keys \['a'\] \(sample 0 of the batch\) and \['b'\] \(sample 1\)"),
            ([object()], TypeError, "got object; give the DataLoader a collate_fn"),
        ],
    )
    def test_what_can_not_be_collated(self, samples, error, message):
        with pytest.raises(error, match=message):
            data.default_collate(samples)


class TestLoader:
    @pytest.mark.parametrize("drop_last", [False, True])
    @pytest.mark.parametrize("dataset", [Numbers(10), Stream(10)], ids=["numbered", "stream"])
    def test_length_and_last_batch(self, dataset, drop_last):
        loader = data.DataLoader(dataset, 4, drop_last=drop_last)
        assert len(loader) == len(list(loader)) == (2 if drop_last else 3)

    def test_single_samples(self):
        assert list(data.DataLoader([5, 6], batch_size=None)) == [5, 6]
        assert list(data.DataLoader(Stream(3), batch_size=None)) == [0, 1, 2]
        assert len(data.DataLoader(Stream(3), batch_size=None)) == len(data.DataLoader("abc", batch_size=None)) == 3
        [image, label] = next(iter(data.DataLoader(Numbers(3), batch_size=None)))
        assert isinstance(image, td.Tensor)
        assert label == 0

    def test_the_seed_decides_the_order(self):
        dataset = rows(td.arange(40))
        first, again, other = (
            [x.tolist() for [x] in data.DataLoader(dataset, 7, shuffle=True, generator=seeded(seed))]
            for seed in (1, 1, 2)
        )
        assert first == again != other

    def test_without_a_generator_the_default_one_decides(self):
        loader = data.DataLoader(rows(td.arange(40)), 40, shuffle=True)
        orders = []
        for seed in (1, 1, 2):
            td.manual_seed(seed)
            orders.append(next(iter(loader))[0].tolist())
        assert orders[0] == orders[1] != orders[2]

    def test_what_a_dataset_draws_depends_on_the_epochs_seed_and_leaves_the_stream_alone(self):
        loader = data.DataLoader(Random(6), 2, generator=seeded())
        first, second = list(loader), list(loader)
        assert not td.equal(first[0][0], first[1][0])
        assert not td.equal(first[0][0], second[0][0])
        td.manual_seed(3)
        expected = td.rand(4)
        td.manual_seed(3)
        list(data.DataLoader(Random(6), 2, generator=seeded()))
        assert td.equal(td.rand(4), expected)

    def test_the_global_generators_of_others_are_left_alone_here(self):
        np.random.seed(0)
        expected = [np.random.random() for _ in range(4)]
        np.random.seed(0)
        [[_, drawn]] = data.DataLoader(Foreign(4), 4)
        assert drawn.tolist() == expected

    def test_own_collate_function_and_getitems(self):
        assert list(data.DataLoader(Numbers(3), 2, collate_fn=pairs)) == [(0, 1), (2,)]

        class Many(Numbers):
            def __getitems__(self, indices):
                return [10 * index for index in indices]

        assert [batch.tolist() for batch in data.DataLoader(Many(3), 2)] == [[0, 10], [20]]

    def test_stop_iteration_in_a_dataset_does_not_end_the_loop_silently(self):
        class Stops(Numbers):
            def __getitem__(self, index):
                raise StopIteration

        with pytest.raises(RuntimeError, match="got StopIteration from the dataset"):
            list(data.DataLoader(Stops(4), 2))

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (dict(sampler=[0], shuffle=True), "sampler decides the order"),
            (dict(batch_sampler=[[0]], batch_size=2), "expected it alone: it decides the batches"),
            (dict(batch_sampler=[[0]], shuffle=True), "expected it alone: it decides the batches"),
            (dict(batch_size=None, drop_last=True), "no last one to drop"),
            (dict(batch_size=0), "batch_size to be a whole number above 0, or None, got 0"),
            (dict(batch_size=2.5), "got 2.5"),
            (dict(num_workers=-1), "num_workers to be a whole number, 0 or more, got -1"),
            (dict(timeout=-1), "timeout of 0 or more"),
            (dict(timeout=3), "timeout=3 with num_workers=0, expected num_workers above 0"),
            (dict(prefetch_factor=3), "prefetch_factor=3 with num_workers=0, expected num_workers above 0"),
            (dict(persistent_workers=True), "persistent_workers=True with num_workers=0, expected num_workers above 0"),
            (dict(num_workers=1, prefetch_factor=0), "prefetch_factor of 1 or more"),
        ],
    )
    def test_options_that_contradict_each_other(self, options, message):
        with pytest.raises(ValueError, match=message):
            data.DataLoader(Numbers(3), **options)

    @pytest.mark.parametrize("options", [dict(shuffle=True), dict(sampler=[0]), dict(batch_sampler=[[0]])])
    def test_a_stream_decides_its_own_order(self, options):
        with pytest.raises(ValueError, match="with an IterableDataset, expected a dataset whose samples have numbers"):
            data.DataLoader(Stream(3), **options)

    def test_another_librarys_generator_is_refused(self):
        with pytest.raises(TypeError, match=r"expected a td.Generator, got Generator"):
            data.DataLoader(Numbers(3), generator=np.random.default_rng(0))


class TestOrdersWithoutEnd:
    """Orders are drawn as they are used: their length costs neither memory nor time."""

    LONG = 10**10

    @pytest.mark.parametrize(
        "make",
        [
            lambda count: data.RandomSampler(range(7), num_samples=count),
            lambda count: data.RandomSampler(range(7), replacement=True, num_samples=count),
            lambda count: data.WeightedRandomSampler([1.0] * 7, count),
            lambda count: data.SequentialSampler(range(count)),
        ],
        ids=["random", "with replacement", "weighted", "sequential"],
    )
    def test_the_first_of_many(self, make):
        sampler = make(self.LONG)
        assert len(sampler) == self.LONG
        tracemalloc.start()
        first = list(itertools.islice(sampler, 1000))
        batches = list(itertools.islice(data.BatchSampler(sampler, 300, False).arrays(), 4))
        loader = data.DataLoader(range(self.LONG), 8, sampler=sampler)
        assert len(loader) == self.LONG // 8 and next(iter(loader)).shape == (8,)
        assert tracemalloc.get_traced_memory()[1] < 200e6
        tracemalloc.stop()
        assert len(first) == 1000 and all(0 <= number < max(7, 1000) for number in first)
        assert [len(batch) for batch in batches] == [300] * 4

    @pytest.mark.parametrize("size", [1, 5, 7, 64])
    @pytest.mark.parametrize("drop_last", [False, True])
    def test_batches_across_pieces(self, size, drop_last):
        sampler = data.RandomSampler(range(10), num_samples=33, generator=td.Generator().manual_seed(1))
        cut = [batch.tolist() for batch in data.BatchSampler(sampler, size, drop_last).arrays()]
        sampler.generator.manual_seed(1)
        assert cut == list(data.BatchSampler(sampler, size, drop_last))
        order = list(itertools.chain.from_iterable(cut))
        assert len(order) == (33 - 33 % size if drop_last else 33)
        for start in range(0, len(order) - 9, 10):
            assert sorted(order[start : start + 10]) == list(range(10)), "a pass over all"

    def test_the_order_does_not_depend_on_what_is_drawn_meanwhile(self):
        td.manual_seed(2)
        alone = list(data.RandomSampler(range(10), num_samples=50))
        td.manual_seed(2)
        beside = [(number, td.rand(1))[0] for number in data.RandomSampler(range(10), num_samples=50)]
        assert alone == beside


class TestTexts:
    WORDS = (["a", "b"], [b"a", b"b"], [np.str_("a"), np.str_("b")], [np.bytes_(b"a"), np.bytes_(b"b")])

    @pytest.mark.parametrize("batch", [*WORDS, [np.datetime64("2020-01-01")] * 2, [np.timedelta64(1, "s")] * 2])
    def test_batches_of_what_is_no_number_stay_lists(self, batch):
        found = data.default_collate(batch)
        assert found is batch
        assert data.default_collate([{"a": each, "b": 1} for each in batch])["a"] == batch

    def test_arrays_of_texts(self):
        words = np.array(["foo", "bar"])
        assert data.default_collate(words) is words
        assert data.default_convert(words) is words
        days = np.array(["2020-01-01"], "M8[D]")
        assert data.default_convert(days) is days
        with pytest.raises(TypeError, match=r"got a sample that is an array of <U3, expected numbers"):
            data.default_collate([words, words])

    @pytest.mark.parametrize("value", [np.str_("a"), np.bytes_(b"a"), np.datetime64("2020-01-01"), "a", b"a", None])
    def test_conversion_leaves_them(self, value):
        assert data.default_convert(value) is value
        assert data.default_convert({"a": [value]})["a"][0] is value

    def test_numbers_are_still_tensors(self):
        assert data.default_collate([np.float32(1), np.float32(2)]).dtype == td.float32
        assert data.default_collate([np.bool_(True), np.bool_(False)]).dtype == td.bool
        assert data.default_convert(np.int16(3)).dtype == td.int16
