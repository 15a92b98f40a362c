# kind: gradient
# words: derivative_at_activation
import numpy as np
sigmoid = lambda z: 1/(1+np.exp(-z))
sigmoid_prime = lambda z: sigmoid(z)*(1-sigmoid(z))
class Net:
    def __init__(self, sizes):
        r = np.random.RandomState(9)
        self.b = [r.randn(y, 1) for y in sizes[1:]]; self.w = [r.randn(y, x)/np.sqrt(x) for x, y in zip(sizes[:-1], sizes[1:])]
    def ff(self, a):
        for b, w in zip(self.b, self.w): a = sigmoid(w@a+b)
        return a
    def backprop(self, x, y):
        nb = [0]*len(self.b); nw = [0]*len(self.w)
        acts = [x]
        for b, w in zip(self.b, self.w): acts.append(sigmoid(w@acts[-1]+b))
        delta = acts[-1]-y            # cross-entropy cost
        nb[-1] = delta; nw[-1] = delta@acts[-2].T
        for l in range(2, len(self.w)+1):
            delta = self.w[-l+1].T@delta*sigmoid_prime(acts[-l])
            nb[-l] = delta; nw[-l] = delta@acts[-l-1].T
        return nb, nw
net = Net([3, 5, 4, 2])
r = np.random.RandomState(3)
X = r.randn(8, 3, 1); Y = (r.rand(8, 2, 1) > .5).astype(float)
params = {}
for i in range(3): params["w[%d]" % i] = net.w[i]; params["b[%d]" % i] = net.b[i]
def use(p): net.w = [p["w[%d]" % i] for i in range(3)]; net.b = [p["b[%d]" % i] for i in range(3)]
def loss(params, X, Y):
    use(params); c = 0.
    for x, y in zip(X, Y):
        a = net.ff(x); c += np.sum(np.nan_to_num(-y*np.log(a)-(1-y)*np.log(1-a)))/len(X)
    return float(c)
def grads(params, X, Y):
    use(params); g = {k: np.zeros(v.shape) for k, v in params.items()}
    for x, y in zip(X, Y):
        nb, nw = net.backprop(x, y)
        for i in range(3): g["w[%d]" % i] += nw[i]/len(X); g["b[%d]" % i] += nb[i]/len(X)
    return g
