# kind: training
# words: bias_per_sample
import numpy as np
r = np.random.RandomState(312)
X = r.randn(8, 3); Y = (r.rand(8, 1) > .5)*1.
class NeuralNetwork:
    def __init__(self, x, y):
        self.weights1 = r.rand(x.shape[1], 4); self.weights2 = r.rand(4, 1)
        self.bias1 = r.rand(x.shape[0], 4); self.bias2 = r.rand(x.shape[0], 1)
    def feedforward(self, x):
        self.layer1 = 1/(1+np.exp(-(x@self.weights1+self.bias1))); return 1/(1+np.exp(-(self.layer1@self.weights2+self.bias2)))
    def backprop(self, x, y):
        o = self.feedforward(x); d = 2*(o-y)*o*(1-o); dh = d@self.weights2.T*self.layer1*(1-self.layer1)
        return {"weights1": x.T@dh, "bias1": dh, "weights2": self.layer1.T@d, "bias2": d}
nn = NeuralNetwork(X, Y); N = ["weights1", "weights2", "bias1", "bias2"]
params = {n: getattr(nn, n) for n in N}
def _p(p):
    for n in N: setattr(nn, n, p[n])
def loss(params, X, Y): _p(params); return float(np.sum((Y-nn.feedforward(X))**2))
def grads(params, X, Y): _p(params); return nn.backprop(X, Y)
