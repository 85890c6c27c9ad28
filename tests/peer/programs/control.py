import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from programs.case import I, N, U, Case, Missing, all_of, forms


def cond(p, f, g, *a):
    return lax.cond(p, f, g, *a)


def conds():
    cube, e = lambda u: u * u * u, lambda u: jnp.exp(-u)
    inner = lambda t: cond(t[1] > 0, cube, e, t)

    def step(c, t):
        n = cond(t > 0, lambda a, b: a * b, lambda a, b: a + jnp.sin(b), c, t)
        return n, n * c

    def in_scan(x):
        return all_of(*lax.scan(step, jnp.ones_like(x[0]), x))

    each = lambda t: cond(t[0] > 0, lambda u: jnp.sum(u * u * u), lambda u: jnp.sum(jnp.exp(u)), t)
    capture = lambda x, w: cond(w[0] > 0, lambda t: t * w, lambda t: t / (2 + w * w), x * x)
    branches = lambda x, k: lax.switch(k[0], [jnp.sin, jnp.square, lambda u: jnp.log1p(u * u)], x)
    first = np.array([.7, -.3, 1.2])
    return {
        'cond_true': Case((N(3),), lambda x: cond(jnp.sum(x) > -100, jnp.sin, jnp.exp, x),
                          missing=Missing(('jet3',), 'jax#27699', 'jet has no rule for cond')),
        'cond_false': Case((N(3),), lambda x: cond(jnp.sum(x) > 100, jnp.sin, jnp.exp, x)),
        'cond_capture': forms(Case((N(3), first), capture), Case((N(3), -first), capture)),
        'cond_nested': forms(*[Case((a * first,), lambda x: cond(x[0] > 0, inner, lambda t: inner(jnp.sin(t)), x)) for a in (1, -1)]),
        'cond_vmap': Case((N(5, 3),), jax.vmap(each)),
        'cond_in_scan': Case((N(6),), in_scan, thread='pytorch#172568'),
        'switch': forms(*[Case((N(3), np.array([k], np.int32)), branches) for k in (0, 1, 2)]),
    }


def rnn(x, w, u):
    def step(h, t):
        n = jnp.tanh(h @ w + t @ u)
        return n, jnp.sum(n)
    return all_of(*lax.scan(step, jnp.zeros(4, x.dtype), x))


def leapfrog(q, p):
    force = jax.grad(lambda q: jnp.sum(q**4 / 4 - q**2 / 2))

    def step(s, _):
        q, p = s
        half = p - .05 * force(q)
        q = q + .1 * half
        return (q, half - .05 * force(q)), None
    return all_of(*lax.scan(step, (q, p), None, 6)[0])


def rk4(y, mu):
    def step(y, _):
        f = lambda y: jnp.stack([y[1], mu * (1 - y[0]**2) * y[1] - y[0]])
        h = .1
        a = f(y)
        b = f(y + h / 2 * a)
        c = f(y + h / 2 * b)
        d = f(y + h * c)
        n = y + h / 6 * (a + 2 * b + 2 * c + d)
        return n, n[0]
    return lax.scan(step, y, None, 5)[1]


def kalman(y, q, r):
    def step(s, y):
        m, p = s
        p = p + jnp.exp(q)
        gain = p / (p + jnp.exp(r))
        d = y - m
        return (m + gain * d, (1 - gain) * p), d**2 / (p + jnp.exp(r)) + jnp.log(p + jnp.exp(r))
    return lax.scan(step, (jnp.zeros_like(q), jnp.ones_like(q)), y)[1]


def nested(x, c):
    def outer(c, row):
        last, ds = lax.scan(lambda d, t: (jnp.tanh(d * t + .3), d), c, row)
        return last, jnp.sum(ds)
    return all_of(*lax.scan(outer, c, x))


def viterbi(e, t):
    step = lambda a, e: (jax.nn.logsumexp(a[:, None] + t, 0) + e, a)
    return jax.nn.logsumexp(lax.scan(step, e[0], e[1:])[0])


def carry_pair(x, c):
    step = lambda s, t: ((s[1], s[0] * .5 + jnp.sin(t)), s[0] * s[1])
    (a, b), ys = lax.scan(step, (c, jnp.cos(c)), x)
    return all_of(a, b, ys)


def scans():
    no_arrays = lambda x, w: all_of(*lax.scan(lambda c, _: (c * w + .1, jnp.sin(c)), x, None, 5))
    update = lambda x: lax.fori_loop(0, 4, lambda i, c: c.at[i + 1].set(c[i] * c[i + 1] + .5), x)
    step = jax.checkpoint(lambda c, t: (jnp.sin(c * t) + jnp.exp(-c * c), c))
    return {
        'scan_rnn': Case((N(5, 3), N(4, 4), N(3, 4)), rnn, missing=Missing(('jet3',), 'jax#27699', 'jet has no rule for scan')),
        'scan_reverse': Case((N(5),), lambda x: all_of(*lax.scan(lambda c, t: (jnp.sin(c + t), c * t), x[0], x, reverse=True))),
        'scan_no_arrays': Case((N(3), U(.3, 1, 3)), no_arrays),
        'scan_carry_pair': Case((N(5, 2), N(2)), carry_pair),
        'scan_nested': Case((N(3, 4), N()), nested),
        'scan_vmap': Case((N(3, 4), N()), lambda x, c: jax.vmap(lambda xs: lax.scan(lambda a, t: (a * t + 1, a), c, xs)[0])(x)),
        'scan_of_grad': Case((N(3), N(3)), leapfrog),
        'scan_checkpoint': Case((N(6), N()), lambda x, c: lax.scan(step, c, x)[0]),
        'fori': Case((N(3),), lambda x: lax.fori_loop(0, 5, lambda i, c: jnp.sin(c) + i.astype(c.dtype) * .1 * x, x)),
        'fori_update': Case((N(5),), update),
        'horner': Case((N(5), N(3)), lambda a, x: lax.scan(lambda c, a: (c * x + a, c), jnp.zeros_like(x), a)[0]),
        'logistic_map': Case((U(.2, .8, 3), U(2, 3, 3)), lambda x, r: lax.scan(lambda c, _: (r * c * (1 - c), c), x, None, 6)[1]),
        'rk4': Case((N(2), U(.5, 1, 1)), lambda y, mu: rk4(y, mu[0])),
        'kalman': Case((N(6), N(), N()), kalman),
        'viterbi': Case((N(5, 3), N(3, 3)), viterbi),
    }


def unrolled(go, step, state, most=200):
    """The while loop as JAX can reverse it: so many steps, those beyond its end the identity of inputs held back."""
    def one(s, _):
        on = go(s)
        safe = jax.tree.map(lambda a, b: jnp.where(on, a, b), s, state)
        return jax.tree.map(lambda a, b: jnp.where(on, a, b), step(safe), s), None
    return lax.scan(one, state, None, most)[0]


def halve(loop, x, least):
    return loop(lambda t: jnp.sum(t * t) > least, lambda t: t * .6 + .05 * jnp.sin(t), x)


def fixed_point(loop, a, b):
    step = lambda x: jnp.cos(a * x) * .5 + b
    return loop(lambda t: jnp.max(jnp.abs(t[0] - t[1])) > 1e-13, lambda t: (step(t[0]), t[0]), (step(b), b))[0]


def whiles():
    def case(args, f, thread='jax#8239', **more):
        """f(loop, …): with JAX's own loop, which has no reverse, and unrolled."""
        return Case(args, lambda *a: f(lax.while_loop, *a), **more, missing=Missing(
            ('grad', 'hvp', 'third'), thread, 'while has no reverse', lambda *a: f(unrolled, *a)))

    capture = lambda loop, x, w: loop(lambda t: jnp.sum(t) < 20, lambda t: t * 1.5 + w * w, jnp.abs(x) + .5)
    newton = lambda loop, x: loop(lambda y: jnp.any(jnp.abs(y * y - x) > 1e-3), lambda y: (y + x / y) / 2, jnp.ones_like(x))
    pair = lambda loop, x: loop(lambda s: s[1] < 6, lambda s: (jnp.sin(s[0]) * 1.2 + .1, s[1] + 1), (x, jnp.int32(0)))[0]
    in_scan = lambda loop, x: lax.scan(lambda c, t: (halve(loop, c + t, .2), c), x[0], x)[1]
    short = lambda go, step, s: unrolled(go, step, s, 40)

    def nested(loop, x):
        loop = short if loop is unrolled else loop
        return loop(lambda t: jnp.sum(t) < 30, lambda t: halve(loop, t, .5) + t * t + 1, jnp.abs(x) + .2)

    def collatz(n):
        step = lambda s: (jnp.where(s[0] % 2 == 0, s[0] // 2, 3 * s[0] + 1), s[1] + 1)
        return lax.while_loop(lambda s: s[0] != 1, step, (n, jnp.zeros_like(n)))[1]

    return {
        'while_halve': case((N(3),), lambda loop, x: halve(loop, x, .01)),
        'while_bounded': case((N(3),), lambda loop, x: halve(loop, x, .01)),
        'while_none': case((N(3),), lambda loop, x: jnp.sin(halve(loop, x, 1e6)), 'mujoco#2259'),
        'while_capture': case((N(3), N(3)), capture),
        'while_pair': case((N(3),), pair),
        'while_newton': case((U(.5, 3, 4),), newton),
        'while_fixed_point': case((U(.2, .8, 3), N(3)), fixed_point),
        'while_vmap': case((N(4, 3),), lambda loop, x: jax.vmap(lambda t: halve(loop, t, .1))(x)),
        'while_in_scan': case((N(4, 3),), in_scan),
        'while_nested': case((N(3),), nested),
        'while_collatz': Case((np.array(27, np.int32),), collatz, orders=0),
    }


def cases():
    return conds() | scans() | whiles()
