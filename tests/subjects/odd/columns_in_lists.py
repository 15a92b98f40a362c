# kind: gradient
# words: missing_output_derivative bias_grad_mean_instead_of_sum
import numpy as np
sg = lambda z: 1/(1+np.exp(-z))
r = np.random.RandomState(203)
sizes = [4, 6, 2]
params = {"w1": r.randn(6, 4)*.6, "b1": r.randn(6, 1)*.3, "w2": r.randn(2, 6)*.6, "b2": r.randn(2, 1)*.3}
X = [r.randn(4, 1) for _ in range(11)]; Y = [np.eye(2)[:, [i % 2]] for i in range(11)]
def ff(p, x): a = sg(p["w1"]@x+p["b1"]); return a, sg(p["w2"]@a+p["b2"])
def loss(params, X, Y): return float(sum(np.sum((ff(params, x)[1]-y)**2) for x, y in zip(X, Y))/(2*len(X)))
def grads(params, X, Y):
    g = {k: np.zeros_like(v) for k, v in params.items()}
    for x, y in zip(X, Y):
        a, o = ff(params, x); d = o-y
        g["b2"] += d; g["w2"] += d@a.T
        d = params["w2"].T@d*a*(1-a); g["b1"] += d; g["w1"] += d@x.T
    n = len(X); g["w1"] /= n; g["w2"] /= n
    return g
