import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy import special

from programs.case import C, I, N, U, Case, Missing, forms

steps = np.array([-2.7, -1.2, -.4, .3, 1.1, 2.6])
integers = (lambda r: r.integers(-50, 50, 30, dtype=np.int32), lambda r: r.integers(1, 20, 30, dtype=np.int32))
no_jet = lambda why='': Missing(('jet3',), 'jax#27699', why or 'no Taylor rule')


def compounds():
    def iterated(x):
        for _ in range(5):
            x = jnp.sin(2 * x + .3)
        return x

    def newton(x):
        y = jnp.ones_like(x)
        for _ in range(6):
            y = (y + x / y) / 2
        return y

    def rosenbrock(x):
        a, b = x[1:], x[:-1]
        return jnp.sum(100 * (a - b**2)**2 + (1 - b)**2)

    def student(x, n):
        g = special.gammaln
        return g((n + 1) / 2) - g(n / 2) - (n + 1) / 2 * jnp.log1p(x**2 / n)

    def beta(x, a, b):
        g = special.gammaln
        return g(a + b) - g(a) - g(b) + (a - 1) * jnp.log(x) + (b - 1) * jnp.log1p(-x)

    return {
        'sin_of_exp': Case((U(-1, 1, 9),), lambda x: jnp.sin(jnp.exp(x))),
        'logistic_chain': Case((N(9),), lambda x: jax.nn.sigmoid(3 * jnp.tanh(x) - jax.nn.softplus(x))),
        'rational': Case((N(9),), lambda x: (x * x - 1) / (x * x + 1)),
        'gaussian': Case((N(8), N(8), U(.5, 2, 8)), lambda x, m, s: jnp.exp(-(x - m)**2 / (2 * s**2)) / s),
        'rosenbrock': Case((N(6),), rosenbrock),
        'von_mises': Case((N(8), U(.5, 2, 8), N(8)), lambda x, k, m: jnp.exp(k * jnp.cos(x - m))),
        'student': Case((N(8), U(2, 9, 8)), student),
        'beta_density': Case((U(.1, .9, 8), U(1, 4, 8), U(1, 4, 8)), beta),
        'lens': Case((N(8), U(1.2, 2, 8)), lambda x, n: jnp.sqrt(1 - (jnp.sin(x) / n)**2)),
        'iterated_sine': Case((N(7),), iterated),
        'newton_root': Case((U(.5, 3, 7),), newton),
        'quadratic_root': Case((U(.5, 3, 7), N(7)), lambda a, b: (-b + jnp.sqrt(b * b + 4 * a)) / 2),
    }


def of_one():
    plain = {name: getattr(jnp, name) for name in (
        'abs', 'exp', 'exp2', 'expm1', 'square', 'sin', 'cos', 'tan', 'atan', 'sinh', 'cosh', 'tanh', 'asinh', 'sinc', 'real',
        'conj')}
    cases = {name: Case((U(-1.3, 1.3, 11),), f) for name, f in plain.items()}
    for name in ('log', 'log2', 'log10', 'sqrt'):
        cases[name] = Case((U(.3, 3, 11),), getattr(jnp, name))
    for name in ('sign', 'floor', 'ceil', 'round', 'trunc'):
        cases[name] = Case((steps,), getattr(jnp, name))
    for name in ('asin', 'acos', 'atanh'):
        cases[name] = Case((U(-.8, .8, 11),), getattr(jnp, name))
    complex_of = lambda name, f: Case((C(7),), f, form='complex')
    for name in ('exp', 'expm1', 'square', 'sin', 'cos', 'tan', 'sinh', 'cosh', 'tanh', 'real', 'conj', 'sqrt', 'log'):
        cases[name] = [cases[name], complex_of(name, getattr(jnp, name))]
    for name, f in {'abs': jnp.abs, 'neg': jnp.negative, 'reciprocal': lambda z: 1 / z}.items():
        cases[name] = [cases.get(name) or Case((U(.5, 2, 11),), f), complex_of(name, f)]
    return cases | {
        'imag': Case((C(7),), jnp.imag),
        'angle': Case((C(7),), jnp.angle),
        'log1p': [Case((U(-.7, 2, 11),), jnp.log1p), complex_of('log1p', jnp.log1p)],
        'rsqrt': Case((U(.3, 3, 11),), lax.rsqrt),
        'cbrt': Case((np.concatenate([steps, [1e-3]]),), jnp.cbrt),
        'acosh': Case((U(1.3, 4, 11),), jnp.acosh),
        'erf': Case((N(11),), special.erf),
        'erf_inv': Case((U(-.9, .9, 11),), special.erfinv),
        'lgamma': forms(Case((U(.3, 8, 11),), special.gammaln), Case((U(-2.8, -2.2, 5),), special.gammaln)),
        'digamma': Case((U(.3, 8, 11),), special.digamma),
        'polygamma': forms(*[Case((U(.5, 6, 9),), lambda x, n: special.polygamma(n, x), (n,)) for n in (1, 2, 4)]),
        'nan_to_num': Case((np.array([1., np.nan, -2., 3.]),), lambda x: jnp.nan_to_num(x)),
    }


def of_two():
    two = (N(3, 4), U(.5, 2, 3, 4))
    spread = (N(3, 1, 2), U(.5, 2, 4, 1))
    cases = {name: [Case(two, f), Case(spread, f, form='broadcast'), Case((C(5), C(5)), f, form='complex')] for name, f in {
        'add': jnp.add, 'sub': jnp.subtract, 'mul': jnp.multiply, 'div': jnp.divide}.items()}
    cases |= {name: [Case(two, f), Case(spread, f, form='broadcast')] for name, f in {
        'maximum': jnp.maximum, 'minimum': jnp.minimum, 'atan2': jnp.arctan2, 'hypot': jnp.hypot, 'logaddexp': jnp.logaddexp,
        'copysign': jnp.copysign}.items()}
    return cases | {
        'rem': Case((U(-9, 9, 9), U(1, 3, 9)), lax.rem),
        'remainder': Case((U(-9, 9, 9), U(1, 3, 9)), jnp.remainder),
        'floor_divide': Case((U(-9, 9, 9), U(1, 3, 9)), jnp.floor_divide),
        'pow': [Case((U(.4, 2, 9), N(9)), jnp.power), Case((C(6), C(6)), jnp.power, form='complex')],
        'pow_by': forms(*[Case((steps,), lambda x, n: x**n, (n,)) for n in (2, 3, 5, -1, -2)]),
        'pow_root': Case((U(.4, 2, 9),), lambda x: x**2.5),
        'pow_of': Case((N(9),), lambda x: 1.7**x),
        'where': Case((N(9), N(9)), lambda x, y: jnp.where(x > y, jnp.sin(x), y * y)),
        'clip': Case((N(9),), lambda x: jnp.clip(x, -.6, .8) * x),
        'clip_by': Case((N(9), N(9)), lambda x, y: jnp.clip(x, y, y + 1)),
        'select': Case((2 * steps / 2.7,), lambda x: jnp.select([x < -1, x < 1], [jnp.exp(x), x * x], jnp.log1p(x * x))),
        'convert': Case((N(5), N(5)), lambda x, y: (x.astype(jnp.float64) * y).astype(x.dtype)),
        'complex': Case((N(5), N(5)), lambda x, y: lax.complex(x, y) * lax.complex(y, -x)),
        'compare': Case((N(9), N(9)), lambda x, y: ((x < y) ^ (x >= .5)).astype(jnp.int32), orders=0),
        'bits': Case(integers, lambda x, y: (x & y) | ((x << 3) ^ (y >> 1)), orders=0),
        'integers': Case(integers, lambda x, y: x * y - lax.div(x, y) + lax.rem(x, y), orders=0),
    }


def cases():
    return of_one() | of_two() | compounds()
