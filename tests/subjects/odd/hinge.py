# kind: healthy
# words: 
import numpy as np
rng=np.random.RandomState(3)
X=rng.randn(12,4); Y=np.sign(rng.randn(12,1))
params=dict(W1=rng.randn(4,6)*.5,b1=rng.randn(6)*.1,W2=rng.randn(6,1)*.5,b2=np.zeros(1))
def fwd(p,X):
    z=X@p['W1']+p['b1']; a=np.maximum(z,0); return z,a,a@p['W2']+p['b2']
def loss(p,X,Y): return float(np.mean(np.maximum(0,1-Y*fwd(p,X)[2])))
def grads(p,X,Y):
    z,a,o=fwd(p,X); g=-Y*(Y*o<1)/len(X); dh=g@p['W2'].T*(z>0)
    return dict(W1=X.T@dh,b1=dh.sum(0),W2=a.T@g,b2=g.sum(0))
