import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy import special

from programs.case import C, N, U, Case, Missing, forms

ties = np.array([[1., 3., 3., -2.], [0., 0., 0., 0.], [5., 1., 5., 5.]])
holes = np.array([[1., np.nan, 3.], [2., -1., np.nan]])
axes = lambda s: s or None


def over(f, *more):
    """Over all, one and two axes, and whatever else."""
    g = lambda x, *s: f(x, axis=axes(s))
    return forms(Case((N(3, 4, 2),), g), Case((N(3, 4, 2),), g, (1,)), Case((N(3, 4, 2),), g, (0, 2)), *[
        Case((a,), g, s) for a, s in more])


def zeros(n):
    a = np.array([[.5, 0, 2, -1.5], [0, 0, 3, 1.], [1, -2, .7, 4.]])
    return a[:, :n]


def totals():
    return {
        'sum': over(jnp.sum, (C(3, 2), (0,))),
        'mean': over(jnp.mean),
        'max': over(jnp.max, (ties, (1,))),
        'min': over(jnp.min, (-ties, (1,))),
        'prod': over(jnp.prod, (zeros(4), (1,)), (C(3, 3), (1,))),
        'variance': forms(*[Case((N(3, 4),), lambda x, *s: jnp.var(x, axis=axes(s), ddof=1, keepdims=True), s) for s in ((), (1,))]),
        'std_dev': forms(*[Case((N(3, 4),), lambda x, *s: jnp.std(x, axis=axes(s)), s) for s in ((), (0,))]),
        'norm': forms(*[Case((N(3, 4),), lambda x, *s: jnp.sqrt(jnp.sum(x * x, axis=axes(s))), s) for s in ((), (1,))]),
        'norm_order': forms(*[Case((N(3, 4),), lambda x, p: jnp.sum(jnp.abs(x)**p, 1, keepdims=True)**(1 / p), (p,)) for p in (1, 3, 4)]),
        'norm_max': Case((N(3, 4),), lambda x: jnp.max(jnp.abs(x), 0)),
        'logsumexp': over(special.logsumexp),
        'average': Case((N(3, 4), U(.1, 1, 3, 4)), lambda x, w: jnp.average(x, 1, w)),
        'ptp': over(jnp.ptp),
        'nan_sum': forms(Case((holes,), lambda x, a: jnp.nansum(x, a), (1,))),
        'nan_mean': forms(Case((holes,), lambda x, a: jnp.nanmean(x, a), (1,))),
        'nan_max': forms(Case((holes,), lambda x, a: jnp.nanmax(x, a), (1,))),
        'nan_min': forms(Case((holes,), lambda x, a: jnp.nanmin(x, a), (1,))),
        'count_nonzero': Case((zeros(4),), lambda x, a: jnp.count_nonzero(x, a).astype(jnp.int32), (1,), orders=0),
        'all': Case((N(5, 4),), lambda x: jnp.all(x > -1, 1).astype(jnp.int32), orders=0),
        'any': Case((N(5, 4),), lambda x: jnp.any(x > 1, 1).astype(jnp.int32), orders=0),
        'argmax': forms(*[Case((a,), lambda x, k: jnp.argmax(x, k).astype(jnp.int32), (k,), 0) for a in (N(4, 5), ties) for k in (0, 1)]),
        'argmin': forms(*[Case((a,), lambda x, k: jnp.argmin(x, k).astype(jnp.int32), (k,), 0) for a in (N(4, 5), ties) for k in (0, 1)]),
    }


def scans():
    cumsum = lambda x, a, reverse: jnp.flip(jnp.cumsum(jnp.flip(x, a), a), a) if reverse else jnp.cumsum(x, a)
    along = lambda f, *more: forms(*[Case((a,), f, (k,)) for a, k in ((N(3, 5), 0), (N(3, 5), 1), *more)])

    def whiten(x):
        return (x - x.mean(1, keepdims=True)) * jax.lax.rsqrt(x.var(1, keepdims=True) + 1e-3)

    def cumlogsumexp(x):
        return jax.lax.cumlogsumexp(x, 1)

    return {
        'cumsum': forms(*[Case((N(3, 5),), cumsum, (a, r)) for a in (0, 1) for r in (0, 1)]),
        'cumprod': along(jnp.cumprod, (zeros(4), 1)),
        'cummax': along(jax.lax.cummax),
        'cummin': along(jax.lax.cummin),
        'cumlogsumexp': Case((N(3, 5),), cumlogsumexp),
        'softmax': along(jax.nn.softmax),
        'log_softmax': along(jax.nn.log_softmax),
        'diff': forms(*[Case((N(4, 5),), lambda x, n, a: jnp.diff(x, n, a), s) for s in ((1, 0), (2, 1))]),
        'gradient': Case((N(3, 6),), lambda x: jnp.gradient(x, .5, axis=1)),
        'trapezoid': Case((N(6, 2),), lambda x: jnp.trapezoid(x * x, dx=.25, axis=0)),
        'whiten': Case((N(3, 6),), whiten),
        'entropy': Case((N(3, 6),), lambda x: -jnp.sum(jax.nn.softmax(x) * jax.nn.log_softmax(x), -1)),
        'geometric_mean': Case((U(.5, 2, 4, 3),), lambda x: jnp.exp(jnp.mean(jnp.log(x), 0))),
        'sum_of_products': Case((N(3, 4),), lambda x: jnp.prod(x.sum(1) + 2) + x.prod(1).sum()),
    }


def cases():
    return totals() | scans()
