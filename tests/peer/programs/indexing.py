import jax
import jax.numpy as jnp
import numpy as np

from programs.case import I, N, U, Case, Missing, forms

e = jnp.exp
twice = np.array([3, 1, 3, 0], np.int32)
apart = np.array([3, 1, 5, 0], np.int32)
ties = np.array([[2., 1, 2, 1, 0], [0, 0, 3, 3, 1]])


def gathers():
    take = lambda x, i, a: e(jnp.take(x, i, a, mode='clip'))
    along = lambda x, i, a: e(jnp.take_along_axis(x, i, a))
    return {
        'take': forms(*[Case((N(4, 5, 2), I(4, *shape)), take, (a,)) for a in (0, 1) for shape in ((3,), (2, 2))]),
        'take_along': forms(*[Case((N(4, 5), i), along, (a,)) for a, i in ((0, I(4, 2, 5)), (1, I(5, 4, 3)))]),
        'index': Case((N(6, 2), twice), lambda x, i: x[i]**2),
        'index_pairs': Case((N(4, 5), twice, twice), lambda x, i, j: x[i, j]**2),
        'index_mixed': Case((N(4, 5), twice), lambda x, i: x[i, 1:3]**2),
        'index_grid': Case((N(4, 5), twice, I(5, 2)), lambda x, i, j: x[i[..., None], j]**2),
        'index_negative': Case((N(6, 2), twice), lambda x, i: x[i - 4]**2),
        'vmap_take': Case((N(3, 5), I(5, 3, 2)), lambda x, i: e(jax.vmap(lambda r, j: r[j])(x, i))),
        'interp': Case((U(.1, 3.9, 7), np.arange(5.), N(5)), jnp.interp),
        'searchsorted': forms(*[Case((np.array([0., 1, 1, 2]), np.array([-1., 0, 1, 1.5, 9])), lambda s, x, right: jnp.searchsorted(
            s, x, side='right' if right else 'left').astype(jnp.int32), (r,), 0) for r in (0, 1)]),
        'embedding_dot': Case((N(5, 3), I(5, 4), I(5, 4)), lambda w, i, j: jnp.sum(w[i] * w[j], -1)),
        'label_loss': Case((N(4, 5), I(5, 4)), lambda x, y: -jnp.take_along_axis(jax.nn.log_softmax(x), y[:, None], 1)),
    }


def message(x, i, j, w):
    return jnp.zeros_like(x).at[j].add(jnp.tanh(x[i] * w))**2


def segments(x, i):
    y = e(x)
    return y / jnp.zeros(4, x.dtype).at[i].add(y)[i]


def product(x, i, v):
    """What JAX reverses: one update after the other."""
    for k in range(i.shape[0]):
        x = x.at[i[k]].set(x[i[k]] * v[k])
    return e(x)


def scatters():
    count = lambda i, w: e(jnp.bincount(i, w, length=5))
    by = lambda how: lambda x, i, v: e(getattr(x.at[i], how)(v))
    no_mul = Missing(('grad',), 'Reactant#1970', 'scatter_mul of repeated places has no reverse', product)
    operands = lambda i: (N(6, 2), i, N(4, 2))
    return {
        'set': Case(operands(apart), by('set')),
        'set_range': Case((N(4, 3), N(2)), lambda x, v: e(x.at[1:3, 2].set(v))),
        'add_at': forms(Case(operands(twice), by('add')), Case(operands(apart), by('add'))),
        'mul_at': [Case(operands(apart), lambda x, i, v: e(x.at[i].multiply(v, unique_indices=True)), form='apart'),
                   Case(operands(twice), by('multiply'), form='twice', missing=no_mul)],
        'min_at': Case(operands(twice), by('min')),
        'max_at': Case(operands(twice), by('max')),
        'set_rows': Case(operands(apart), lambda x, i, v: e(x.at[i].set(v**2))),
        'add_pairs': Case((N(4, 5), twice, twice, N(4)), lambda x, i, j, v: e(x.at[i, j].add(v))),
        'bincount': Case((I(5, 9), N(9)), count),
        'bincount_vmap': Case((I(5, 3, 6), N(3, 6)), jax.vmap(count), thread='functorch#1109'),
        'histogram': Case((N(30), np.array([-1., -.5, 0, 1])), lambda x, b: jnp.histogram(x, b)[0].astype(jnp.int32), orders=0),
        'segment_softmax': Case((N(7), I(4, 7)), segments),
        'message_passing': Case((N(5, 2), I(5, 8), I(5, 8), N(8, 2)), message),
    }


def orders():
    flip = lambda x, a, descending: jnp.sort(x, a, descending=bool(descending))
    no_jet = lambda what: Missing(('jet3',), 'jax#2431', f'jet has no rule for {what}')
    top = lambda x, k, a: jnp.moveaxis(jax.lax.top_k(jnp.moveaxis(x, a, -1), k)[0], -1, a)**2
    return {
        'sort': [Case((N(3, 5),), lambda x, a, d: e(flip(x, a, d)), (1, 0), missing=no_jet('sort'), form='jet'), *forms(
            *[Case((N(3, 5),), lambda x, a, d: e(flip(x, a, d)), (a, d)) for a in (0, 1) for d in (0, 1)],
            Case((ties,), lambda x, a, d: e(flip(x, a, d)), (1, 0)))],
        'argsort': forms(*[Case((a,), lambda x, k, d: jnp.argsort(x, k, descending=bool(d)).astype(jnp.int32), (1, d), 0)
                           for a in (N(3, 5), ties) for d in (0, 1)]),
        'top_k': [Case((N(3, 5),), top, (2, 1), missing=no_jet('top_k'), form='jet'), Case((N(4, 3),), top, (3, 0), form='axis')],
        'top_k_indices': forms(*[Case((a,), lambda x: jax.lax.top_k(x, 3)[1].astype(jnp.int32), orders=0) for a in (N(3, 5), ties)]),
        'median': forms(*[Case((N(4, 5),), lambda x, a: jnp.median(x, a)**2, (a,)) for a in (0, 1)]),
        'quantile': Case((N(6, 2),), lambda x: jnp.quantile(x, .3, axis=0)**2),
        'sorted_dot': Case((N(6), N(6)), lambda x, y: jnp.sum(jnp.sort(x * y) * y)),
        'rank_weighted': Case((N(6),), lambda x: jnp.sum(jnp.sin(jnp.sort(x)) * jnp.arange(6, dtype=x.dtype))),
        'earth_mover': Case((N(6), N(6)), lambda x, y: jnp.sum((jnp.sort(x) - jnp.sort(y))**2)),
        'trimmed_mean': Case((N(9),), lambda x: jnp.mean(jnp.sort(x)[2:-2]**2)),
        'spacing': Case((N(6),), lambda x: jnp.log(jnp.diff(jnp.sort(x)))),
        'take_sorted': Case((N(6), N(6)), lambda x, y: y[jnp.argsort(x)] * jnp.sort(x)),
    }


def cases():
    return gathers() | scatters() | orders()
