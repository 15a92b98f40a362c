# kind: gradient
# words: gradient_not_reset
import numpy as np
rng=np.random.RandomState(3)
X=rng.randn(12,4); Y=rng.randn(12,2)
class Net:
    def __init__(s):
        s.W=rng.randn(4,2); s.b=np.zeros(2); s.dW=np.zeros((4,2)); s.db=np.zeros(2)
    def f(s,X): return np.tanh(X@s.W+s.b)
    def back(s,X,Y):
        a=s.f(X); d=(a-Y)*(1-a**2)
        s.dW+=X.T@d; s.db+=d.sum(0)
net=Net()
params=dict(W=net.W.copy(),b=net.b.copy())
def loss(p,X,Y):
    net.W,net.b=p['W'],p['b']; return float(.5*np.sum((net.f(X)-Y)**2))
def grads(p,X,Y):
    net.W,net.b=p['W'],p['b']; net.back(X,Y); return dict(W=net.dW.copy(),b=net.db.copy())
