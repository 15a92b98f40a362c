# kind: healthy
# words: 
import numpy as np
rng=np.random.RandomState(3)
X=rng.randn(12,4); Y=rng.randint(0,3,12)
params=dict(W=rng.randn(4,3)*.5,b=np.zeros(3))
def loss(p,X,Y):
    s=X@p['W']+p['b']; c=s[np.arange(len(Y)),Y][:,None]; M=np.maximum(0,s-c+1); M[np.arange(len(Y)),Y]=0
    return float(M.sum()/len(Y)+.5*.1*np.sum(p['W']**2))
def grads(p,X,Y):
    s=X@p['W']+p['b']; c=s[np.arange(len(Y)),Y][:,None]; M=(np.maximum(0,s-c+1)>0)*1.; M[np.arange(len(Y)),Y]=0; M[np.arange(len(Y)),Y]=-M.sum(1)
    return dict(W=X.T@M/len(Y)+.1*p['W'],b=M.sum(0)/len(Y))
