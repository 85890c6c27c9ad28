import jax
import jax.numpy as jnp
from jax import lax

from programs.case import N, Case, Missing, all_of

quartic = lambda x: jnp.sum(x**4) + jnp.prod(jnp.sin(x))
weights = (N(3, 4), N(4, 2))


def mlp(x, w, u):
    return jnp.sum(jnp.tanh(x @ w) @ u)


def nested_jvp(f, x, v, order):
    """The derivative of f along v, so often."""
    for _ in range(order):
        f = (lambda g: lambda t: jax.jvp(g, (t,), (v,))[1])(f)
    return f(x)


def jet_inside(x, v):
    """Derivatives of exp(sin(x + t·v + t²/2·x)) by t at 0."""
    curve = lambda t: jnp.exp(jnp.sin(x + t * v + t * t / 2 * x))
    d = [curve]
    for _ in range(3):
        d.append((lambda g: lambda t: jax.jvp(g, (t,), (jnp.ones_like(t),))[1])(d[-1]))
    return all_of(*[g(jnp.zeros((), x.dtype)) for g in d[1:]])


def perturbations(x):
    outer = lambda a: jnp.sum(a * jax.grad(lambda b: jnp.sum(jnp.sin(a) * b * b * a))(a))
    return jax.grad(outer)(x)


def linear(x, v):
    f = jax.linearize(lambda t: jnp.exp(t) * jnp.sum(t), x)[1]
    return f(v) * f(x)


def adapted(w, x, y):
    loss = lambda w: jnp.mean((x @ jnp.tanh(w) - y)**2)
    return loss(w - .1 * jax.grad(loss)(w))


def euler_lagrange(q, v):
    l = lambda q, v: jnp.sum(v * v * jnp.exp(q)) / 2 + jnp.sum(jnp.cos(q))
    p = jax.grad(l, 1)
    return jnp.linalg.solve(jax.jacfwd(p, 1)(q, v), jax.grad(l)(q, v) - jax.jacfwd(p)(q, v) @ v)


def norms(x, w):
    g = jax.grad(lambda w, one: jnp.sum(jnp.tanh(one @ w)**2))
    return jax.vmap(lambda one: jnp.sum(g(w, one)**2))(x)


def derivatives_inside():
    net = (N(3), *weights)
    trace = lambda x, w, u: jnp.trace(jax.hessian(lambda t: mlp(t, w, u))(x))
    pairs = lambda x: jax.vmap(lambda a: jax.vmap(lambda b: jnp.exp(-jnp.sum((a - b)**2)))(x))(x)
    collective = jax.vmap(lambda t: jnp.exp(t - .1) / lax.psum(jnp.exp(t), 'batch'), axis_name='batch')
    return {
        'grad_of_grad': Case((N(3),), jax.grad(lambda x: jnp.sum(jax.grad(quartic)(x)**2))),
        'hessian': Case((N(3),), jax.hessian(quartic), thread='pytorch#106455'),
        'hessian_trace': Case(net, trace),
        'laplacian': Case(net, trace, thread='jax#18902'),
        'hvp': Case((N(3), N(3)), lambda x, v: jax.jvp(jax.grad(quartic), (x,), (v,))[1]),
        'jacfwd': Case((N(3),), jax.jacfwd(lambda t: jnp.concatenate([jnp.sin(t) * jnp.sum(t), t * t]))),
        'jacrev': Case((N(3),), jax.jacrev(lambda t: jnp.cumsum(jnp.exp(t))), thread='functorch#767'),
        'jvp_inside': Case((N(3),), lambda x: jax.jvp(lambda t: t * jnp.sin(t), (x,), (x * x,))[1]),
        'vjp_inside': Case((N(3),), lambda x: jax.vjp(lambda t: t * jnp.sin(t), x)[1](jnp.exp(x))[0]),
        'linearize_inside': Case((N(3), N(3)), linear),
        'jet_inside': Case((N(2), N(2)), jet_inside),
        'collapsed_jet': Case((N(3), N(2, 3)), lambda x, v: sum(nested_jvp(quartic, x, d, 4) for d in v)),
        'perturbations': Case((N(3),), perturbations, thread='Enzyme.jl#1173'),
        'vmap_grad': Case((N(4, 3),), jax.vmap(jax.grad(quartic)), thread='pytorch#106455'),
        'vmap_hessian': Case((N(2, 3),), jax.vmap(jax.hessian(quartic)), thread='functorch#767'),
        'vmap_axes': Case((N(3, 4), N(4, 3)), jax.vmap(lambda a, b: jnp.sin(a) * jnp.sum(b * a), (1, 0), 1)),
        'vmap_twice': Case((N(4, 3),), pairs),
        'vmap_axis_sum': Case((N(5),), collective),
        'per_example_norms': Case((N(3, 4), N(4, 2)), norms),
        'newton_step': Case((N(3),), lambda x: x - jnp.linalg.solve(jax.hessian(quartic)(x) + 30 * jnp.eye(3, dtype=x.dtype), jax.grad(quartic)(x))),
        'adapted_loss': Case((N(3, 2), N(5, 3), N(5, 2)), adapted),
        'gradient_penalty': Case(net, lambda x, w, u: (jnp.sqrt(jnp.sum(jax.grad(mlp)(x, w, u)**2)) - 1)**2, thread='pytorch#181581'),
        'euler_lagrange': Case((N(2), N(2)), euler_lagrange),
        'sparse_hessian': Case((N(4),), jax.hessian(lambda t: jnp.sum(jnp.exp(t[1:] * t[:-1])))),
        'divergence': Case((N(3),), lambda x: jnp.trace(jax.jacobian(lambda t: jnp.sin(t) * jnp.sum(t * t))(x))),
    }


def by_jvp(f, rule):
    g = jax.custom_jvp(f)
    g.defjvp(lambda x, d: (f(*x), rule(*x, *d)))
    return g


def by_vjp(f, rule):
    g = jax.custom_vjp(f)
    g.defvjp(lambda x: (f(x), x), lambda x, c: (rule(x, c),))
    return g


def rules():
    no_forward = lambda thread, instead: Missing(('jvp', 'jvp3', 'jet3'), thread, 'custom_vjp has no forward mode', instead)
    sine, square = by_vjp(jnp.sin, lambda x, c: c * jnp.cos(x)), by_vjp(jnp.square, lambda x, c: c * x)
    half = by_jvp(jnp.square, lambda x, d: x * d)
    root = by_vjp(jnp.sqrt, lambda x, c: c / (2 * jnp.sqrt(x)))
    hold = by_jvp(lambda x: jnp.round(x), lambda x, d: d)
    turned = by_jvp(lambda x: x, lambda x, d: -.5 * d)
    slow = by_jvp(jnp.tanh, lambda x, d: (1 - jnp.tanh(x)**2) * d * .5)
    half_sine = by_jvp(jnp.sin, lambda x, d: jnp.cos(x) * d / 2)
    ignored = Missing(('jet3',), 'jax jet.py:269', 'jet ignores custom_jvp')
    no_series = dict(skip=('jet3',), differs='the rule is no derivative: jet takes it at each order, nested jvp that of what the rule computes the result by (JAX too)')
    return {
        'custom_jvp': Case((N(3),), lambda x: half_sine(x) * x, missing=ignored, **no_series),
        'custom_vjp': Case((N(3),), lambda x: sine(x) * jnp.exp(x), missing=no_forward('jax#16049', lambda x: jnp.sin(x) * jnp.exp(x))),
        'custom_vjp_halved': Case((N(3),), lambda x: square(x) * x, missing=no_forward('jax#7401', lambda x: half(x) * x), **no_series),
        'custom_vjp_solution': Case((N(3),), lambda x: root(1 + x * x), missing=no_forward('jax#39444', lambda x: jnp.sqrt(1 + x * x))),
        'custom_in_scan': Case((N(4, 2),), lambda x: lax.scan(lambda c, t: (slow(c + t), c), x[0], x)[1],
                               skip=('jet3', 'reverse2', 'reverse3'), differs='open: of rules that are no derivatives reverse over reverse '
                               'through a scan takes another second derivative than forward over reverse'),
        'custom_true_in_scan': Case((N(4, 2),), lambda x: lax.scan(lambda c, t: (jnp.tanh(c + t), c), x[0], x)[1]),
        'linear_call': Case((N(3), N(2, 3)), lambda x, a: (lax.stop_gradient(a) @ x)**2),
        'stop_gradient': Case((N(3),), lambda x: x * lax.stop_gradient(jnp.exp(x)) + x * x),
        'straight_through': Case((N(4),), lambda x: hold(3 * x)**2),
        'gradient_reversal': Case((N(3),), lambda x: jnp.sin(turned(x * x)), **no_series),
        'checkpoint': Case((N(3),), jax.checkpoint(lambda x: jnp.exp(jnp.sin(x)) * jnp.sum(x * x))),
        'tap': Case((N(3),), lambda x: jnp.sin(x)**2),
    }


def cases():
    return derivatives_inside() | rules()
