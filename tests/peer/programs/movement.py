import jax
import jax.numpy as jnp
import numpy as np

from programs.case import C, I, N, Case, forms


def split(x):
    a, b, c = jnp.split(x, 3, 1)
    return a * b + jnp.exp(c)


def split_at(x):
    a, b, c = jnp.split(x, (1, 3), 0)
    return jnp.exp(a) * jnp.sum(b * b, 0) + jnp.sum(c * a, 0)


def meshgrid(x, y, matrix):
    a, b = jnp.meshgrid(x, y, indexing='ij' if matrix else 'xy')
    return a * b * b


def laplace(x):
    p = jnp.pad(x, 1)
    return jnp.sin(p[2:, 1:-1] + p[:-2, 1:-1] + p[1:-1, 2:] - 3 * x)


def cases():
    e = jnp.exp
    settings = lambda arg, f, *all_s: forms(*[Case((arg,), f, s if isinstance(s, tuple) else (s,)) for s in all_s])
    return {
        'reshape': [Case((N(2, 3, 4),), lambda x: x.reshape(4, -1)**2), Case((C(2, 6),), lambda x: x.reshape(4, -1)**2, form='complex')],
        'transpose': settings(N(2, 3, 4), lambda x, *a: jnp.transpose(x, a)**2, (0, 2, 1), (2, 0, 1), (1, 2, 0)),
        'transpose_all': Case((N(2, 3, 4),), lambda x: x.T**2),
        'swap_axes': settings(N(2, 3, 4), lambda x, a, b: e(jnp.swapaxes(x, a, b)), (0, 2), (-1, 1)),
        'move_axis': settings(N(2, 3, 4), lambda x, a, b: e(jnp.moveaxis(x, a, b)), (0, 2), (2, 0), (-1, 1)),
        'broadcast_to': forms(Case((N(3, 1),), lambda x: jnp.broadcast_to(x, (2, 3, 4))**2), Case((N(),), lambda x: jnp.broadcast_to(x, (2, 3, 4))**2)),
        'expand_dims': Case((N(3, 4),), lambda x: x[:, None]**2 * x),
        'squeeze': Case((N(1, 3, 1, 2),), lambda x: e(jnp.squeeze(x))),
        'flip': settings(N(3, 4), lambda x, *a: x * jnp.flip(x, a), (0,), (1,), (0, 1)),
        'roll': settings(N(3, 5), lambda x, by, a: x * jnp.roll(x, by, a), (1, 0), (-2, 1), (7, 1)),
        'pad': settings(N(3, 4), lambda x, a, b, c, d: e(jax.lax.pad(x, jnp.asarray(.5, x.dtype), ((a, c, 0), (b, d, 0)))),
                        (1, 0, 2, 3), (-1, 1, 0, -2), (0, 0, 0, 0), (-1, -1, 2, 2)),
        'pad_mode': settings(N(3, 4), lambda x, m: e(jnp.pad(x, ((2, 1), (1, 2)), ('edge', 'reflect', 'wrap')[m])), 0, 1, 2),
        'concatenate': forms(Case((N(2, 3), N(4, 3)), lambda x, y, a: e(jnp.concatenate([x, y, x], a)), (0,)),
                             Case((N(2, 3), N(2, 1)), lambda x, y, a: e(jnp.concatenate([x, y, x], a)), (1,))),
        'stack': settings(N(2, 3), lambda x, a: e(jnp.stack([x, jnp.sin(x)], a)), 0, 1, -1),
        'split': Case((N(2, 6),), split),
        'split_at': Case((N(5, 3),), split_at),
        'tril': settings(N(2, 3, 4), lambda x, k: e(jnp.tril(x, k)), 0, 1, -1),
        'triu': settings(N(2, 3, 4), lambda x, k: e(jnp.triu(x, k)), 0, 1, -1),
        'tile': Case((N(2, 3),), lambda x: e(jnp.tile(x, (2, 3)))),
        'repeat': settings(N(2, 3), lambda x, a: e(jnp.repeat(x, 3, a)), 0, 1),
        'meshgrid': forms(*[Case((N(3), N(4)), meshgrid, (m,)) for m in (0, 1)]),
        'hstack': Case((N(2, 3), N(2, 1)), lambda x, y: e(jnp.hstack([x, y]))),
        'vstack': Case((N(2, 3), N(3)), lambda x, y: e(jnp.vstack([x, y]))),
        'rot90': settings(N(3, 3), lambda x, k: x * jnp.rot90(x, k), 1, 2, 3),
        'slice': Case((N(6, 4),), lambda x: e(x[1:5:2, :-1])),
        'slice_integer': Case((N(4, 3),), lambda x: e(x[-2]) * x[0]),
        'slice_newaxis': Case((N(3, 3),), lambda x: x[..., None] * x[None]),
        'stencil': Case((N(7),), lambda x: x[2:] * x[:-2] - x[1:-1]**2),
        'laplace_grid': Case((N(4, 5),), laplace),
        'one_hot': Case((I(6, 4),), lambda i: jax.nn.one_hot(i, 5, dtype=jnp.float32), orders=0),
    }
