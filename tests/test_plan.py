"""Packing: every run once, stacks of the right size and content, tasks that cover them."""

from __future__ import annotations

from collections import Counter
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpcore import stack_size
from bpcore.stack import count_parameters
from sweeps import plan
from sweeps.resolve import resolve
from tests.test_resolve import config


def runs_of(*cells):
    return [run for cell in cells for run in resolve(config(**{"epochs": 5} | cell))]


MANY = runs_of(
    *(
        {"activation": activation, "depth": depth, "lr": lr, "replicates": 13}
        for activation, depth, lr in product(("relu", "tanh"), (1, 2), (0.1, 1.0, 10.0))
    )
)


def ids_of(stacks):
    return [run for stack in stacks for run in stack.ids]


@pytest.mark.parametrize("workers", [1, 2, 16, 1000])
def test_every_run_is_packed_once(workers):
    packed = plan.stacks(MANY + MANY[:20], set(), workers)
    assert Counter(ids_of(packed)) == Counter({run.id: 1 for run in MANY})


def test_known_runs_are_left_out():
    known = {run.id for run in MANY[::3]}
    assert set(ids_of(plan.stacks(MANY, known))) == {run.id for run in MANY} - known
    assert plan.stacks(MANY, {run.id for run in MANY}) == []


@settings(max_examples=60, deadline=None)
@given(
    chosen=st.lists(st.integers(0, len(MANY) - 1), max_size=60),
    known=st.sets(st.integers(0, len(MANY) - 1)),
    workers=st.integers(1, 40),
)
def test_any_choice_of_runs_is_packed_once_and_tasks_cover_the_stacks(chosen, known, workers):
    known_ids = {MANY[k].id for k in known}
    packed = plan.stacks([MANY[k] for k in chosen], known_ids, workers)
    assert sorted(ids_of(packed)) == sorted({MANY[k].id for k in chosen} - known_ids)
    assert all(stack.ids for stack in packed)
    tasks = plan.tasks(packed, workers)
    assert Counter(id(s) for task in tasks for s in task.stacks) == Counter(map(id, packed))


def test_a_stack_holds_what_its_runs_were_resolved_to():
    by_id = {run.id: run for run in MANY}
    for stack in plan.stacks(MANY, set(), 4):
        for run_id, run, columns in zip(stack.ids, stack.runs, stack.columns, strict=True):
            wanted = by_id[run_id]
            assert (run, stack.spec) == (wanted.run, wanted.spec)
            assert dict(columns) == dict(wanted.setting.columns)
            assert stack.digest == wanted.setting.prepared.digest
        assert stack.samples == 40


def test_rates_scales_seeds_initializers_and_replicates_share_a_stack():
    cells = [
        {"lr": lr, "init_scale": scale, "seed": seed, "init": init, "replicates": 12}
        for lr, scale, seed, init in product((0.1, 1), (0.5, 2), (0, 1), ("normal", "uniform"))
    ]
    cells += [{"lr_factor": [2.0]}, {"scale_factor": [2.0]}, {"bias_scale": 1.0}, {"seed": 7}]
    packed = plan.stacks(runs_of(*cells), set())
    assert {stack.spec for stack in packed} == {packed[0].spec}
    assert len(packed) == -(-len(ids_of(packed)) // stack_size(packed[0].spec, 40))


def test_one_amount_of_weight_decay_shares_a_stack_with_another_but_not_with_none():
    cells = [{"weight_decay": decay, "replicates": 1} for decay in (0.0, 0.1, 0.2)]
    assert sorted(len(s.ids) for s in plan.stacks(runs_of(*cells), set())) == [1, 2]


@pytest.mark.parametrize(
    "change",
    [
        *({"activation": "tanh"}, {"depth": 1}, {"width": 4}, {"optimizer": "adam"}),
        *({"dtype": "float32"}, {"batch_size": 7}, {"probes": "none"}, {"defects": ["sign_error"]}),
        *({"data_seed": 1}, {"data_noise": 0.4}),
    ],
)
def test_shapes_rules_and_data_part_stacks(change):
    packed = plan.stacks(runs_of({"replicates": 2}, change | {"replicates": 2}), set())
    assert len(packed) == 2
    assert len({(stack.spec, stack.digest) for stack in packed}) == 2


@pytest.mark.parametrize("runs", [1, 9, 192, 193, 200, 257])
def test_stacks_are_of_even_size_and_none_above_the_fastest(runs):
    packed = plan.stacks(runs_of({"replicates": runs}), set())
    most = stack_size(packed[0].spec, 40)
    sizes = [len(stack.ids) for stack in packed]
    assert len(sizes) == -(-runs // most)
    assert max(sizes) <= most
    assert max(sizes) - min(sizes) <= 1


def test_many_workers_get_smaller_stacks_but_not_below_five_runs():
    runs = runs_of({"replicates": 30})
    assert [len(s.ids) for s in plan.stacks(runs, set(), 1)] == [10] * 3
    assert [len(s.ids) for s in plan.stacks(runs, set(), 2)] == [5] * 6
    assert [len(s.ids) for s in plan.stacks(runs, set(), 64)] == [5] * 6
    assert [len(s.ids) for s in plan.stacks(runs[:4], set(), 64)] == [4]


def test_work_counts_products_elements_and_calls():
    # 2-10-10-1 with biases has 30 + 110 + 11 = 151 parameters and 21 units; 5 epochs in one step
    # each, recorded at 6; per step 3 * 151 * 40 products, 12 * 21 * 40 elements, 3e4 a layer.
    [stack] = plan.stacks(runs_of({"replicates": 2}), set())
    assert count_parameters(stack.spec.sizes, bias=True) == 151
    assert len(stack.spec.record) == 6
    a_run = 3 * 151 * 40 + 12 * 21 * 40
    assert stack.work == (5 + 6) * (2 * a_run + 3e4 * 3) + 2 * (20 * 151 + 20_000)


def test_tasks_begin_with_the_most_work_and_hold_no_more_than_their_share():
    packed = plan.stacks(runs_of(*({"epochs": n, "replicates": 8} for n in range(1, 40))), set(), 2)
    tasks = plan.tasks(packed, 2)
    works = [stack.work for task in tasks for stack in task.stacks]
    assert works == sorted(works, reverse=True)
    share = sum(works) / 2 / 2
    # A task is closed by the stack that takes it to its share.
    assert all(task.work - task.stacks[-1].work < share for task in tasks)
    assert len(tasks) >= 4


def test_long_trainings_are_a_task_of_their_own():
    packed = plan.stacks(runs_of(*({"epochs": 10_000, "seed": k} for k in range(3))), set(), 3)
    assert all(stack.work > plan.TASK_WORK for stack in packed)
    assert [len(task.stacks) for task in plan.tasks(packed, 3)] == [1] * len(packed)


def test_nothing_to_train_is_no_task():
    assert plan.tasks([], 2) == []


def test_runs_that_see_batches_in_one_order_go_together():
    cells = [{"batch_size": 2, "lr": lr / 10, "replicates": 3} for lr in range(1, 9)]
    packed = plan.stacks(runs_of(*cells), set())
    assert Counter(ids_of(packed)) == Counter({run.id: 1 for run in runs_of(*cells)})
    assert {len({run.replicate for run in stack.runs}) for stack in packed} == {1}


def test_runs_of_a_few_rates_are_not_parted_by_their_order():
    cells = [{"batch_size": 2, "lr": lr / 10, "replicates": 30} for lr in (1, 2)]
    assert len(plan.stacks(runs_of(*cells), set())) <= 3
