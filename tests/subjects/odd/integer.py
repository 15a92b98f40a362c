# kind: gradient
# words: integer_dtype
import numpy as np
X=np.array([[0,0],[0,1],[1,0],[1,1]]); Y=np.array([[0],[1],[1],[0]])
params=dict(W=np.array([[1],[2]]),b=np.array([0]))
def f(p,X): return X@p['W']+p['b']
def loss(p,X,Y): return float(np.mean((f(p,X)-Y)**2))
def grads(p,X,Y):
    d=2*(f(p,X)-Y)/len(X); gW=np.zeros_like(p['W']); gW[...]=X.T@d; gb=np.zeros_like(p['b']); gb[...]=d.sum(0)
    return dict(W=gW,b=gb)
