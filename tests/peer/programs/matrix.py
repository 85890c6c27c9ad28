import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy import linalg

from programs.case import C, Hpd, N, Regular, Spd, U, Case, Missing, all_of, forms

einsum = lambda spec: lambda *a: jnp.einsum(spec, *a)
T = lambda x: jnp.swapaxes(x, -1, -2)
eye = lambda n, x: jnp.eye(n, dtype=x.dtype)


def products():
    return {
        'matmul': forms(*[Case(a, jnp.matmul) for a in (
            (N(3, 4), N(4, 2)), (N(4), N(4, 2)), (N(3, 4), N(4)), (N(2, 3, 4), N(2, 4, 2)), (N(2, 1, 3, 4), N(3, 4, 2)),
            (C(3, 2), C(2, 3)))]),
        'dot': Case((N(2, 3, 4), N(4, 2)), jnp.dot),
        'inner': Case((N(2, 4), N(3, 4)), jnp.inner),
        'vdot': [Case((N(5), N(5)), jnp.vdot), Case((C(5), C(5)), jnp.vdot, form='complex')],
        'outer': Case((N(3), N(4)), jnp.outer),
        'kron': Case((N(2, 3), N(3, 2)), jnp.kron),
        'cross': Case((N(4, 3), N(4, 3)), jnp.cross),
        'tensordot': Case((N(2, 3, 4), N(4, 2, 3)), lambda x, y: jnp.tensordot(x, y, ((0, 2), (1, 0)))),
        'einsum_batch': Case((N(2, 3, 4), N(2, 5, 4)), einsum('bij,bkj->bik')),
        'einsum_trace': Case((N(3, 3, 2),), einsum('iij->j')),
        'einsum_chain': Case((N(2, 3), N(3, 4), N(4, 2)), einsum('ij,jk,kl->il')),
        'einsum_bilinear': Case((N(3, 2), N(2, 4, 3), N(3, 3)), einsum('bi,ijk,bk->bj')),
        'einsum_hadamard': Case((N(3, 4), N(3, 4)), einsum('ij,ij->i')),
        'quadratic_form': Case((N(4), N(4, 4)), lambda x, a: jnp.sum(x * (a @ x))),
        'gram_softmax': Case((N(4, 3),), lambda x: jax.nn.softmax(x @ x.T)),
        'matrix_polynomial': Case((N(3, 3),), lambda x: x @ (x @ x + 2 * x) + eye(3, x)),
        'low_rank': Case((N(4, 2), N(5, 2), N(4, 5)), lambda u, v, y: jnp.sum((u @ v.T - y)**2)),
        'trace': forms(*[Case((N(2, 4, 4),), lambda x, k: jnp.trace(x, k, -2, -1), (k,)) for k in (0, 1, -2)]),
        'diagonal': forms(*[Case((N(2, 4, 3),), lambda x, k: jnp.diagonal(x, k, -2, -1), (k,)) for k in (0, 1, -2)]),
        'diag': forms(Case((N(3),), jnp.diag, (1,)), Case((N(4, 4),), jnp.diag, (-1,))),
        'cov': Case((N(3, 7),), jnp.cov),
        'corrcoef': Case((N(3, 7),), jnp.corrcoef),
        'polyval': Case((N(4), N(5)), jnp.polyval),
        'convolve': forms(*[Case((N(7), N(3)), lambda x, y, m: jnp.convolve(x, y, ('full', 'same', 'valid')[m]), (m,)) for m in (0, 1, 2)]),
    }


def solved(a, b, lower, op, unit):
    return linalg.solve_triangular(a, b, trans=op, lower=bool(lower), unit_diagonal=bool(unit))


def greatest(u):
    """Factors that make the greatest element of each column real and positive."""
    at = jnp.argmax(jnp.abs(jax.lax.stop_gradient(u)), -2, keepdims=True)
    top = jnp.take_along_axis(u, at, -2)
    return jnp.conj(top) / jnp.abs(top)


def qr(x):
    q, r = jnp.linalg.qr(x)
    d = jnp.diagonal(r)
    phase = d / jnp.abs(d)
    return all_of(q * phase, r * jnp.conj(phase)[:, None])


def svd_vectors(x):
    u, _, v = jnp.linalg.svd(x, full_matrices=False)
    phase = greatest(u)
    return all_of(u * phase, v * jnp.conj(T(phase)))


def eigh_vectors(x):
    u = jnp.linalg.eigh(x)[1]
    return u * greatest(u)


def density(x, s):
    l = jnp.linalg.cholesky(s)
    return -jnp.sum(linalg.solve_triangular(l, x, lower=True)**2) / 2 - jnp.sum(jnp.log(jnp.diagonal(l)))


def spectral_log(x):
    values, vectors = jnp.linalg.eigh(x)
    return (vectors * jnp.log(values)) @ vectors.T


def projection(x, y):
    q = jnp.linalg.qr(x)[0]
    return q @ (q.T @ y)


def factors():
    symmetric = lambda x: (x + jnp.conj(T(x))) / 2
    jet_lacks = Missing(('jet3',), 'jax#2431', 'jet has no rule for cholesky and triangular_solve')
    spaced = lambda r: np.diag(np.arange(1., 5)) + .2 * r.standard_normal((4, 4))
    wide = lambda m, n: lambda r: np.diag(np.arange(5., 5 - min(m, n), -1)) @ r.standard_normal((m, n)) if m == n else (
        r.standard_normal((m, n)) + 3 * np.eye(m, n) * np.arange(1, n + 1))
    log_det = lambda x: 2 * jnp.sum(jnp.log(jnp.real(jnp.diagonal(jnp.linalg.cholesky(x)))))
    return {
        'cholesky': forms(Case((Spd(4),), jnp.linalg.cholesky, missing=jet_lacks), Case((Spd(3, 2),), jnp.linalg.cholesky),
                          Case((Hpd(3),), jnp.linalg.cholesky)),
        'cholesky_log_det': forms(Case((Spd(4),), log_det), Case((Hpd(3),), log_det)),
        'solve_triangular': forms(
            Case((Regular(3), N(3, 2)), solved, (1, 0, 0), missing=jet_lacks), *[
                Case((Regular(3), N(3, 2)), solved, (lower, op, unit)) for lower in (0, 1) for op in (0, 1) for unit in (0, 1)],
            Case((lambda r: Regular(3)(r) + 0j, C(3, 2)), solved, (1, 2, 0))),
        'solve': forms(Case((Regular(4), N(4, 2)), jnp.linalg.solve), Case((Regular(4), N(4)), jnp.linalg.solve),
                       Case((Regular(3, 2), N(2, 3, 2)), jnp.linalg.solve)),
        'inv': Case((Regular(4),), jnp.linalg.inv),
        'det': forms(Case((N(3, 3),), jnp.linalg.det), Case((Regular(4, 2),), jnp.linalg.det), Case((C(3, 3),), jnp.linalg.det)),
        'slogdet': Case((Regular(4),), lambda x: jnp.linalg.slogdet(x)[1]),
        'lu': Case((N(4, 4),), lambda x: linalg.lu_factor(x)[0]),
        'qr': forms(Case((N(4, 3),), qr), Case((C(3, 3),), qr)),
        'eigh_values': forms(Case((spaced,), lambda x: jnp.linalg.eigh(x)[0]),
                             Case((lambda r: spaced(r) + .2j * r.standard_normal((4, 4)),), lambda x: jnp.linalg.eigh(x)[0])),
        'eigh_vectors': Case((spaced,), eigh_vectors),
        'svd_values': forms(*[Case((wide(*s),), lambda x: jnp.linalg.svd(x, compute_uv=False)) for s in ((3, 3), (5, 3))]),
        'svd_vectors': Case((wide(5, 3),), svd_vectors),
        'nuclear_norm': Case((N(3, 4),), lambda x: jnp.sum(jnp.linalg.svd(x, compute_uv=False))),
        'spectral_log': Case((Spd(3),), spectral_log),
        'gaussian_density': Case((N(4), Spd(4)), density),
        'ridge': Case((N(6, 3), N(6), N()), lambda x, y, l: jnp.linalg.solve(x.T @ x + jnp.exp(l) * eye(3, x), x.T @ y)),
        'schur': Case((Spd(4),), lambda a: a[2:, 2:] - a[:2, 2:].T @ jnp.linalg.solve(a[:2, :2], a[:2, 2:])),
        'projection': Case((N(5, 2), N(5)), projection),
        'cayley': Case((N(3, 3),), lambda x: jnp.linalg.solve(eye(3, x) + x - x.T, eye(3, x) - x + x.T)),
    }


def spectra():
    f = jnp.fft
    k = np.array([0., 1, 2, 3, 0, -3, -2, -1])
    return {
        'fft': forms(*[Case((a,), lambda x, k: f.fft(x, axis=k), (s,)) for a, s in (
            (C(8), 0), (C(3, 5), 1), (C(6, 2), 0), (N(7), 0))]),
        'ifft': forms(*[Case((C(4, 6),), lambda x, k: f.ifft(x, axis=k), (s,)) for s in (0, 1)]),
        'rfft': forms(*[Case((N(2, n),), lambda x, k: f.rfft(x, axis=k), (1,)) for n in (6, 7)]),
        'irfft': forms(*[Case((C(2, n // 2 + 1),), lambda x, m, k: f.irfft(x, m, axis=k), (n, 1)) for n in (6, 7)]),
        'power_spectrum': Case((N(6),), lambda x: jnp.abs(f.fft(x))**2),
        'circular_convolution': Case((N(6), N(6)), lambda x, y: jnp.real(f.ifft(f.fft(x) * f.fft(y)))),
        'spectral_derivative': Case((N(8),), lambda x: jnp.real(f.ifft(1j * k.astype(x.dtype) * f.fft(jnp.sin(x))))),
        'fft_2d': Case((C(3, 4),), f.fft2),
    }


def cases():
    return products() | factors() | spectra()
