import itertools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from programs.case import N, Case, Missing, forms

letters = lambda n: ('NCHWD'[:n + 2], 'OIHWD'[:n + 2], 'NCHWD'[:n + 2])


def options(s):
    n = s[0]
    part = lambda k: s[1 + k * n:1 + (k + 1) * n]
    return part(0), list(zip(part(1), part(2))), part(3), s[-1]


def conv(x, w, *s):
    strides, padding, dilation, groups = options(s)
    return lax.conv_general_dilated(x, w, strides, padding, rhs_dilation=dilation, dimension_numbers=letters(s[0]),
                                    feature_group_count=groups)


def plain(x, w):
    n = x.ndim - 2
    return lax.conv_general_dilated(x, w, (1,) * n, 'VALID', dimension_numbers=letters(n))


def conv_transpose(x, w, *s):
    """Of weights [in, out / groups, space…]: dilation of the input by the strides with the kernel reversed."""
    strides, padding, dilation, groups = options(s)
    n, ins, outs = s[0], w.shape[0], w.shape[1]
    w = jnp.flip(w.reshape(groups, ins // groups, outs, *w.shape[2:]).swapaxes(1, 2).reshape(
        groups * outs, ins // groups, *w.shape[2:]), tuple(range(2, n + 2)))
    reach = [d * (k - 1) for d, k in zip(dilation, w.shape[2:])]
    padding = [(r - low, r - high) for r, (low, high) in zip(reach, padding)]
    return lax.conv_general_dilated(x, w, (1,) * n, padding, lhs_dilation=strides, rhs_dilation=dilation,
                                    dimension_numbers=letters(n), feature_group_count=groups)


def convolutions():
    """Forms of stride, dilation, padding (negative, too) and groups in one, two and three dimensions."""
    made = []
    for stride, dilation, padding, groups in itertools.product((1, 2, 3), (1, 2), ((0, 0), (1, 2), (2, -1)), (1, 2)):
        made.append(Case((N(2, 4, 9), N(4, 4 // groups, 3)), conv, (1, stride, *padding, dilation, groups)))
    two = ((1, 1, 0, 0, 0, 0, 1, 1), (2, 1, 1, 0, 0, 1, 1, 2), (1, 2, 2, 1, 1, 2, 2, 1), (3, 2, -1, 1, 2, -1, 1, 1),
           (2, 2, 3, 2, 3, 2, 2, 2))
    for s, groups in itertools.product(two, (1, 2, 4)):
        made.append(Case((N(2, 4, 6, 7), N(4, 4 // groups, 3, 2)), conv, (2, *s, groups)))
    made.append(Case((N(1, 2, 4, 5, 4), N(2, 2, 2, 3, 2)), conv, (3, 1, 2, 1, 0, 1, 0, 1, 1, 0, 1, 1, 2, 1)))
    made.append(Case((N(2, 3, 5, 5), N(6, 1, 3, 3)), conv, (2, 1, 1, 1, 1, 1, 1, 1, 1, 3)))
    return forms(*made)


def transposed():
    made = [Case((N(2, 4, 5), N(4, 3 if groups == 1 else 2, 3)), conv_transpose, (1, stride, p, q, dilation, groups))
            for stride, dilation, (p, q), groups in itertools.product((1, 2, 3), (1, 2), ((0, 0), (1, 0)), (1, 2))]
    made.append(Case((N(1, 4, 3, 4), N(4, 2, 3, 2)), conv_transpose, (2, 2, 3, 1, 0, 0, 1, 1, 2, 2)))
    return forms(*made)


windows = ((2, 2, 2, 2, 0, 0, 0, 0), (3, 2, 2, 1, 0, 0, 0, 0), (3, 3, 2, 2, 1, 1, 1, 1), (2, 3, 1, 2, 0, 2, 1, 0), (1, 3, 1, 3, 0, 0, 0, 1))


def max_pool(x, *s):
    return lax.reduce_window(x, -np.inf, lax.max, (1, 1, *s[:2]), (1, 1, *s[2:4]), ((0, 0), (0, 0), (s[4], s[6]), (s[5], s[7])))


def mean_pool(x, *s):
    add = lambda y: lax.reduce_window(y, 0., lax.add, (1, 1, *s[:2]), (1, 1, *s[2:4]), ((0, 0), (0, 0), (s[4], s[6]), (s[5], s[7])))
    return add(x) / add(jnp.ones_like(x))


def network(x, w, v):
    h = jax.nn.relu(lax.conv_general_dilated(x, w, (1, 1), ((1, 1), (1, 1))))
    return jax.nn.log_softmax(max_pool(h, 2, 2, 2, 2, 0, 0, 0, 0).reshape(2, -1) @ v)


def blur(x):
    k = jnp.full((3, 1, 3, 3), 1 / 9, x.dtype)
    return x - lax.conv_general_dilated(x, k, (1, 1), ((1, 1), (1, 1)), feature_group_count=3)


def cases():
    no_jet = Missing(('jet3',), 'jax#2431', 'jet has no rule for reduce_window_max')
    pooled = lambda f: forms(*[Case((N(2, 2, 6, 7),), f, s) for s in windows])
    ties = np.round(2 * np.random.default_rng(4).standard_normal((1, 1, 5, 5)))
    return {
        'conv': convolutions(),
        'conv_twice': Case((N(2, 2, 7), N(3, 2, 3), N(2, 3, 2)), lambda x, w, v, *s: plain(jnp.tanh(conv(x, w, *s)), v), (1, 2, 1, 1, 1, 1)),
        'conv_transpose': transposed(),
        'conv_self': Case((N(2, 3, 4, 4),), lambda x: lax.conv_general_dilated(x, x, (1, 1), ((1, 0), (1, 0)))),
        'conv_vmap_kernel': Case((N(2, 3, 6), N(4, 2, 3, 3)), lambda x, w: jax.vmap(plain, (None, 0))(x, w)),
        'conv_vmap_both': Case((N(3, 2, 3, 6), N(3, 2, 3, 3)), jax.vmap(plain)),
        'max_pool': pooled(max_pool)[:-1] + [Case((N(2, 2, 6, 7),), max_pool, windows[-1], missing=no_jet, form='padded'),
                                            Case((ties,), max_pool, windows[2], form='ties')],
        'max_pool_of_square': pooled(lambda x, *s: max_pool(jnp.sin(x), *s)**2),
        'mean_pool': pooled(lambda x, *s: mean_pool(jnp.exp(x), *s)),
        'conv_relu_pool': Case((N(2, 3, 6, 6), N(4, 3, 3, 3), N(36, 5)), network),
        'blur_residual': Case((N(2, 3, 5, 5),), blur),
    }
