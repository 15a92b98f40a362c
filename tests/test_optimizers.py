from dataclasses import replace

import numpy as np
import oracles
import pytest

from bpcore import OPTIMIZERS, Hyper

NAMES = list(OPTIMIZERS)
HYPER = Hyper(momentum=0.8, beta1=0.7, beta2=0.95, epsilon=1e-3)
STEPS = 50


def steps(name, start, rates, gradient, hyper=HYPER, count=STEPS):
    """Parameters after each of a number of steps, from `(R, P)` arrays."""
    p, lr = start.copy(), rates.copy()
    state = [np.zeros_like(p) for _ in range(OPTIMIZERS[name].arrays)]
    seen = []
    for t in range(1, count + 1):
        OPTIMIZERS[name].update(p, gradient(p, t), lr, state, t, hyper)
        seen.append(p.copy())
    assert lr.tobytes() == rates.tobytes()
    return np.array(seen)


def test_the_oracle_knows_every_optimizer():
    assert set(oracles.OPTIMIZER) == set(OPTIMIZERS)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", NAMES)
def test_steps_along_random_gradients_are_the_papers(name, dtype):
    rng = np.random.default_rng(0)
    start = rng.standard_normal((3, 4)).astype(dtype)
    rates = np.array([[0.1], [0.01], [1.0]], dtype) * np.ones((1, 4), dtype)
    gradients = rng.standard_normal((STEPS, 3, 4)).astype(dtype)
    got = steps(name, start, rates, lambda p, t: gradients[t - 1].copy())
    expected = oracles.OPTIMIZER[name](start.astype(float), rates.astype(float), HYPER)
    for t, g in enumerate(gradients.astype(float)):
        expected.step(g)
        # t steps of at most lr |v| < 1 * 5 * 4, a few roundings each. A power b^t rounds no more.
        bound = 8 * (t + 1) * np.finfo(dtype).eps * 20
        assert np.abs(got[t] - expected.p).max() <= bound


@pytest.mark.parametrize("name", NAMES)
def test_nothing_moves_without_a_gradient(name):
    start = np.array([[1.0, -2.0, 0.0]])
    assert np.all(steps(name, start, np.ones_like(start), lambda p, t: np.zeros_like(p)) == start)


@pytest.mark.parametrize("name", NAMES)
def test_runs_and_entries_do_not_see_each_other(name):
    rng = np.random.default_rng(1)
    start, curve = rng.standard_normal((5, 6)), rng.uniform(0.1, 2, (5, 6))
    rates = rng.uniform(0.01, 0.2, (5, 6))
    together = steps(name, start, rates, lambda p, t: curve * p)
    for at in np.ndindex(start.shape):
        cut = tuple(slice(i, i + 1) for i in at)
        alone = steps(name, start[cut], rates[cut], lambda p, t, cut=cut: curve[cut] * p)
        assert alone.tobytes() == together[:, *cut].tobytes()


# Closed forms on L = c p^2 / 2, whose gradient is c p.

CURVE, RATE, START = 0.5, 0.3, np.array([[2.0]])


def on_a_parabola(name, hyper=HYPER, count=STEPS):
    rates = np.full_like(START, RATE)
    return steps(name, START, rates, lambda p, t: CURVE * p, hyper, count)[:, 0, 0]


def test_sgd_shrinks_by_a_constant_factor():
    t = np.arange(1, STEPS + 1)
    assert on_a_parabola("sgd") == pytest.approx(2 * (1 - RATE * CURVE) ** t, rel=1e-13)


@pytest.mark.parametrize("name", ["momentum", "nesterov"])
def test_without_momentum_a_step_is_one_of_sgd(name):
    plain = on_a_parabola(name, replace(HYPER, momentum=0.0))
    # p + (0 v - lr g) and p - lr g round alike; nesterov adds 0.
    assert np.array_equal(plain, on_a_parabola("sgd"))


def test_momentum_is_a_linear_recurrence_of_second_order():
    # p_{t+1} = (1 + mu - lr c) p_t - mu p_{t-1}, solved by the powers of the roots.
    mu = HYPER.momentum
    roots = np.roots([1, -(1 + mu - RATE * CURVE), mu])
    first = 2 * (1 - RATE * CURVE)
    weights = np.linalg.solve([[1, 1], roots], [2.0, first])
    t = np.arange(1, STEPS + 1)
    expected = (weights[0] * roots[0] ** t + weights[1] * roots[1] ** t).real
    assert on_a_parabola("momentum") == pytest.approx(expected, abs=1e-13)


def test_momentum_under_a_constant_gradient_reaches_the_terminal_speed():
    # v -> -lr g / (1 - mu): the rest of the geometric series is mu^t.
    start = np.zeros((1, 1))
    path = steps("momentum", start, start + 0.1, lambda p, t: np.ones_like(p), count=200)[:, 0, 0]
    speed = np.diff(path)[-1]
    assert speed == pytest.approx(-0.1 / (1 - HYPER.momentum), rel=1e-12)


def test_adams_first_step_is_the_learning_rate_whatever_the_gradient():
    start = np.zeros((1, 4))
    gradient = np.array([[1e-6, -1.0, 1e3, 1e-3]])
    hyper = replace(HYPER, epsilon=1e-300)
    [moved] = steps("adam", start, start + 0.25, lambda p, t: gradient.copy(), hyper, 1)
    assert moved == pytest.approx(-0.25 * np.sign(gradient), rel=1e-14)


def test_rmsprop_under_a_constant_gradient_ends_at_steps_of_the_learning_rate():
    start = np.zeros((1, 2))
    gradient, hyper = np.array([[3.0, -0.5]]), replace(HYPER, epsilon=1e-300)
    path = steps("rmsprop", start, start + 0.25, lambda p, t: gradient.copy(), hyper, 800)
    # s = (1 - b^t) g^2, b^800 = 1.5e-18.
    assert path[-1] - path[-2] == pytest.approx(-0.25 * np.sign(gradient), rel=1e-11)


def test_epsilon_stands_outside_the_root():
    # A gradient so small that the root is nothing next to epsilon: the step is lr m^ / epsilon.
    start, tiny = np.zeros((1, 1)), 1e-20
    for name in ("adam", "rmsprop"):
        [moved] = steps(name, start, start + 1.0, lambda p, t: np.full_like(p, tiny), HYPER, 1)
        assert moved[0, 0] == pytest.approx(-tiny / HYPER.epsilon, rel=1e-12)
