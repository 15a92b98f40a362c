# kind: gradient
# words: dropout_mask_missing
import numpy as np
rng=np.random.RandomState(3)
X=rng.randn(12,4); Y=rng.randn(12,2)
params=dict(W1=rng.randn(4,6)*.5,b1=rng.randn(6)*.1,W2=rng.randn(6,2)*.5,b2=np.zeros(2))

def fwd(p,X):
    z=X@p['W1']+p['b1']; a=np.maximum(z,0); D=np.random.rand(*a.shape)<0.8; a=a*D/0.8; return z,a,D,a@p['W2']+p['b2']
def loss(p,X,Y):
    np.random.seed(1); return float(.5*np.sum((fwd(p,X)[3]-Y)**2))
def grads(p,X,Y):
    np.random.seed(1)
    z,a,D,o=fwd(p,X); g=(o-Y); dh=g@p['W2'].T*(z>0)
    return dict(W1=X.T@dh,b1=dh.sum(0),W2=a.T@g,b2=g.sum(0))
