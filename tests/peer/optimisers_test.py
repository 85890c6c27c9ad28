"""Learning rules and schedules against optax over 250 steps, and safetensors files against the package of that name.

usage: optimisers_test.py VIVA DEMO.onnx
The program peer_optimisers is taken from the build that VIVA belongs to. It reads a file that Python's safetensors has
written, and Python reads the one it writes. Parameters may differ by 1e-5 of the largest in float32, by 1e-12 in float64,
or 1e-8 where optax itself keeps a part in float32 (the rates of a schedule, MultiSteps).
Exit code 1 where one differs.
"""
import pathlib, subprocess, sys, tempfile

import jax
import numpy as np
import optax
from jax import numpy as jnp
from safetensors import numpy as safetensors

jax.config.update('jax_enable_x64', True)
program = pathlib.Path(sys.argv[1]).resolve().parent / 'tests' / 'peer_optimisers'
steps, n = 250, 40
rng = np.random.default_rng(1)
# Sizes from 1e-4 to 10, some always zero, all zero for the last fifth of the steps.
gradients = rng.standard_normal((steps, n)) * 10 ** rng.uniform(-4, 1, n)
gradients[:, ::9] = 0
gradients[4 * steps // 5:] = 0
start = rng.standard_normal(n)

rules = {
    'sgd': optax.sgd(.02),
    'momentum': optax.sgd(.02, momentum=.9),
    'nesterov': optax.sgd(.02, momentum=.9, nesterov=True),
    'adam': optax.adam(.01),
    'adam_settings': optax.adam(.01, b1=.7, b2=.95, eps=1e-3),
    'adamw': optax.adamw(.01, weight_decay=.1),
    'lion': optax.lion(.001, weight_decay=.1),
    'rmsprop': optax.rmsprop(.01),
    'rmsprop_torch': optax.rmsprop(.01, decay=.99, eps_in_sqrt=False),
    'rmsprop_centered': optax.rmsprop(.01, eps=1e-4, centered=True, momentum=.9),
    'adagrad': optax.adagrad(.1),
    'clip_norm': optax.chain(optax.clip_by_global_norm(1.5), optax.adam(.01)),
    'clip_value': optax.chain(optax.clip(.5), optax.sgd(.02, momentum=.9)),
    'accumulate': optax.MultiSteps(optax.adam(.01), 4).gradient_transformation(),
    'scheduled': optax.adamw(optax.warmup_cosine_decay_schedule(0, .02, 20, 200, .001), weight_decay=.1),
}
schedules = {
    'schedule_linear': optax.linear_schedule(.1, .01, 100),
    'schedule_cosine': optax.cosine_decay_schedule(.1, 150, .1),
    'schedule_warm_up': optax.warmup_cosine_decay_schedule(0, .1, 30, 150, .01),
    'schedule_exponential': optax.exponential_decay(.1, 40, .5),
    'schedule_step': optax.exponential_decay(.1, 40, .5, staircase=True),
    'schedule_one_cycle': optax.cosine_onecycle_schedule(180, .1),
}


def followed(rule, dtype):
    """In float64, of the numbers that the dtype holds: the exact answer."""
    split = lambda v: {'a': v[:n // 2], 'b': v[n // 2:].reshape(1, -1)}
    p = split(jnp.asarray(start.astype(dtype), jnp.float64))
    state = rule.init(p)

    @jax.jit
    def step(p, state, g):
        u, state = rule.update(split(g), state, p)
        return optax.apply_updates(p, u), state
    rows = []
    for g in gradients.astype(dtype):
        p, state = step(p, state, jnp.asarray(g, jnp.float64))
        rows.append(np.concatenate([p['a'], p['b'].reshape(-1)]))
    return np.stack(rows)


wrong = 0
for dtype, tolerance in ((np.float32, 1e-5), (np.float64, 1e-12)):
    with tempfile.TemporaryDirectory() as folder:
        safetensors.save_file({'start': start.astype(dtype), 'gradients': gradients.astype(dtype)}, f'{folder}/in')
        subprocess.run([program, f'{folder}/in', f'{folder}/out'], check=True)
        got = safetensors.load_file(f'{folder}/out')
    wrong += set(got) != {*rules, *schedules}
    for name, answer in got.items():
        if name in rules: expected = followed(rules[name], dtype)
        else: expected = np.array([float(schedules[name](t)) for t in range(steps)])
        limit = tolerance if name in rules else 1e-12
        if name in ('accumulate', 'scheduled'): limit = max(limit, 1e-8)
        error = np.abs(answer - expected).max() / np.abs(expected).max()
        wrong += not error <= limit
        print(f'{name:21} {np.dtype(dtype).name}  largest difference {error:.1e} of the largest entry')
sys.exit(wrong > 0)
