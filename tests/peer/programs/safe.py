import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy import special

from programs.case import Case, Missing, N, forms

sided = np.array([-1.5, 0, .5, 2.])
zero_row = np.array([[3., 4], [0, 0], [-1, 2]])
inf = np.inf
every = ('grad', 'hvp', 'third')


def nan(instead, where=every, thread='jax#1052'):
    """JAX gives NaN behind the mask. Instead: what is masked is computed of other numbers."""
    return Missing(where, thread, 'NaN', instead)


def masked(f, inside, held, **more):
    """where(inside(x), f(x), 0) + x², and the same where f sees numbers of its domain only."""
    naive = lambda x: jnp.where(inside(x), f(x), 0) + x * x
    safe = lambda x: jnp.where(inside(x), f(jnp.where(inside(x), x, held)), 0) + x * x
    return lambda x: Case((x,), naive, missing=nan(safe), **more)


def rows(f):
    """f of each row that has a norm, 0 of others."""
    def safe(x):
        some = jnp.any(x != 0, 1, keepdims=True)
        return jnp.where(some, f(jnp.where(some, x, 1)), 0)
    return safe


norm = lambda x: jnp.sqrt(jnp.sum(x * x, 1, keepdims=True))


def deviation(x):
    d = x - jnp.mean(x, 1, keepdims=True)
    some = jnp.any(x != x[:, :1], 1, keepdims=True)
    return jnp.where(some[:, 0], jnp.sqrt(jnp.mean(jnp.where(some, d, 1)**2, 1)), 0)


def distances(x):
    d = x[None] - x[:, None]
    off = ~jnp.eye(x.shape[0], dtype=bool)[..., None]
    return jnp.where(off[..., 0], jnp.sqrt(jnp.sum(jnp.where(off, d, 1)**2, 2)), 0)


def hypot(x, y):
    some = (x != 0) | (y != 0)
    return jnp.where(some, jnp.sqrt(jnp.where(some, x, 1)**2 + jnp.where(some, y, 1)**2), 0)


def divided(x, y):
    return jnp.where(y == 0, 0, x / jnp.where(y == 0, 1, y)) + x * x


def masks():
    above = lambda low: lambda x: x > low
    within = lambda x: jnp.abs(x) < 1
    ends = np.array([-1., -.5, .25, 1.])
    return {
        'masked_sqrt': masked(jnp.sqrt, above(0), 1)(sided),
        'masked_rsqrt': masked(lax.rsqrt, above(0), 1)(sided),
        'masked_log': masked(jnp.log, above(0), 1)(sided),
        'masked_log1p': masked(jnp.log1p, above(-1), 0)(np.array([-2., -1, .5, 2])),
        'masked_pow': masked(lambda x: x**1.5, above(0), 1)(sided),
        'masked_erf_inv': masked(special.erfinv, within, 0, skip=('reverse2', 'reverse3'), differs=
            'open: reverse over reverse gives NaN where erf_inv is infinite, though masked')(ends),
        'masked_arcsine': masked(jnp.asin, within, 0, skip=('reverse3',), differs=
            'a division that is differentiated as a linear map is not protected')(ends),
        'masked_div': Case((np.array([1., 2, 3]), np.array([2., 0, -1])), lambda x, y: jnp.where(y == 0, 0, x / y) + x * x,
                           missing=nan(divided)),
        'entropy_zero': Case((np.array([0., .25, .75]),), lambda p: jnp.sum(
            jnp.where(p > 0, -p * jnp.log(jnp.where(p > 0, p, 1)), 0) + p * p)),
        'norm_zero_row': Case((zero_row,), lambda x: norm(x)[:, 0], missing=nan(lambda x: rows(norm)(x)[:, 0])),
        'std_constant_row': Case((np.array([[1., 2, 4], [3, 3, 3]]),), lambda x: jnp.std(x, 1), missing=nan(deviation)),
        'hypot_zero': Case((np.array([3., 0, 0]), np.array([4., 0, -2])), hypot, differs='the slope of |x| at 0 is 0'),
        'unit_zero_row': Case((zero_row,), lambda x: jnp.where(norm(x) > 0, x / norm(x), 0), missing=nan(rows(lambda x: x / norm(x)))),
        'distances': Case((N(3, 2),), lambda x: jnp.sqrt(jnp.sum((x[None] - x[:, None])**2, 2)), missing=nan(distances)),
        'cond_domain': Case((sided,), jax.vmap(lambda t: lax.cond(t > 0, jnp.log, jnp.square, t)), thread='jax#1052'),
        'softmax_masked': Case((N(2, 4), np.array([[1, 0, 1, 1], [0, 0, 1, 0]], np.int32)), lambda x, m: jax.nn.softmax(jnp.where(m > 0, x, -inf))),
    }


@jax.custom_jvp
def sigmoid(x):
    return jax.nn.sigmoid(x)


@jax.custom_jvp
def softplus(x):
    return jax.nn.softplus(x)


@jax.custom_jvp
def modulus(x):
    return jnp.abs(x)


sigmoid.defjvp(lambda x, d: (sigmoid(*x), sigmoid(*x) * sigmoid(-x[0]) * d[0]))
softplus.defjvp(lambda x, d: (softplus(*x), sigmoid(*x) * d[0]))
modulus.defjvp(lambda x, d: (modulus(*x), jnp.sign(x[0]) * d[0]))


def edges():
    none = np.array([[-inf] * 3])
    some = np.array([[-inf, 1., 2.], [.5, -inf, -1.]])
    top = np.array([[1., inf, 2., 0.]])
    far = np.array([-800., -40, -20, 0, 20, 40, 800])
    tie = np.array([[1., 3., 3.], [2., 2., 2.]])
    powers = (np.array([0., 0, 0, 0, 2]), np.array([1., 2, 3, 4, 0]))
    tails = 'the slope of the logistic function keeps its tails: s(x)s(-x) where JAX has s(1 - s)'
    return {
        'pow_at_zero': Case(powers, lambda x, y: x**lax.stop_gradient(y) + x * x, missing=nan(
            lambda x, y: jnp.concatenate([x[:1], x[1:2]**2, x[2:3]**3, x[3:4]**4, jnp.ones_like(x[4:])]) + x * x, ('third',), 'jax pow')),
        'pow_by_at_zero': forms(*[Case((np.array([0., -1, 2]),), lambda x, n: x**n * jnp.exp(x), (n,)) for n in (0, 1, 2, 3)]),
        'logsumexp_none': Case((none,), lambda x: special.logsumexp(x, 1), missing=nan(lambda x: jnp.mean(x, 1), thread='jax logsumexp')),
        'logsumexp_some': Case((some,), lambda x: special.logsumexp(x, 1)),
        'logsumexp_infinite': Case((top,), lambda x: special.logsumexp(x, 1), missing=nan(lambda x: x[:, 1], thread='jax logsumexp')),
        'log_softmax_large': Case((N(2, 4),), lambda x: jax.nn.log_softmax(1e4 * x), orders=2,
                                  differs='third derivatives are differences of numbers of 1e12'),
        'softplus_tails': Case((far,), jax.nn.softplus, expected=softplus, differs=tails),
        'sigmoid_tails': Case((far,), jax.nn.sigmoid, expected=sigmoid, differs=tails),
        'tanh_tails': Case((far,), jnp.tanh),
        'logaddexp_infinite': Case((sided,), lambda x: jnp.logaddexp(x, -inf) * x),
        'sinc_zero': Case((np.array([0., .5, -1.25]),), jnp.sinc),
        'abs_zero': Case((sided,), lambda x: jnp.abs(x) * x + jnp.abs(x), expected=lambda x: modulus(x) * x + modulus(x),
                         differs='the slope of abs at 0 is 0, of JAX 1'),
        'relu_zero': Case((sided,), lambda x: jax.nn.relu(x) + x * x),
        'maximum_tie': Case((sided, np.array([-1.5, 1, .5, 1.])), lambda x, y: jnp.maximum(jnp.sin(x), jnp.sin(y)) * x),
        'max_ties': Case((tie,), lambda x: jnp.max(jnp.sin(x), 1)**2),
        'prod_zeros': Case((np.array([[0., 2, 3], [0, 0, 5], [1, 2, -1], [0, 0, 0]]),), lambda x: jnp.prod(x, 1) * jnp.sum(x)),
        'prod_of_zeros': Case((np.zeros(3), np.array([0., 1, -2])), lambda x, y: x * x * y),
        'clip_at_end': Case((np.array([-1., -.5, 1., 2.]),), lambda x: jnp.clip(x, -1, 1) * x),
        'sort_ties': Case((np.array([2., 1, 2, 1, 3]),), lambda x: jnp.sum(jnp.exp(jnp.sort(x)[2:]))),
        'eigh_equal': Case((np.eye(3),), lambda x: jnp.sum(jnp.linalg.eigh(x)[0]**2), orders=1,
                           differs='where eigenvalues are equal they have first derivatives only'),
        'expm1_small': Case((np.array([1e-6, -1e-4, 1e-3]),), lambda x: jnp.expm1(x) - jnp.log1p(x)),
        'abs_complex_zero': Case((np.array([0j, 1 + 2j]),), lambda z: jnp.abs(z)**2, orders=1, differs='|z| has no second derivative at 0'),
    }


def cases():
    return masks() | edges()
