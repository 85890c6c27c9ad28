"""Programs after reports of what other engines got wrong, refused or were slow at. Of speed no test speaks: the program of
a slow case is compared for its answers."""
import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from programs.case import I, N, U, Case, Missing, all_of
from programs.layer import causal, norm

# Reports about what is no program: how engines are built, called, scheduled or how long they take to compile.
no_programs = {
    'jax#1871, jax#5337, jax PR#24413, xla#7038': 'tracing and gradients in C++: every program here is written in C++',
    'xla#23924, tinygrad#4301, pytorch#140970, jax#532': 'how long compilation takes',
    'mlx PR#3019, mlx#3502': 'vector instructions and how contributions are taken',
    'mlx#2266, jax#26145, onnxruntime#13808, onnxruntime PR#27916, Halide#6805, iree#24396, tinygrad PR#13795, PR#13832': 'time',
    'pytorch#144663, pytorch#186216, onnxruntime PR#24905, onnxruntime_go PR#74': 'what is shipped; train_steps is such a program',
    'llama.cpp PR#10544': 'memory',
    'pytorch PR#41943': 'vmap by loops; the programs named vmap_… compare answers',
}


def compilers():
    def unrolled(x, w):
        for _ in range(15):
            x = jnp.tanh(w @ x) + .1 * x
        return x

    def doubling(x):
        for _ in range(8):
            x = .4 * (x * x + jnp.sin(x))
        return x

    def kepler(m, e):
        e, a = e / 2, m
        for _ in range(4):
            a = a - (a - e * jnp.sin(a) - m) / (1 - e * jnp.cos(a))
        return a

    def cable(v, g):
        def step(v, _):
            d = jnp.diff(v)
            return v + .1 * (g * jnp.tanh(v) - (jnp.pad(d, (1, 0)) - jnp.pad(d, (0, 1))) - v), v[0]
        return lax.scan(step, v, None, 8)[1]

    def scalars(x, ts):
        def step(c, t):
            return tuple(.5 * jnp.sin(a + t) + .3 * b for a, b in zip(c, c[1:] + c[:1])), c[0]
        last, ys = lax.scan(step, tuple(x[i] for i in range(60)), ts)
        return all_of(jnp.stack(last), ys)

    def matrix_carry(x, a):
        def step(p, t):
            n = a @ p @ a.T + t * jnp.eye(3, dtype=p.dtype)
            return n / jnp.trace(n), p[0, 0]
        return lax.scan(step, jnp.eye(3, dtype=x.dtype), x * x)[1]

    def without_effect(x, w, ys):
        f = lambda y: jnp.dot(y - x, w) + jnp.dot(jnp.dot(y - x, jnp.zeros((3, 3), x.dtype)), y - x)
        return jnp.mean(jax.vmap(f)(ys))

    def transposed(x, w):
        return lax.conv_general_dilated(x, jnp.flip(w.swapaxes(0, 1), 2), (1,), [(5, 5)], (4,))

    def bounded(x, loop):
        step = lambda t: t * (1 + jax.nn.sigmoid(x))
        start = x * x + .1
        if loop:
            return lax.while_loop(lambda t: jnp.sum(t) < 50, step, start)
        return lax.scan(lambda t, _: (jnp.where(jnp.sum(t) < 50, step(t), t), None), start, None, 100)[0]

    pool = lambda t: lax.reduce_window(t, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 1, 1), 'VALID')
    eight = (N(2, 1, 2, 3, 1, 2, 2, 1), N(1, 2, 2, 3, 2, 2, 1, 2))
    no_jet = lambda what: Missing(('jet3',), 'jax#2431', f'jet has no rule for {what}')
    return {
        'unrolled_15': Case((N(3), lambda r: r.standard_normal((3, 3)) / 2), unrolled, thread='jax#1223, jax#4924'),
        'unrolled_doubling': Case((U(-1, 1, 3),), doubling, thread='jax#2777'),
        'kepler': Case((N(4), U(0, 1, 4)), kepler, thread='jnkepler#18'),
        'cable_equation': Case((N(5), U(.5, 2, 5)), cable, thread='jax#26145'),
        'many_scalars': Case((N(60), N(4)), scalars, thread='jax#40150'),
        'small_matrix_carry': Case((N(5), N(3, 3)), matrix_carry, thread='jax#36799'),
        'tiny_dots': Case((N(4, 2), N(2, 4)), lambda x, y: x @ y @ (x @ y), thread='xla#5875'),
        'dot_without_effect': Case((N(3), N(3), N(40, 3)), without_effect, thread='xla#13054'),
        'rank_eight': Case(eight, lambda x, y: jnp.sum(x * y, (1, 3, 5)), thread='jax#39257, jax#40412'),
        'rows_squared': Case((lambda r: r.standard_normal((16385, 3)),), lambda x: jnp.sum(x * x, 1), thread='jax#39103: wrong under jit in jaxlib 0.10.2, so the closed form'),
        'slice_of_product': Case((N(6, 3), N(3, 4), N(2)), lambda x, y, z: jnp.sum((x @ y)[1:5:2], 1) * z, thread='jax#37465'),
        'conv_transpose_1d': Case((N(1, 2, 6), N(2, 3, 8)), transposed, thread='jax#23783'),
        'depthwise': Case((N(1, 6, 5, 5), N(6, 1, 3, 3)), lambda x, w: lax.conv_general_dilated(
            x, w, (1, 1), [(1, 1)] * 2, feature_group_count=6), thread='jax#23713'),
        'double_dot': Case((N(17, 33), N(33, 9)), jnp.matmul, thread='jax#3832'),
        'bounded_while': Case((N(3),), functools.partial(bounded, loop=True), thread='jax#25190, mlx PR#3772', missing=Missing(
            ('grad', 'hvp', 'third'), 'jax#8239', 'while has no reverse', functools.partial(bounded, loop=False))),
        'taylor_missing': Case((U(.3, 1.2, 4),), lambda x: jnp.tan(x) + jnp.atan(x) + jnp.exp2(x) * jnp.prod(x),
                               missing=Missing(('jet3',), 'jax#29624', 'jet has no rule for tan, atan, exp2, reduce_prod')),
        'pool_gradient': Case((N(1, 1, 4, 4),), jax.grad(lambda t: jnp.sum(jnp.exp(pool(t)))), missing=no_jet('select_and_scatter_add')),
    }


def array_engines():
    def poisson(p, w, v):
        u = lambda p: jnp.sum(jnp.tanh(p @ w) @ v)
        return jax.vmap(lambda p: (jnp.trace(jax.hessian(u)(p)) + jnp.sin(jnp.sum(p)))**2)(p)

    def grid(x, c):
        at = 3 * jax.nn.sigmoid(c)
        low = jnp.floor(at)
        v, u = (at - low)[..., 0], (at - low)[..., 1]
        i = low.astype(jnp.int32)
        pick = lambda dy, dx: x[i[..., 0] + dy, i[..., 1] + dx]
        return (1 - v) * (1 - u) * pick(0, 0) + (1 - v) * u * pick(0, 1) + v * (1 - u) * pick(1, 0) + v * u * pick(1, 1)

    def lstm(x, wi, bi, wh, bh):
        def step(s, t):
            i, f, g, o = jnp.split(t @ wi + bi + s[0] @ wh + bh, 4, -1)
            c = jax.nn.sigmoid(f) * s[1] + jax.nn.sigmoid(i) * jnp.tanh(g)
            return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None
        zero = jnp.zeros((2, 3), x.dtype)
        return jnp.sum(lax.scan(step, (zero, zero), x)[0][0]**2)

    def train(w, x, y, rate):
        loss = lambda w: jnp.mean((x @ jnp.tanh(w) - y)**2)
        for _ in range(3):
            w = w - jax.nn.sigmoid(rate) * jax.grad(loss)(w)
        return w

    def dropped(x, keep):
        return jax.vmap(lambda t, k: jax.grad(lambda u: jnp.sum(jnp.where(k > 0, u / .8, 0)**2 * u))(t))(x, keep)

    def closure(x, w, u):
        return jax.vmap(lambda row: lax.scan(lambda c, t: (jnp.tanh(c * w + t), c * u), w, row)[1])(x)

    def parts(x, w, b, m, k):
        h = jax.nn.gelu((norm(x, -1) * w + b) @ m, approximate=False)
        return lax.conv_general_dilated(h[None, None], k, (1, 1), 'VALID')

    along = lambda f: lambda x: jax.jvp(f, (x,), (jnp.sin(x),))[1]
    twice = np.array([3, 1, 3, 0], np.int32)
    heads = (N(1, 2, 3, 2), N(1, 2, 3, 2), N(1, 2, 3, 2))
    conv = lambda x, w: lax.conv_general_dilated(jnp.sin(x), w, (1, 1), 'VALID')
    slices = jax.vmap(lambda row, i: lax.dynamic_slice(row, (i,), (3,)))
    set_rows = lambda x, i, v: jax.jvp(lambda t: x.at[i].set(t)**2, (v,), (jnp.sin(v),))[1]
    return {
        'conv_tangent': Case((N(1, 2, 4, 4), N(2, 2, 2, 2)), lambda x, w: jax.jvp(lambda t: conv(t, w), (x,), (x * x,))[1], thread='mlx: Convolution has no jvp'),
        'scatter_tangent': Case((N(6, 2), np.array([3, 1, 5], np.int32), N(3, 2)), set_rows, thread='mlx: Scatter has no jvp; mlx#2085, mlx#834'),
        'cumprod_tangent': Case((N(5),), along(jnp.cumprod), thread='mlx: Scan has a jvp for sums only'),
        'cummax_tangent': Case((N(5),), along(lax.cummax), thread='mlx: Scan has a jvp for sums only'),
        'vmap_slice_starts': Case((N(3, 7), I(5, 3)), lambda x, i: slices(x, i)**2, thread='mlx: DynamicSlice cannot vmap its starts'),
        'poisson_residual': Case((N(3, 2), N(2, 4), N(4, 1)), poisson, thread='mlx#1927'),
        'grouped_attention_vmap': Case((N(2, 4, 3, 2), N(2, 2, 3, 2), N(2, 2, 3, 2)), jax.vmap(causal), thread='mlx#3383'),
        'attention_hessian': Case(heads, jax.grad(lambda q, k, v: jnp.sum(causal(q, k, v)**2)), thread='pytorch#116350'),
        'attention_tangent': Case(heads, lambda q, k, v: along(lambda q: causal(q, k, v))(q), thread='pytorch#128971'),
        'grid_sample': Case((N(4, 4), N(5, 2)), grid, thread='pytorch#34704'),
        'lstm_penalty': Case((N(3, 2, 2), N(2, 12), N(12), N(3, 12), N(12)), jax.grad(lstm), thread='pytorch#5261, pytorch#71117'),
        'fifth_power': Case((N(3),), jax.grad(lambda x: jnp.sum(x**5)), thread='pytorch#91469, pytorch#183603'),
        'dropout_vmap': Case((N(3, 4), I(2, 3, 4)), dropped, thread='pytorch#122432'),
        'scan_closure': Case((N(2, 4), N(), N()), closure, thread='pytorch#172568, pytorch#50688'),
        'train_steps': Case((N(3, 2), N(5, 3), N(5, 2), N()), train, thread='pytorch#144663, pytorch#186216, relax#138'),
        'gather_region': Case((U(.5, 2, 4, 5), twice), lambda x, i: x[i, 1:3]**2 * jnp.sum(x[i]), thread='Reactant#676'),
        'product_reduce': Case((N(4, 3),), lambda x: jnp.prod(x, 0), thread='Reactant#1970'),
        'scatter_add_reverse': Case((N(4, 2), twice), lambda v, i: jnp.zeros((5, 2), v.dtype).at[i].add(jnp.sin(v))**2, thread='Reactant#1193'),
        'gemm': Case((N(3, 4), N(2, 4), N(3, 2)), lambda a, b, c: 1.5 * a @ b.T + .5 * c, thread='Enzyme#2842'),
        'transformer_parts': Case((N(4, 3), N(3), N(3), N(3, 6), N(1, 1, 2, 2)), parts, thread='ggml#1514'),
    }


def bounds():
    """Ends of f over x ± r², f linear in x with weights w: f of the centre and of the radius with |w|."""
    def ends(f):
        def both(x, w, r):
            middle, spread = f(x, w), f(r * r, jnp.abs(w))
            return all_of(middle - spread, middle + spread)
        return both

    transposed = lambda x, w: lax.conv_general_dilated(x, jnp.flip(w.swapaxes(0, 1), 2), (1,), [(2, 2)], (2,))
    outward = dict(bits=(64,), differs='bounds move outward by their rounding, which float32 shows')
    return {
        'bound_vector_matrix': Case((N(3), N(3, 4), N(3)), ends(jnp.matmul), thread='auto_LiRPA#94', **outward),
        'bound_conv_transpose': Case((N(1, 2, 4), N(2, 2, 3), N(1, 2, 4)), ends(transposed), thread='auto_LiRPA#61', **outward),
        'bound_transpose': Case((N(3, 2), N(3, 4), N(3, 2)), ends(lambda x, w: x.T @ w), thread='auto_LiRPA#23', **outward),
    }


def cases():
    return compilers() | array_engines() | bounds()
