# kind: gradient
# words: unexplained
import numpy as np
rng=np.random.RandomState(3)
X=rng.randn(5,10,3); Y=rng.randn(10,1)
params=dict(U=rng.randn(3,4)*.5,W=rng.randn(4,4)*.4,V=rng.randn(4,1))
def fwd(p,X):
    hs=[np.zeros((10,4))]
    for x in X: hs.append(np.tanh(x@p['U']+hs[-1]@p['W']))
    return hs, hs[-1]@p['V']
def loss(p,X,Y): return float(.5*np.mean((fwd(p,X)[1]-Y)**2))
def grads(p,X,Y):
    hs,o=fwd(p,X); d=(o-Y)/10; dV=hs[-1].T@d; dh=d@p['V'].T; dU=0;dW=0
    for t in range(4,-1,-1):
        dz=dh*(1-hs[t+1]**2); dU=dU+X[t].T@dz; dW=dW+hs[t].T@dz; dh=dz@p['W']
    return dict(U=dU,W=dW,V=dV)
