# kind: gradient
# words: unexplained
import numpy as np
rng=np.random.RandomState(3)
X=rng.randn(12,4); Y=rng.randn(12,4)
params=dict(W1=rng.randn(4,4)*.5,b1=rng.randn(4)*.1,W2=rng.randn(4,4)*.5,b2=np.zeros(4))
def fwd(p,X):
    a=np.tanh(X@p['W1']+p['b1'])+X; return a,a@p['W2']+p['b2']
def loss(p,X,Y): return float(.5*np.sum((fwd(p,X)[1]-Y)**2))
def grads(p,X,Y):
    a,o=fwd(p,X); g=o-Y; dh=g@p['W2'].T*(1-a**2)
    return dict(W1=X.T@dh,b1=dh.sum(0),W2=a.T@g,b2=g.sum(0))
