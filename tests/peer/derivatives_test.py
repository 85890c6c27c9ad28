"""The answers of `viva bench` about the demo network against JAX, which is given the same weights: outputs, gradients,
Hessian-vector products, per-example gradients and Jacobians, by the mean absolute value of each result.

usage: derivatives_test.py VIVA DEMO.onnx
JAX computes in float64, so the tolerance, 1e-5 relative, is for Viva's float32 alone. Exit code 1 where one differs.
"""
import json, subprocess, sys, tempfile

import jax
import numpy as np
import onnx
from jax import lax
from jax import numpy as jnp
from onnx import numpy_helper

jax.config.update('jax_enable_x64', True)
viva, path = sys.argv[1:3]
batch = 4
weights = {w.name: jnp.asarray(numpy_helper.to_array(w, base_dir=path.rsplit('/', 1)[0]))
           for w in onnx.load(path, load_external_data=True).graph.initializer}
weights = {name: w.astype(jnp.float64) for name, w in weights.items() if w.dtype == jnp.float32 and w.size > 1}
order = [w for node in onnx.load(path, load_external_data=False).graph.node for w in node.input if w in weights]


def network(w, x):
    """Three of (convolution in steps of two, relu), then a dense layer: what examples/train_fashion.cpp exports."""
    parameters = iter(order)
    for _ in range(3):
        kernel, bias = w[next(parameters)], w[next(parameters)]
        x = jax.nn.relu(lax.conv_general_dilated(x, kernel, (2, 2), 'SAME') + bias[:, None, None])
    return x.reshape(x.shape[0], -1) @ w[next(parameters)] + w[next(parameters)]


def loss(w, x):
    logits = network(w, x)
    labels = np.arange(x.shape[0]) % logits.shape[1]
    return -jax.nn.log_softmax(logits)[np.arange(x.shape[0]), labels].mean()


gradient = jax.grad(loss)
ones = jax.tree.map(jnp.ones_like, weights)
questions = {
    'forward': network,
    'grad': gradient,
    'jvp': lambda w, x: jax.jvp(lambda v: loss(v, x), (w,), (ones,)),
    'hvp': lambda w, x: jax.jvp(lambda v: gradient(v, x), (w,), (ones,))[1],
    'per-example-grad': lambda w, x: jax.vmap(lambda e: gradient(w, e[None]))(x),
    'input-grad': lambda w, x: jax.grad(loss, 1)(w, x),
    'input-jacobian': lambda w, x: jax.vmap(jax.jacrev(lambda e: network(w, e[None])[0]))(x),
}
images = np.random.default_rng(1).standard_normal((batch, 1, 28, 28)).astype(np.float32)
with tempfile.NamedTemporaryFile(suffix='.npy') as file:
    np.save(file.name, images)
    printed = subprocess.run([viva, 'bench', path, '--batch', str(batch), '--what', ','.join(questions), '--seconds', '0.01',
                              '--input', file.name], check=True, capture_output=True, text=True).stdout
got = {line['what']: line.get('check') for line in map(json.loads, printed.splitlines())}
wrong = 0
for what, answer in questions.items():
    results = jax.tree.leaves(jax.jit(answer)(weights, jnp.asarray(images, jnp.float64)))
    expected = float(np.mean([np.abs(np.asarray(r)).mean() for r in results]))
    error = abs(got[what] - expected) / abs(expected) if got[what] is not None else np.inf
    wrong += not error <= 1e-5
    print(f'{what:17} viva {got[what]!r:24} jax {expected:<24} relative difference {error:.1e}')
sys.exit(wrong > 0)
