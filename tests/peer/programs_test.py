"""Programs that Viva and JAX both have (tests/peer/programs/): values and derivatives of orders 1 to 3 against JAX.

usage: programs_test.py VIVA DEMO.onnx [PROGRAM…]
The program peer_programs is taken from the build that VIVA belongs to. Each program runs in float64 and in float32 on the
same operands, JAX in both. Errors are those of the greatest entry relative to the greatest entry of the answer. In
float64 at most 1e-10 passes; in float32, against JAX in float64, ten times JAX's own error and 1e-6. What Viva finds in
several ways is held against one answer: forward over reverse, reverse over reverse and Taylor series. Exit code 1 where a
result differs, is missing, or where JAX does what the table says it does not.
"""
import importlib, os, pathlib, subprocess, sys, tempfile, zlib

os.environ.setdefault('XLA_FLAGS', '--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true')
import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import jet

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
jax.config.update('jax_enable_x64', True)
families = ('pointwise', 'reduction', 'matrix', 'window', 'movement', 'indexing', 'control', 'nested', 'layer', 'safe', 'thread')
narrow = {np.dtype(np.float64): np.float32, np.dtype(np.complex128): np.complex64}
answers = {'value': 'value', 'jvp': 'jvp', 'jvp3': 'jvp3', 'jet3': 'jvp3', 'grad': 'grad', 'hvp': 'hvp', 'reverse2': 'hvp',
           'third': 'third', 'reverse3': 'third'}
order = [['value'], ['value', 'jvp', 'grad'], ['value', 'jvp', 'grad', 'hvp'], ['value', 'jvp', 'grad', 'hvp', 'jvp3', 'third']]


def table(asked):
    """(name, program, case) of all, or of the programs asked for."""
    found = []
    for family in families:
        for program, cases in importlib.import_module(f'programs.{family}').cases().items():
            for case in cases if isinstance(cases, list) else [cases]:
                if not asked or program in asked:
                    found.append((case.name(program), program, case))
    assert len({name for name, _, _ in found}) == len(found), 'two cases of one name'
    return found


def drawn(name, case):
    """Operands, directions for those that have one, and a generator for what follows; all are exact in single precision."""
    r = np.random.default_rng(zlib.crc32(name.encode()))
    exact = lambda a: a.astype(narrow.get(a.dtype, a.dtype)).astype(a.dtype)
    x = [exact(np.asarray(a(r) if callable(a) else a)) for a in case.args]
    like = lambda a: r.standard_normal(a.shape) + (1j * r.standard_normal(a.shape) if a.dtype.kind == 'c' else 0)
    return x, [exact(np.asarray(like(a))) if a.dtype.kind in 'fc' else None for a in x], r


def cast(a, single):
    return a.astype(narrow.get(a.dtype, a.dtype)) if single else a


class Asked:
    """A program of JAX at a point: its result and derivatives as functions without arguments."""

    def __init__(self, fn, x, v, c, settings):
        self.marked = [i for i, d in enumerate(v) if d is not None]
        self.x, self.v, self.c = [x[i] for i in self.marked], [v[i] for i in self.marked], c

        def f(*floats):
            all_x = list(map(jnp.asarray, x))
            for i, a in zip(self.marked, floats):
                all_x[i] = a
            return fn(*all_x, *settings)
        self.f = f
        self.s = lambda *t: jnp.sum(jnp.real(f(*t) * c))

    def along(self, g):
        return lambda *t: jax.jvp(g, t, tuple(self.v))[1]

    def of(self, what):
        gradient = jax.grad(self.s, tuple(range(len(self.x))))
        function = {
            'value': lambda: self.f, 'jvp': lambda: self.along(self.f),
            'jvp3': lambda: self.along(self.along(self.along(self.f))), 'grad': lambda: gradient,
            'hvp': lambda: self.along(gradient), 'third': lambda: self.along(self.along(gradient)),
            'jet3': lambda: lambda *t: jet.jet(self.f, t, [[d, jnp.zeros_like(d), jnp.zeros_like(d)] for d in self.v])[1][2],
        }[what]()
        result = function(*map(jnp.asarray, self.x))
        return list(result) if isinstance(result, tuple) else [result]


def jax_answers(fn, x, v, c, case, wanted):
    if c is None:
        return {'value': {0: np.asarray(fn(*map(jnp.asarray, x), *case.settings))}}
    asked = Asked(fn, x, v, c, case.settings)
    everything = jax.jit(lambda: {what: asked.of(what) for what in wanted})()
    return {what: {asked.marked[i] if len(r) > 1 or what in ('grad', 'hvp', 'third') else i: np.asarray(a)
                   for i, a in enumerate(r)} for what, r in everything.items()}


def error(got, want, size, noise):
    """Of the greatest entry, relative to it; NaN and infinities must stand in the same places. An answer that is but the
    noise of rounding beside the other results, of this size, is relative to them."""
    if got is None or got.shape != want.shape:
        return np.inf
    odd = ~np.isfinite(want)
    if not np.array_equal(got[odd], want[odd], equal_nan=True) or not np.isfinite(got[~odd]).all():
        return np.inf
    scale = np.max(np.abs(want[~odd]), initial=0)
    scale = scale if scale > noise * size else max(size, 1e-300)
    return float(np.max(np.abs(got.astype(want.dtype) - want)[~odd], initial=0) / scale)


def prepare(folder, name, case):
    """Writes the operands in both precisions; gives them, with weights of the result."""
    x, v, r = drawn(name, case)
    c = None
    if case.orders:
        shape = jax.eval_shape(lambda *a: case.fn(*a, *case.settings), *map(jnp.asarray, x))
        c = r.standard_normal(shape.shape) + (1j * r.standard_normal(shape.shape) if shape.dtype.kind == 'c' else 0)
        c = cast(np.asarray(c), True).astype(np.asarray(c).dtype)
    for bits in (64, 32):
        fit = lambda a: cast(np.asarray(a), bits == 32)
        held = {str(i): fit(a) for i, a in enumerate(x)} | {f'v{i}': fit(d) for i, d in enumerate(v) if d is not None}
        held |= {'c': fit(c)} if c is not None else {}
        stem = name if '@' in name else name + '@'
        np.savez(folder / f'{stem}.{bits}.npz', settings=np.asarray(case.settings, np.int64), **held)
    return x, v, c


def refused(case, x, v, c):
    """What JAX has although the table says that it has not: it gives what the program written otherwise gives."""
    fn, has = case.missing.instead or case.fn, []
    for what in case.missing.where:
        want = Asked(fn, x, v, c, case.settings).of(answers[what])
        try:
            got = Asked(case.fn, x, v, c, case.settings).of(what)
        except Exception:
            continue
        if all(np.allclose(a, b, 1e-8, 1e-8) for a, b in zip(got, want)):
            has.append(what)
    return has


def judge(folder, name, case, x, v, c):
    """Errors that are too great, as text, and how many results were compared."""
    fn = case.expected or (case.missing and case.missing.instead) or case.fn
    wanted = order[case.orders]
    exact = jax_answers(fn, x, v, c, case, wanted)
    fit = lambda a: None if a is None else cast(np.asarray(a), True)
    single = jax_answers(fn, [*map(fit, x)], [*map(fit, v)], fit(c), case, wanted)
    size = max((np.max(np.abs(a[np.isfinite(a)]), initial=0) for r in exact.values() for a in r.values()), default=0)
    stem, wrong, compared = name if '@' in name else name + '@', [], 0
    for what in [w for w in answers if answers[w] in wanted and w not in case.skip]:
        for i, want in exact[answers[what]].items():
            for bits in case.bits:
                path = folder / f'{stem}.{bits}.{what}.{i}.npy'
                got = np.load(path) if path.exists() else None
                dtype = cast(want, bits == 32).dtype
                assert got is None or got.dtype == dtype, f'{what} of Viva is {got.dtype}'
                noise = 1e-12 if bits == 64 else 1e-6
                assert bits == 64 or single[answers[what]][i].dtype == dtype, f'{what} of JAX is no {dtype}'
                own = 0 if bits == 64 else error(single[answers[what]][i], want, size, noise)
                e = error(got, want, size, noise)
                compared += 1
                if not e <= (1e-10 if bits == 64 else 10 * own + 1e-6):
                    wrong.append(f'{what}.{i} float{bits} {e:.1e}' + (f' (JAX {own:.1e})' if bits == 32 else '') +
                                 (' no answer' if got is None else ''))
    return wrong, compared


def attempt(f, *args):
    """f of the arguments, or what kept JAX from it and a count of nothing."""
    try:
        return f(*args)
    except Exception as e:
        return [f'JAX: {type(e).__name__}: {" ".join(str(e).split())}'[:300]], 0


def main(viva, asked):
    program = pathlib.Path(viva).resolve().parent / 'tests' / 'peer_programs'
    cases, wrong, compared = table(asked), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        points = {name: attempt(prepare, folder, name, case) for name, _, case in cases}
        wrong += subprocess.run([program, folder]).returncode != 0
        for name, _, case in cases:
            bad, count = attempt(judge, folder, name, case, *points[name]) if len(points[name]) == 3 else points[name]
            if count and case.missing and (has := refused(case, *points[name])):
                bad.append(f'JAX has {", ".join(has)} by now')
            compared, wrong = compared + count, wrong + bool(bad)
            notes = [case.thread, f'JAX: {case.missing.why} ({case.missing.thread})' if case.missing else '', case.differs]
            if bad or any(notes):
                print(f'{name:28}', '; '.join(filter(None, notes)), ('WRONG ' + ', '.join(bad)) if bad else '', flush=True)
    for reports, why in importlib.import_module('programs.thread').no_programs.items():
        print(f'not a program: {reports}: {why}')
    print(f'{len({p for _, p, _ in cases})} programs, {len(cases)} cases, {compared} comparisons, {wrong} wrong')
    return wrong > 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1], set(sys.argv[3:])))
