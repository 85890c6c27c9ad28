"""Layers, activations and losses, and their gradients by every float operand, against torch in float64.

usage: layers_test.py VIVA DEMO.onnx
The program peer_layers is taken from the build that VIVA belongs to. Each case runs in float32, where differences up to
1e-5 of the largest entry pass, and in float64, where 1e-12 do. Exit code 1 where one differs.
"""
import pathlib, subprocess, sys, tempfile

import numpy as np
import torch
from torch.nn import functional as F

program = pathlib.Path(sys.argv[1]).resolve().parent / 'tests' / 'peer_layers'
rng = np.random.default_rng(1)


def draw(*shape):
    return rng.standard_normal(shape)


def positive(*shape):
    return rng.uniform(.5, 1.5, shape)


def labels(n, *shape):
    return rng.integers(0, n, shape, dtype=np.int32)


def batch_norm(x, w, b, mean, variance, training):
    mean, variance = mean.detach().clone(), variance.detach().clone()
    y = F.batch_norm(x, mean, variance, w, b, training, .1, 1e-5)
    return y, mean, variance


def multi_head(x, *p):
    q, k, v, o = p[0:2], p[2:4], p[4:6], p[6:8]
    t = x.shape[1]
    y, _ = F.multi_head_attention_forward(
        *[x.transpose(0, 1)] * 3, x.shape[2], 4, torch.cat([q[0].T, k[0].T, v[0].T]), torch.cat([q[1], k[1], v[1]]), None,
        None, False, 0., o[0].T, o[1], attn_mask=torch.ones(t, t).triu(1).bool(), need_weights=False)
    return y.transpose(0, 1)


def lstm(x, h, c, wi, bi, wh, bh):
    return torch.stack(torch.lstm_cell(x, (h, c), wi.T, wh.T, bi, bh))


attend = F.scaled_dot_product_attention
heads = [draw(2, 4, 5, 8), draw(2, 4, 6, 8), draw(2, 4, 6, 3)]
mask = rng.random((5, 6)) < .7
mask[:, 0] = True
logits, classes, soft = draw(6, 7), labels(7, 6), np.exp(draw(6, 7))
soft /= soft.sum(1, keepdims=True)
some = np.where(np.arange(6) % 3 == 0, -100, classes).astype(np.int32)
norm2 = [draw(3, 4, 5, 2), draw(4), draw(4)]
statistics = norm2 + [draw(4), positive(4)]
image = draw(2, 4, 9, 8)
points = np.concatenate([draw(40) * 3, [-3.5, 3.5, 6.5]])
signs = np.sign(draw(20))

# name: (operands, function). Weights of dense layers are [in, out], those of torch [out, in].
cases = {
    'dense': ([draw(3, 4, 5), draw(5, 6), draw(6)], lambda x, w, b: F.linear(x, w.T, b)),
    'conv1': ([draw(2, 4, 9), draw(6, 4, 3), draw(6)], lambda *a: F.conv1d(*a, 2, 1)),
    'conv2': ([image, draw(6, 4, 3, 3), draw(6)], lambda *a: F.conv2d(*a, 1, 1)),
    'conv2_all': ([image, draw(6, 2, 3, 2), draw(6)], lambda *a: F.conv2d(*a, (2, 1), (2, 1), (1, 2), 2)),
    'conv2_same': ([image, draw(6, 4, 3, 2), draw(6)], lambda *a: F.conv2d(*a, padding='same', dilation=2)),
    'conv2_depthwise': ([image, draw(8, 1, 3, 3), draw(8)], lambda *a: F.conv2d(*a, groups=4)),
    'conv3': ([draw(2, 3, 4, 5, 6), draw(4, 3, 2, 3, 2), draw(4)], lambda *a: F.conv3d(*a, stride=(1, 2, 1))),
    'transposed1': ([draw(2, 4, 5), draw(4, 3, 4), draw(3)], lambda *a: F.conv_transpose1d(*a, 3, 0, 2)),
    'transposed2': ([image, draw(4, 3, 3, 4), draw(6)],
                    lambda *a: F.conv_transpose2d(*a, (2, 3), (1, 2), (1, 0), 2, (2, 1))),
    'max_pool': ([image], lambda x: F.max_pool2d(x, 3, 2, 1)),
    'mean_pool': ([image], lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)),
    'adaptive_mean': ([image], lambda x: F.adaptive_avg_pool2d(x, (3, 2))),
    'adaptive_max': ([draw(2, 4, 10, 8)], lambda x: F.adaptive_max_pool2d(x, (3, 2))),
    'global_mean': ([image], lambda x: x.mean((2, 3))),
    'global_max': ([image], lambda x: x.amax((2, 3))),
    'layer_norm': ([draw(3, 5, 4, 6), draw(4, 6), draw(4, 6)], lambda x, w, b: F.layer_norm(x, (4, 6), w, b)),
    'rms_norm': ([draw(3, 5, 6), draw(6)], lambda x, w: F.rms_norm(x, (6,), w, 1e-6)),
    'group_norm': (norm2, lambda x, w, b: F.group_norm(x, 2, w, b)),
    'instance_norm': (norm2, lambda x, w, b: F.instance_norm(x, weight=w, bias=b)),
    'batch_norm': (statistics, lambda *a: batch_norm(*a, False)[0]),
    'batch_norm_train': (statistics, lambda *a: batch_norm(*a, True)[0]),
    'running_mean': (statistics, lambda *a: batch_norm(*a, True)[1]),
    'running_variance': (statistics, lambda *a: batch_norm(*a, True)[2]),
    'embedding': ([labels(5, 3, 4), draw(5, 6)], lambda i, w: F.embedding(i.long(), w)),
    'attention': (heads, attend),
    'attention_causal': (heads, lambda q, k, v: attend(q, k, v, is_causal=True)),
    'attention_mask': ([*heads, mask], attend),
    'attention_added': ([*heads, draw(4, 5, 6)], lambda q, k, v, m: attend(q, k, v, m, scale=.3)),
    'attention_grouped': ([draw(2, 6, 5, 8), draw(2, 2, 5, 8), draw(2, 2, 5, 3)],
                          lambda q, k, v: attend(q, k, v, is_causal=True, enable_gqa=True)),
    'multi_head': ([draw(2, 5, 8), *[a for _ in range(4) for a in (draw(8, 8), draw(8))]], multi_head),
    'gru': ([draw(3, 4), draw(3, 5), draw(4, 15), draw(15), draw(5, 15), draw(15)],
            lambda x, h, wi, bi, wh, bh: torch.gru_cell(x, h, wi.T, wh.T, bi, bh)),
    'lstm': ([draw(3, 4), draw(3, 5), draw(3, 5), draw(4, 20), draw(20), draw(5, 20), draw(20)], lstm),
    **{name: ([points], f) for name, f in {
        'relu': F.relu, 'gelu': F.gelu, 'silu': F.silu, 'sigmoid': torch.sigmoid, 'softplus': F.softplus, 'tanh': torch.tanh,
        'relu6': F.relu6, 'selu': F.selu, 'mish': F.mish, 'hard_sigmoid': lambda x: F.relu6(x + 3) / 6,  # the slope of F.hardsigmoid is 1/6 in float32 only
        'hard_swish': F.hardswish,
        'hard_tanh': F.hardtanh, 'softsign': F.softsign, 'log_sigmoid': F.logsigmoid,
        'gelu_tanh': lambda x: F.gelu(x, approximate='tanh'), 'leaky_relu': lambda x: F.leaky_relu(x, .2),
        'elu': lambda x: F.elu(x, 1.5), 'celu': lambda x: F.celu(x, 1.5)}.items()},
    'glu': ([draw(3, 8)], F.glu),
    'softmax': ([logits], lambda x: F.softmax(x, -1)),
    'log_softmax': ([logits], lambda x: F.log_softmax(x, -1)),
    'cross_entropy': ([logits, classes], lambda x, y: F.cross_entropy(x, y.long(), reduction='none')),
    'cross_entropy_smooth': ([logits, classes],
                             lambda x, y: F.cross_entropy(x, y.long(), reduction='none', label_smoothing=.1)),
    'cross_entropy_ignore': ([logits, some], lambda x, y: F.cross_entropy(x, y.long(), reduction='none')),
    'cross_entropy_soft': ([logits, soft], lambda x, y: F.cross_entropy(x, y, reduction='none')),
    'nll': ([logits, classes], lambda x, y: F.nll_loss(x, y.long(), reduction='none')),
    'bce': ([logits, soft], lambda x, y: F.binary_cross_entropy_with_logits(x, y, reduction='none')),
    'bce_positive': ([logits, soft], lambda x, y: F.binary_cross_entropy_with_logits(
        x, y, reduction='none', pos_weight=torch.tensor(3.))),
    'kl': ([logits, soft], lambda x, y: F.kl_div(x, y, reduction='none').sum(-1)),
    'squared_error': ([logits, soft], lambda x, y: F.mse_loss(x, y, reduction='none')),
    'absolute_error': ([logits, soft], lambda x, y: F.l1_loss(x, y, reduction='none')),
    'huber': ([logits, soft], lambda x, y: F.huber_loss(x, y, reduction='none', delta=.7)),
    'smooth_l1': ([logits, soft], lambda x, y: F.smooth_l1_loss(x, y, reduction='none', beta=.7)),
    'hinge': ([draw(20), signs], lambda x, y: torch.clamp(1 - x * y, min=0)),
    'cosine': ([draw(4, 6), draw(4, 6)], lambda x, y: F.cosine_similarity(x, y, -1)),
}
# Not compared: running statistics have no gradient, and that of a bias of keys is zero but for rounding.
unasked = {'multi_head': {4}, 'batch_norm': {3, 4}, 'batch_norm_train': {3, 4}, 'running_mean': {3, 4}, 'running_variance': {3, 4}}


def expected(operands, function):
    """torch's result, the cotangent, and the gradient by each float operand."""
    given = [torch.tensor(a) for a in operands]
    for t in given:
        t.requires_grad_(t.is_floating_point())
    y = function(*given)
    c = rng.standard_normal(tuple(y.shape))
    if y.requires_grad:
        (y * torch.tensor(c)).sum().backward()
    return y.detach().numpy(), c, [None if t.grad is None else t.grad.numpy() for t in given]


def difference(got, want):
    if got.shape != want.shape:
        return np.inf
    return float(np.max(np.abs(got - want), initial=0) / max(np.max(np.abs(want), initial=0), 1e-30))


wrong = 0
with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    answers = {}
    for name, (operands, function) in cases.items():
        for bits in (np.float32, np.float64):
            fit = [a.astype(bits) if a.dtype.kind == 'f' else a for a in map(np.asarray, operands)]
            y, c, gradients = expected([a.astype(float) if a.dtype.kind == 'f' else a for a in fit], function)
            c = c.astype(bits)
            y, _, gradients = answers[name, bits] = (y, c, gradients)
            np.savez(folder / f'{name}.{bits.__name__}.npz', **{str(i): a for i, a in enumerate(fit)}, c=c)
    subprocess.run([program, folder], check=True)
    for (name, bits), (y, c, gradients) in answers.items():
        def read(what):
            path = folder / f'{name}.{bits.__name__}.{what}.npy'
            return np.load(path) if path.exists() else None
        errors = {'y': difference(read('y'), y)}
        for i, g in enumerate(gradients):
            if g is not None and i not in unasked.get(name, ()):
                got = read(str(i))
                errors[i] = difference(got, g) if got is not None else np.inf
        limit = 1e-5 if bits == np.float32 else 1e-12
        bad = not all(e <= limit for e in errors.values())
        wrong += bad
        if bad or bits == np.float32:
            print(f'{name:22} {bits.__name__} ' + ' '.join(f'{k}:{e:.1e}' for k, e in errors.items()) + (' WRONG' if bad else ''))
print(f'{len(answers)} comparisons, {wrong} wrong')
sys.exit(wrong > 0)
