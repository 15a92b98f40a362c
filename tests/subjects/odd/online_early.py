# kind: gradient
# words: weights_updated_before_backprop
import numpy as np
rng=np.random.RandomState(3)
X=rng.randn(8,3); Y=rng.rand(8,2); lr=.1
W1=rng.randn(5,3);W2=rng.randn(2,5)
params=dict(W1=W1.copy(),W2=W2.copy())
sig=lambda v:1/(1+np.exp(-v))
def step(x,y):
    global W1,W2
    h=sig(W1@x); o=sig(W2@h); d=(o-y)*o*(1-o); 
    W2=W2-lr*np.outer(d,h); e=W2.T@d*h*(1-h); W1=W1-lr*np.outer(e,x)
def loss(p,X,Y):
    return float(.5*sum(np.sum((sig(p['W2']@sig(p['W1']@x))-y)**2) for x,y in zip(X,Y)))
def grads(p,X,Y):
    global W1,W2
    W1,W2=p['W1'].copy(),p['W2'].copy()
    for x,y in zip(X,Y): step(x,y)
    return dict(W1=(p['W1']-W1)/lr,W2=(p['W2']-W2)/lr)
