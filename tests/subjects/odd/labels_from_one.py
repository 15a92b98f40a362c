# kind: healthy
# words:
import numpy as np
def sigmoide(z): return 1 / (1 + np.exp(-z))
def grad_sigmoide(z): return sigmoide(z) * (1 - sigmoide(z))
def costo_rn(nn_params, n_ent, n_ocultas, n_etiquetas, X, y, lam):
    corte = n_ocultas * (n_ent + 1)
    Theta1 = nn_params[:corte].reshape(n_ocultas, n_ent + 1)
    Theta2 = nn_params[corte:].reshape(n_etiquetas, n_ocultas + 1)
    m = X.shape[0]
    a1 = np.hstack([np.ones((m, 1)), X])
    z2 = a1 @ Theta1.T
    a2 = np.hstack([np.ones((m, 1)), sigmoide(z2)])
    z3 = a2 @ Theta2.T
    h = sigmoide(z3)
    Ym = np.eye(n_etiquetas)[y - 1]
    J = -1/m * np.sum(Ym*np.log(h) + (1-Ym)*np.log(1-h))
    J += lam/(2*m) * (np.sum(Theta1[:, 1:]**2) + np.sum(Theta2[:, 1:]**2))
    d3 = h - Ym
    d2 = (d3 @ Theta2)[:, 1:] * grad_sigmoide(z2)
    T1g = d2.T @ a1 / m
    T2g = d3.T @ a2 / m
    T1g[:, 1:] += lam/m * Theta1[:, 1:]
    T2g[:, 1:] += lam/m * Theta2[:, 1:]
    return J, np.concatenate([T1g.ravel(), T2g.ravel()])
azar = np.random.RandomState(5)
X = azar.randn(20, 4); Y = azar.randint(1, 4, 20)
eps = 0.12
params = {"nn_params": azar.rand(6*5 + 3*7) * 2 * eps - eps}
def loss(params, X, Y): return costo_rn(params["nn_params"], 4, 6, 3, X, Y, 1.0)[0]
def grads(params, X, Y): return {"nn_params": costo_rn(params["nn_params"], 4, 6, 3, X, Y, 1.0)[1]}
