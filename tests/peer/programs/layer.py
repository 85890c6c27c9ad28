import jax
import jax.numpy as jnp
import numpy as np

from programs.case import I, N, Case

nn = jax.nn


def norm(x, axes, eps=1e-5):
    return (x - x.mean(axes, keepdims=True)) * jax.lax.rsqrt(x.var(axes, keepdims=True) + eps)


def attention(q, k, v, mask=None):
    """Of [batch…, heads, queries, width]; heads of keys that are fewer are repeated."""
    k, v = (jnp.repeat(a, q.shape[-3] // a.shape[-3], -3) for a in (k, v))
    s = q @ jnp.swapaxes(k, -1, -2) / q.shape[-1]**.5
    return nn.softmax(s if mask is None else jnp.where(mask, s, -jnp.inf)) @ v


def causal(q, k, v):
    return attention(q, k, v, jnp.tril(jnp.ones((q.shape[-2], k.shape[-2]), bool)))


def group_norm(x, w, b):
    y = norm(x.reshape(2, 2, 2, 5), (2, 3)).reshape(x.shape)
    return y * w[:, None] + b[:, None]


def gru(x, h, wi, bi, wh, bh):
    a, b = jnp.split(x @ wi + bi, 3, -1), jnp.split(h @ wh + bh, 3, -1)
    r, z = nn.sigmoid(a[0] + b[0]), nn.sigmoid(a[1] + b[1])
    return (1 - z) * jnp.tanh(a[2] + r * b[2]) + z * h


def smooth(x, y):
    t = nn.one_hot(y, x.shape[1], dtype=x.dtype) * .9 + .1 / x.shape[1]
    return -jnp.sum(t * nn.log_softmax(x), -1)


def cross_entropy(x, y):
    return -jnp.take_along_axis(nn.log_softmax(x), y[:, None], 1)[:, 0]


def huber(x, y):
    d = jnp.abs(x - y)
    return jnp.where(d <= .7, d * d / 2, .7 * (d - .35))


def cosine(x, y):
    return jnp.sum(x * y, -1) / (jnp.sqrt(jnp.sum(x * x, -1)) * jnp.sqrt(jnp.sum(y * y, -1)))


def transformer(x, k, w, u):
    one = lambda a: a[None]
    h = x + causal(one(x), one(x @ k), one(x))[0]
    return h + nn.gelu(h @ w, approximate=False) @ u


def mlp_loss(x, w, b, v, c):
    h = nn.gelu(x @ w + b, approximate=False)
    return jnp.mean(cross_entropy(h @ v + c, jnp.array([0, 2, 1])))


def flow(x, w, v):
    s = jnp.tanh(x @ w)
    z = x * jnp.exp(s) + x @ v
    return -jnp.sum(z * z, 1) / 2 + jnp.sum(s, 1)


def bce(x, y):
    t = nn.sigmoid(y)
    return -t * nn.log_sigmoid(x) - (1 - t) * nn.log_sigmoid(-x)


def contrastive(x, y):
    s = x @ y.T / .5
    return jnp.mean(nn.logsumexp(s, 1) - jnp.diagonal(s))


def cases():
    points = np.array([-4.3, -2.1, -.7, -.2, .4, .9, 2.7, 5.5])
    activations = {
        'relu': nn.relu, 'gelu': lambda x: nn.gelu(x, approximate=False), 'gelu_tanh': nn.gelu, 'silu': nn.silu,
        'sigmoid': nn.sigmoid, 'softplus': nn.softplus, 'mish': lambda x: x * jnp.tanh(nn.softplus(x)), 'selu': nn.selu,
        'relu6': nn.relu6, 'hard_swish': nn.hard_swish, 'soft_sign': lambda x: nn.soft_sign(2 * x) + nn.soft_sign(x),
        'log_sigmoid': nn.log_sigmoid, 'elu': nn.elu, 'celu': lambda x: nn.celu(x, 1.5),
        'leaky_relu': lambda x: nn.leaky_relu(x, .2)**2}
    heads = (N(2, 4, 5, 3), N(2, 4, 6, 3), N(2, 4, 6, 2))
    mask = np.array([[1, 1, 0, 1, 0, 1]] * 5, np.int32)
    bound = lambda m, v, e: jnp.sum(nn.log_sigmoid(m + jnp.exp(v / 2) * e)) - .5 * jnp.sum(1 + v - m * m - jnp.exp(v))
    return {name: Case((points,), f) for name, f in activations.items()} | {
        'glu': Case((N(3, 8),), nn.glu),
        'layer_norm': Case((N(3, 6), N(6), N(6)), lambda x, w, b: norm(x, -1) * w + b, thread='ggml#1514'),
        'rms_norm': Case((N(3, 6), N(6)), lambda x, w: x * jax.lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + 1e-6) * w),
        'group_norm': Case((N(2, 4, 5), N(4), N(4)), group_norm),
        'attention': Case(heads, attention),
        'attention_causal': Case((N(2, 4, 5, 3), N(2, 2, 5, 3), N(2, 2, 5, 2)), causal),
        'attention_masked': Case((*heads, mask), lambda q, k, v, m: attention(q, k, v, m > 0)),
        'gru': Case((N(2, 3), N(2, 4), N(3, 12), N(12), N(4, 12), N(12)), gru),
        'cross_entropy': Case((N(4, 5), I(5, 4)), cross_entropy),
        'cross_entropy_smooth': Case((N(4, 5), I(5, 4)), smooth),
        'binary_cross_entropy': Case((N(6), N(6)), bce),
        'huber': Case((N(9), N(9)), huber),
        'cosine_similarity': Case((N(4, 5), N(4, 5)), cosine),
        'mlp_loss': Case((N(3, 4), N(4, 5), N(5), N(5, 3), N(3)), mlp_loss),
        'transformer_block': Case((N(2, 4, 3), N(3, 3), N(3, 6), N(6, 3)), transformer),
        'normalising_flow': Case((N(4, 3), N(3, 3), N(3, 3)), flow),
        'variational_bound': Case((N(5), N(5), N(5)), bound),
        'contrastive': Case((N(4, 3), N(4, 3)), contrastive),
    }
