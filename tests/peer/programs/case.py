"""What the tables of programs are made of: cases, operands drawn from a seed, and what JAX does not do."""
import dataclasses, typing

import jax.numpy as jnp
import numpy as np


@dataclasses.dataclass
class Missing:
    """What JAX refuses or gets wrong. `where`: results that it has none of ('jet3', 'grad', 'jvp', …); the test asks
    JAX for them and says so where it has them by now. `instead`: the same program written so that JAX has it."""
    where: tuple
    thread: str
    why: str
    instead: typing.Callable | None = None


@dataclasses.dataclass
class Case:
    args: tuple                 # of functions of a generator, or arrays
    fn: typing.Callable         # of jax.numpy arrays, then of settings
    settings: tuple = ()
    orders: int = 3             # derivatives that are compared; 0: the result has none
    thread: str = ''            # where another engine is known to fail
    missing: Missing | None = None
    expected: typing.Callable | None = None  # what Viva's documented convention gives in place of JAX's
    differs: str = ''           # the convention, or why results are not compared
    skip: tuple = ()            # results that are not compared
    bits: tuple = (64, 32)
    form: str = ''              # forms of one program by other operands or settings

    def name(self, program):
        return f'{program}@{self.form}' if self.form else program


def forms(*cases):
    """Cases of one program, numbered."""
    return [dataclasses.replace(c, form=c.form or str(i)) for i, c in enumerate(cases)]


def N(*shape):
    return lambda r: r.standard_normal(shape)


def U(low, high, *shape):
    return lambda r: r.uniform(low, high, shape)


def C(*shape):
    return lambda r: r.standard_normal(shape) + 1j * r.standard_normal(shape)


def I(n, *shape):
    return lambda r: r.integers(0, n, shape, dtype=np.int32)


def Spd(n, *batch):
    def draw(r):
        a = r.standard_normal((*batch, n, n))
        return a @ a.swapaxes(-1, -2) / n + np.eye(n)
    return draw


def Hpd(n):
    def draw(r):
        a = r.standard_normal((n, n)) + 1j * r.standard_normal((n, n))
        return a @ a.conj().T / n + np.eye(n)
    return draw


def Regular(n, *batch):
    """Far from singular."""
    return lambda r: r.standard_normal((*batch, n, n)) / n + 2 * np.eye(n)


def all_of(*parts):
    return jnp.concatenate([jnp.ravel(p) for p in parts])
