"""Writes cases.bin.gz: one small model for each form of each imported operator, with inputs and expected outputs.

usage: make_cases.py   (from any folder; needs the PyPI packages onnx 1.23.2, onnxruntime 1.32 and numpy)
The results are those of onnxruntime, or of onnx's reference evaluator where onnxruntime has no kernel; a case for which
neither has one is an error. cases_test.cpp says how the file is laid out.
"""
import gzip, pathlib, struct
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto as T, helper as h, numpy_helper as nh
from onnx.reference import ReferenceEvaluator

rng = np.random.default_rng(7)
cases = []
onnxruntime.set_default_logger_severity(4)


def real(*shape):
    return rng.standard_normal(shape).astype(np.float32)


def ints(low, high, *shape, dtype=np.int64):
    return rng.integers(low, high, shape).astype(dtype)


def expected(m, feeds, reference):
    if not reference:
        try:
            options = onnxruntime.SessionOptions()
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
            return onnxruntime.InferenceSession(m.SerializeToString(), options).run(None, feeds)
        except Exception as e:
            why = e
    try:
        return ReferenceEvaluator(m).run(None, feeds)
    except Exception as e:
        raise RuntimeError(f'{m.graph.name}: {"" if reference else why}\n{e}') from None


def case(op, inputs, opset, outputs=1, known=(), reference=False, rtol=1e-5, atol=1e-6, name='', graph=None, want=None, **attributes):
    """inputs: arrays, or None for one left out; known: positions that become initializers."""
    names = ['' if a is None else f'i{k}' for k, a in enumerate(inputs)]
    outs = [f'o{k}' for k in range(outputs)] if isinstance(outputs, int) else outputs
    nodes = graph or [h.make_node(op, names, outs, **attributes)]
    given = {n: np.asarray(a) for n, a in zip(names, inputs) if n}
    fixed = {f'i{k}' for k in known}
    infos = [h.make_tensor_value_info(n, h.np_dtype_to_tensor_dtype(a.dtype), a.shape) for n, a in given.items() if n not in fixed]
    out_infos = [h.make_empty_tensor_value_info(n) for n in outs if n]
    g = h.make_graph(nodes, f'{op}@{opset}{"." + name if name else ""} #{len(cases)}', infos, out_infos, [nh.from_array(given[n], n) for n in fixed])
    m = h.make_model(g, opset_imports=[h.make_opsetid('', opset)])
    m.ir_version = 3 if opset < 9 else min(10, m.ir_version)
    if opset < 9:  # initializers are inputs as well
        m.graph.input.extend(h.make_tensor_value_info(n, h.np_dtype_to_tensor_dtype(given[n].dtype), given[n].shape) for n in fixed)
    feeds = {n: a for n, a in given.items() if n not in fixed}
    results = want if want is not None else expected(m, feeds, reference)
    for prefix, values in (('?input ', feeds), ('?output ', dict(zip([n for n in outs if n], results)))):
        m.graph.initializer.extend(nh.from_array(np.asarray(a), prefix + n) for n, a in values.items())
    h.set_model_props(m, {'rtol': str(rtol), 'atol': str(atol)})
    cases.append(m.SerializeToString())


def unary():
    x = np.concatenate([real(20) * 3, [0, -0.0, 1, -1]]).astype(np.float32)
    for op in 'Abs Ceil Floor Neg Exp Reciprocal Sigmoid Tanh Relu Sqrt Log'.split():
        for opset in (6, 13, 22):
            case(op, [x], opset)
    for op, opset in dict(Cos=7, Sin=7, Tan=7, Atan=7, Cosh=9, Sinh=9, Asinh=9, Erf=9, Sign=9, Round=11, Softplus=1, Softsign=1, Mish=18, HardSwish=14).items():
        case(op, [x], opset, rtol=2e-5)
    case('Asinh', [np.array([0, 1e-3, -1, 1.001, 1e10, -1e20], np.float32)], 9)
    unit = np.array([-1, -0.999, -0.5, 0, 1e-4, 0.7, 1], np.float32)
    for op, opset in dict(Asin=7, Acos=7).items():
        case(op, [unit], opset)
    case('Atanh', [unit[1:-1]], 9)
    case('Acosh', [np.array([1, 1.0001, 2, 50, 1e10, 1e30], np.float32)], 9)
    special = np.array([np.nan, np.inf, -np.inf, 1, 0], np.float32)
    case('IsNaN', [special], 13)
    for attributes in ({}, dict(detect_negative=0), dict(detect_positive=0), dict(detect_negative=0, detect_positive=0)):
        case('IsInf', [special], 10, **attributes)
    case('Round', [np.array([0.5, 1.5, 2.5, -0.5, -1.5, 2.4999], np.float32)], 11)
    case('Not', [np.array([True, False])], 1)
    case('BitwiseNot', [ints(-5, 5, 4, dtype=np.int32)], 18)
    for d in (np.float64, np.int32, np.uint8, np.bool_, np.float16):
        case('Cast', [np.array([0, 1, 2.7, 200, 3.5], np.float32)], 13, to=h.np_dtype_to_tensor_dtype(np.dtype(d)))
    case('Cast', [np.array([-1.5, 2.5], np.float32)], 6, to=T.INT64)
    case('CastLike', [real(3), ints(0, 2, 1)], 15)
    case('BitCast', [real(3)], 26, reference=True, to=T.INT32)
    case('Identity', [real(2)], 16)


def activation():
    x = np.concatenate([real(14) * 3, [0, 5, -40, 100]]).astype(np.float32)
    for op, opset, attributes in (('LeakyRelu', 6, {}), ('LeakyRelu', 16, dict(alpha=0.3)), ('Elu', 6, {}), ('Elu', 22, dict(alpha=2.0)), ('Selu', 6, {}),
                                  ('Selu', 22, dict(alpha=2.0, gamma=3.0)), ('Celu', 12, dict(alpha=2.0)), ('HardSigmoid', 6, {}), ('HardSigmoid', 22, dict(alpha=.5, beta=.6)),
                                  ('ThresholdedRelu', 10, dict(alpha=0.5)), ('Shrink', 9, dict(lambd=1.0, bias=0.5)), ('Gelu', 20, {}),
                                  ('Gelu', 20, dict(approximate='tanh')), ('Swish', 24, dict(alpha=1.5))):
        case(op, [x], opset, reference=op in ('Swish',), **attributes)
    case('SwiGLU', [x, x[::-1].copy()], 28, reference=True, alpha=0.7)
    case('Shrink', [ints(-3, 4, 8, dtype=np.int32)], 9, reference=True, lambd=1.5)
    case('PRelu', [real(2, 3, 4), real(3, 1)], 16)
    case('PRelu', [real(2, 3), np.array([0.2], np.float32)], 9)
    case('Clip', [x], 6, min=-1.0, max=2.0)
    case('Clip', [x], 6, max=2.0)
    case('Clip', [x, np.float32(-1), np.float32(2)], 13)
    case('Clip', [x, None, np.float32(2)], 11)
    case('Clip', [x, np.float32(3), np.float32(-3)], 13)
    case('Clip', [ints(-9, 9, 8, dtype=np.int32), np.int32(-2)], 12)
    y = real(2, 3, 4) * 4
    for op in ('Softmax', 'LogSoftmax', 'Hardmax'):
        for axis in (0, 1, 2, -1):
            case(op, [y], 11, axis=axis)
            case(op, [y], 13, axis=axis)
        case(op, [y], 11)
        case(op, [y], 13)


def binary():
    shapes = [((2, 3), (2, 3)), ((2, 3), (3,)), ((2, 1, 4), (3, 1)), ((), (2, 2)), ((0, 3), (1, 3))]
    for op in 'Add Sub Mul Div'.split():
        for a, b in shapes:
            case(op, [real(*a), real(*b) + 3], 14)
    a, b = real(2, 3, 4, 5), real(3, 4)
    case('Add', [a, b], 6, broadcast=1, axis=1, want=[a + b[None, :, :, None]])
    case('Mul', [a, b[0, :, None] * np.ones(5, np.float32)], 6, broadcast=1, want=[a * (b[0, :, None] * np.ones(5, np.float32))])
    case('Div', [ints(-20, 20, 10, dtype=np.int32), np.array([-3, 2, 7, 1, -1] * 2, np.int32)], 14)
    for op in 'Equal Greater Less'.split():
        case(op, [ints(0, 3, 2, 4), ints(0, 3, 4)], 13)
        case(op, [real(3), real(3)], 13)
    for op in 'GreaterOrEqual LessOrEqual'.split():
        case(op, [ints(0, 3, 2, 4, dtype=np.int32), ints(0, 3, 4, dtype=np.int32)], 16)
    flags = [rng.random((2, 4)) < .5, rng.random(4) < .5]
    for op in 'And Or Xor'.split():
        case(op, flags, 7)
    for op in 'BitwiseAnd BitwiseOr BitwiseXor'.split():
        case(op, [ints(-9, 9, 2, 3, dtype=np.int32), ints(-9, 9, 3, dtype=np.int32)], 18)
    case('Pow', [np.abs(real(5)), real(5)], 15)
    case('Pow', [real(5), np.array(2, np.float32)], 13, known=[1])
    case('Pow', [real(5), np.array(3, np.int64)], 13)
    case('Pow', [ints(0, 5, 4, dtype=np.int32), np.array([0.5, 2, 1.5, 1], np.float32)], 13)
    signs_a, signs_b = np.array([7, -7, 7, -7, 6, -6], np.int32), np.array([3, 3, -3, -3, 3, 3], np.int32)
    case('Mod', [signs_a, signs_b], 13)
    case('Mod', [signs_a, signs_b], 13, fmod=1)
    case('Mod', [signs_a.astype(np.float32) + .5, signs_b.astype(np.float32)], 13, fmod=1)
    case('Mod', [np.array([7.5, -7.5, 7.5, -7.5, 0., 6], np.float32), np.array([3, 3, -3, -3, 2, np.inf], np.float32)], 28, reference=True)
    case('BitShift', [np.array([1, 200, 7], np.uint8), np.array([1, 2, 9], np.uint8)], 11, direction='LEFT', reference=True,
         want=[np.array([2, 32, 0], np.uint8)])
    case('BitShift', [np.array([-8, 8, -1, -8], np.int32), np.array([1, 2, 40, -1], np.int32)], 28, direction='RIGHT',
         want=[np.array([-4, 2, -1, -1], np.int32)])
    for op in 'Max Min Sum Mean'.split():
        case(op, [real(2, 3), real(3), real(2, 1)], 13)
        case(op, [real(2, 3)], 8)
    case('Max', [np.array([1, np.nan, 3], np.float32), np.array([2, 2, np.nan], np.float32)], 13)
    case('Where', [rng.random((2, 1)) < .5, real(2, 3), real(3)], 16)


def contraction():
    for ta in (0, 1):
        for tb in (0, 1):
            case('Gemm', [real(*((4, 2) if ta else (2, 4))), real(*((3, 4) if tb else (4, 3))), real(3)], 13, transA=ta, transB=tb, alpha=0.5, beta=2.0)
    case('Gemm', [real(2, 4), real(4, 3)], 11)
    case('Gemm', [real(2, 4), real(4, 3), real(2, 1)], 9)
    for a, b in (((3,), (3,)), ((3,), (3, 2)), ((2, 3), (3,)), ((2, 3), (3, 4)), ((5, 2, 3), (3, 4)), ((5, 2, 3), (5, 3, 4)), ((2, 1, 2, 3), (4, 3, 2)), ((3,), (4, 3, 2)),
                 ((4, 2, 3), (3,)), ((2, 0), (0, 3))):
        case('MatMul', [real(*a), real(*b)], 13)
    case('MatMulInteger', [ints(0, 255, 2, 3, dtype=np.uint8), ints(0, 255, 3, 2, dtype=np.uint8), np.uint8(3), np.uint8(7)], 10)
    case('MatMulInteger', [ints(0, 255, 2, 3, dtype=np.uint8), ints(-9, 9, 3, 2, dtype=np.int8), None, np.array([1, -2], np.int8)], 10)
    for equation, shapes in (('ij,jk->ik', [(2, 3), (3, 4)]), ('ij->ji', [(2, 3)]), ('ii->i', [(3, 3)]), ('ii', [(3, 3)]), ('...ij,...jk->...ik', [(2, 1, 3, 4), (5, 4, 2)]),
                             ('i,j->ij', [(2,), (3,)]), ('bhwc,hkc->bhwk', [(2, 3, 4, 5), (3, 6, 5)]), ('ij,jk', [(2, 3), (3, 4)]), ('abc,bd,cd->ad', [(2, 3, 4), (3, 5), (4, 5)]),
                             ('b i , b i -> b', [(2, 3), (2, 3)]), ('ij,kl->', [(2, 3), (4, 5)]), ('iji->j', [(2, 3, 2)])):
        case('Einsum', [real(*s) for s in shapes], 12, equation=equation)


def convolution():
    x1, x2, x3 = real(2, 4, 9), real(2, 4, 7, 8), real(1, 2, 4, 5, 4)
    case('Conv', [x1, real(6, 4, 3), real(6)], 11)
    case('Conv', [x2, real(6, 4, 3, 2)], 11, pads=[1, 0, 2, 1], strides=[2, 1], kernel_shape=[3, 2])
    case('Conv', [x2, real(6, 2, 3, 3), real(6)], 22, group=2, dilations=[2, 1], pads=[2, 1, 2, 1])
    case('Conv', [x2, real(4, 1, 3, 3)], 1, group=4)
    case('Conv', [x3, real(3, 2, 2, 2, 2)], 11, strides=[1, 2, 1])
    for mode in ('SAME_UPPER', 'SAME_LOWER', 'VALID'):
        case('Conv', [x2, real(3, 4, 2, 3)], 11, auto_pad=mode, strides=[2, 3])
        case('AveragePool', [x2], 11, auto_pad=mode, strides=[2, 3], kernel_shape=[3, 2])
        case('MaxPool', [x2], 12, auto_pad=mode, strides=[2, 3], kernel_shape=[3, 2])
    case('ConvTranspose', [x1, real(4, 3, 3), real(3)], 11)
    case('ConvTranspose', [x2, real(4, 3, 3, 2)], 11, strides=[2, 3], pads=[1, 0, 0, 1], output_padding=[1, 0])
    case('ConvTranspose', [x2, real(4, 3, 3, 3)], 22, group=2, dilations=[2, 1])
    case('ConvTranspose', [x2, real(4, 2, 3, 3)], 11, strides=[2, 2], output_shape=[14, 16])
    for mode in ('SAME_UPPER', 'SAME_LOWER', 'VALID'):
        case('ConvTranspose', [x2, real(4, 2, 3, 3)], 11, strides=[2, 2], auto_pad=mode)
    case('ConvInteger', [ints(0, 9, 1, 2, 5, 5, dtype=np.uint8), ints(0, 9, 3, 2, 3, 3, dtype=np.uint8), np.uint8(2), np.uint8(3)], 10, pads=[1, 1, 1, 1])


def pooling():
    x = real(2, 3, 7, 8)
    for ceil in (0, 1):
        case('MaxPool', [x], 12, outputs=2, kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 1], ceil_mode=ceil)
        case('MaxPool', [x], 12, kernel_shape=[2, 2], strides=[2, 3], dilations=[2, 3], ceil_mode=ceil)
        for include in (0, 1):
            case('AveragePool', [x], 19, kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 1], ceil_mode=ceil, count_include_pad=include, reference=ceil == 1 and include == 1)
    case('MaxPool', [x], 12, outputs=2, kernel_shape=[5, 5], strides=[1, 2])
    case('MaxPool', [x], 12, outputs=2, kernel_shape=[2, 2], storage_order=1)
    case('MaxPool', [real(1, 2, 10)], 8, kernel_shape=[3])
    case('MaxPool', [real(1, 2, 4, 4, 4)], 8, kernel_shape=[2, 2, 2])
    case('MaxPool', [ints(-100, 100, 1, 1, 4, 4, dtype=np.int8)], 12, kernel_shape=[2, 2])
    case('MaxPool', [np.array([[[1, np.nan, 0, 2]]], np.float32)], 12, kernel_shape=[2], want=[np.array([[[np.nan, np.nan, 2]]], np.float32)])
    case('AveragePool', [x], 19, kernel_shape=[2, 2], dilations=[2, 2])
    case('AveragePool', [real(1, 2, 9)], 7, kernel_shape=[3], strides=[2], pads=[1, 1], count_include_pad=1)
    for p in (1, 2, 3):
        case('LpPool', [x], 18, kernel_shape=[2, 3], strides=[1, 2], pads=[0, 1, 1, 0], p=p)
        case('GlobalLpPool', [x], 2, p=p)
    case('GlobalAveragePool', [x], 1)
    case('GlobalMaxPool', [x], 1)


def normalization():
    x = real(2, 4, 3, 5)
    scale, bias, mean, var = real(4), real(4), real(4), np.abs(real(4)) + .5
    for opset in (7, 9, 14, 15):
        case('BatchNormalization', [x, scale, bias, mean, var], opset, epsilon=1e-3)
    case('BatchNormalization', [x, scale, bias, mean, var], 15, outputs=3, training_mode=1, momentum=0.8, rtol=1e-4, atol=1e-5)
    case('InstanceNormalization', [x, scale, bias], 6, rtol=1e-4, atol=1e-5)
    case('GroupNormalization', [x, real(2), real(2)], 18, num_groups=2, rtol=1e-4, atol=1e-5)
    case('GroupNormalization', [x, scale, bias], 21, num_groups=2, rtol=1e-4, atol=1e-5)
    for axis in (-1, 1, 2):
        s = x.shape[axis:]
        case('LayerNormalization', [x, real(*s), real(*s)], 17, outputs=3, axis=axis, rtol=1e-4, atol=1e-5)
        case('RMSNormalization', [x, real(*s)], 23, axis=axis, reference=True, rtol=1e-4, atol=1e-5)
    case('LayerNormalization', [x, real(5)], 17, rtol=1e-4, atol=1e-5)
    for size in (1, 2, 3, 4):  # even sizes by the formula: no other engine at hand has them
        x6, around = real(1, 6, 2, 2), lambda c: slice(max(0, c - (size - 1) // 2), c + size // 2 + 1)
        formula = np.stack([x6[:, c] / (2 + 0.1 / size * (x6[:, around(c)] ** 2).sum(1)) ** 0.6 for c in range(6)], 1)
        case('LRN', [x6], 13, size=size, alpha=0.1, beta=0.6, bias=2.0, want=None if size % 2 else [formula])
    for p in (1, 2):
        case('LpNormalization', [x], 1, p=p, axis=1)
    case('MeanVarianceNormalization', [x], 13, rtol=1e-4, atol=1e-5)


def reduction():
    x = real(2, 3, 4)
    for op in 'ReduceSum ReduceMean ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceSumSquare ReduceLogSum ReduceLogSumExp'.split():
        y = np.abs(x) + .1 if op == 'ReduceLogSum' else x
        case(op, [y], 11, axes=[1])
        case(op, [y], 11, axes=[-1, 0], keepdims=0)
        case(op, [y], 11)
        opset = 13 if op == 'ReduceSum' else 18
        case(op, [y, np.array([2, 0])], opset, known=[1], keepdims=0)
        case(op, [y, np.array([], np.int64)], opset, known=[1])
    case('ReduceSum', [x, np.array([], np.int64)], 13, known=[1], noop_with_empty_axes=1)
    case('ReduceMean', [x], 18)
    case('ReduceSum', [ints(-9, 9, 2, 3, dtype=np.int32)], 13)
    case('ReduceMax', [ints(-9, 9, 2, 3, dtype=np.int32)], 13, axes=[1])
    case('ReduceMin', [ints(0, 9, 2, 3, dtype=np.uint8)], 13, axes=[1])
    case('ReduceMax', [np.array([[True, False], [False, False]]), np.array([1])], 20, known=[1], reference=True)
    case('ReduceLogSumExp', [np.array([[1000., 999], [-1000, -1001]], np.float32)], 13, axes=[1], reference=True, want=[np.array([[1000.3132617], [-999.6867383]], np.float32)])
    ties = np.array([[1, 3, 3], [2, 2, 0]], np.float32)
    for op in ('ArgMax', 'ArgMin'):
        case(op, [x], 11, axis=1)
        for last in (0, 1):
            case(op, [ties], 13, axis=1, keepdims=0, select_last_index=last)
    for exclusive in (0, 1):
        for reverse in (0, 1):
            case('CumSum', [x, np.array(1)], 14, known=[1], exclusive=exclusive, reverse=reverse)
    case('CumSum', [ints(0, 9, 5), np.array(-1)], 11, known=[1])
    tied = np.array([[3, 1, 3, 2, 1], [0, 5, 5, 5, -2]])
    for dtype in (np.float32, np.int64):
        for largest in (0, 1):
            case('TopK', [tied.astype(dtype), np.array([3])], 11, outputs=2, known=[1], largest=largest)
    case('TopK', [tied.astype(np.float64), np.array([1])], 11, outputs=2, known=[1], axis=0)
    case('TopK', [tied.astype(np.float32), np.array([0])], 11, outputs=2, known=[1], reference=True)
    case('TopK', [tied.astype(np.float32), np.array([4])], 10, outputs=2, known=[1], axis=1)
    case('TopK', [tied.astype(np.float32)], 1, outputs=2, k=2, axis=1)


def shape():
    x = real(2, 3, 4)
    for target in ([6, 4], [0, -1], [-1], [2, 3, 2, 2]):
        case('Reshape', [x, np.array(target)], 13, known=[1])
    case('Reshape', [real(0, 3), np.array([0, 5])], 14, known=[1], allowzero=1)
    for axis in (0, 1, 3, -1):
        case('Flatten', [x], 13, axis=axis)
    y = real(1, 3, 1, 2)
    case('Squeeze', [y], 11, axes=[0, -2])
    case('Squeeze', [y], 11)
    case('Squeeze', [y, np.array([2])], 13, known=[1])
    case('Unsqueeze', [x], 11, axes=[0, 4])
    case('Unsqueeze', [x, np.array([-1, 1])], 13, known=[1])
    case('Transpose', [x], 13)
    case('Transpose', [x], 13, perm=[1, 2, 0])
    case('Shape', [x], 13)
    case('Shape', [x], 15, start=1, end=-1)
    case('Shape', [x], 15, start=-9, end=9)
    case('Size', [x], 13)
    case('Expand', [real(3, 1), np.array([2, 1, 4])], 13, known=[1])
    case('Expand', [x, np.array([1])], 13, known=[1])
    case('Tile', [x, np.array([2, 1, 3])], 13, known=[1])
    z = real(1, 8, 2, 3)
    case('DepthToSpace', [z], 13, blocksize=2)
    case('DepthToSpace', [z], 13, blocksize=2, mode='CRD')
    case('SpaceToDepth', [real(1, 2, 4, 6)], 13, blocksize=2)
    case('SpaceToDepth', [real(1, 2, 4, 6)], 28, blocksize=2, mode='CRD', reference=True)


def movement():
    x = real(4, 5, 6)
    case('Concat', [real(2, 3), real(2, 1), real(2, 2)], 13, axis=-1)
    case('Split', [x], 11, outputs=2, axis=0)
    case('Split', [x], 11, outputs=2, axis=1, split=[2, 3])
    case('Split', [x, np.array([1, 0, 4])], 13, outputs=3, known=[1], axis=1)
    case('Split', [x], 18, outputs=4, axis=1, num_outputs=4)
    case('Slice', [x], 9, starts=[1, -3], ends=[3, 100], axes=[0, 2])
    big = np.iinfo(np.int64).max
    for starts, ends, axes, steps in (([1, 0], [3, 5], None, None), ([-1], [-big - 1], [1], [-1]), ([4, 1], [0, 6], [1, 2], [-2, 2]), ([0], [big], [0], [3]), ([3], [1], [0], None),
                                      ([100], [-100], [2], [-3])):
        extra = [] if axes is None else [np.array(axes)] if steps is None else [np.array(axes), np.array(steps)]
        case('Slice', [x, np.array(starts), np.array(ends), *extra], 13, known=range(1, 3 + len(extra)))
    for mode in ('constant', 'reflect', 'edge'):
        case('Pad', [real(3, 4)], 2, pads=[1, 2, 2, 1], mode=mode)
        case('Pad', [real(3, 4), np.array([1, 2, 2, 1])], 13, known=[1], mode=mode)
    case('Pad', [real(3, 4)], 2, pads=[0, 1, 1, 0], value=1.5)
    case('Pad', [real(3, 4), np.array([1, 0, 0, -2]), np.float32(7)], 13, known=[1])
    case('Pad', [real(3, 4), np.array([2, 1]), None, np.array([1])], 18, known=[1, 3], mode='reflect')
    case('Pad', [real(3, 4), np.array([2, 5, 4, 6])], 19, known=[1], mode='wrap')
    for target in ([2, 9], [5, 2], [4, 5]):
        case('CenterCropPad', [real(4, 5), np.array(target)], 18, known=[1], reference=True)
    case('CenterCropPad', [real(4, 5), np.array([8])], 18, known=[1], axes=[-1], reference=True)


def indexing():
    x = real(3, 4, 5)
    for axis in (0, 1, -1):
        case('Gather', [x, ints(-3, 3, 2, 2)], 13, axis=axis)
        case('Gather', [x, ints(-3, 3, 2, 2)], 13, axis=axis, known=[1])
    case('Gather', [x, np.array(-1)], 11, axis=1, known=[1])
    case('Gather', [x, np.array([1, 2, 3])], 1, axis=1, known=[1])
    case('GatherElements', [x, ints(-4, 4, 3, 2, 5)], 13, axis=1)
    case('GatherElements', [x, ints(-4, 4, 2, 6, 3)], 13, axis=1)
    case('GatherND', [x, ints(-3, 3, 2, 2)], 13)
    case('GatherND', [x, ints(-3, 3, 2, 3)], 11)
    case('GatherND', [real(2, 3, 4), ints(-3, 3, 2, 2, 1)], 12, batch_dims=1)
    rows = np.array([[0, 2, 1], [2, 1, 0]])
    case('ScatterElements', [real(3, 3), rows, real(2, 3)], 11, axis=0)
    case('Scatter', [real(3, 3), rows, real(2, 3)], 9, axis=0)
    case('ScatterElements', [real(2, 3), rows - 3, real(2, 3)], 13, axis=1)
    for how in ('add', 'mul', 'max', 'min'):
        case('ScatterElements', [real(2, 3), np.array([[0, 0, 1], [2, 2, 2]]), real(2, 3)], 18, axis=1, reduction=how)
        case('ScatterND', [real(4, 2), np.array([[0], [0], [-1]]), real(3, 2)], 18, reduction=how)
    case('ScatterND', [x, np.array([[0, 1], [-1, 3]]), real(2, 5)], 13)
    case('TensorScatter', [real(2, 1, 4, 3), real(2, 1, 2, 3), np.array([1, 2])], 24, reference=True)
    case('TensorScatter', [real(2, 1, 4, 3), real(2, 1, 2, 3), np.array([3, 2])], 24, reference=True, mode='circular')
    case('ReverseSequence', [real(4, 3, 2), np.array([4, 1, 2])], 10)
    case('ReverseSequence', [real(3, 4), np.array([0, 3, 2])], 10, batch_axis=0, time_axis=1)


def source():
    case('Constant', [], 13, value=nh.from_array(real(2, 2)))
    case('Constant', [], 13, value_ints=[1, 2])
    case('Constant', [], 13, value_float=1.5)
    case('ConstantOfShape', [np.array([2, 3])], 9, known=[0], value=nh.from_array(np.array([7], np.int32)))
    case('ConstantOfShape', [np.array([2, 0])], 9, known=[0])
    for a in ((3, 10, 2), (10, 3, -3), (5, 5, 1)):
        case('Range', [np.array(v) for v in a], 11, known=[0, 1, 2])
    case('Range', [np.float32(v) for v in (0.5, 2, 0.4)], 11, known=[0, 1, 2])
    case('EyeLike', [real(3, 4)], 9, k=1)
    case('EyeLike', [ints(0, 3, 3, 3)], 9, k=-1, dtype=T.FLOAT)
    for upper in (0, 1):
        case('Trilu', [real(2, 3, 4)], 14, upper=upper)
        case('Trilu', [real(3, 4), np.array(-1)], 14, upper=upper, known=[1])
    case('OneHot', [ints(-4, 5, 2, 3), np.array(4), np.array([-1, 2], np.float32)], 11, known=[1])
    case('OneHot', [ints(0, 3, 3), np.array([3]), np.array([0, 1])], 11, known=[1], axis=0)
    case('Dropout', [real(2, 3)], 7)
    case('Dropout', [real(2, 3), np.float32(0.5), np.array(False)], 13, outputs=2, known=[1, 2])
    for op in ('HannWindow', 'HammingWindow', 'BlackmanWindow'):
        case(op, [np.array(7)], 17, known=[0])
        case(op, [np.array(8)], 17, known=[0], periodic=0)


def quantization():
    x = real(2, 3, 4) * 5
    scale, zero = np.abs(real(3)) + 0.1, ints(0, 200, 3, dtype=np.uint8)
    case('QuantizeLinear', [x, np.float32(0.1)], 10)
    case('QuantizeLinear', [x, np.float32(0.1), np.int8(-7)], 13)
    case('QuantizeLinear', [np.array([0.5, 1.5, -0.5, 2.5, 1e9, -1e9], np.float32), np.float32(1), np.int8(0)], 13)
    case('QuantizeLinear', [x, scale, zero], 13, axis=1)
    case('QuantizeLinear', [x, np.abs(real(2, 3, 2)) + 0.1, ints(-50, 50, 2, 3, 2, dtype=np.int8)], 21, axis=-1, block_size=2)
    case('QuantizeLinear', [x, np.float32(0.1)], 21, output_dtype=T.INT16)
    q = ints(0, 255, 2, 3, 4, dtype=np.uint8)
    case('DequantizeLinear', [q, np.float32(0.1)], 10)
    case('DequantizeLinear', [q, scale, zero], 13, axis=1)
    case('DequantizeLinear', [q, np.abs(real(2, 2, 4)), ints(0, 200, 2, 2, 4, dtype=np.uint8)], 21, axis=1, block_size=2)
    case('DequantizeLinear', [ints(-1000, 1000, 5, dtype=np.int32), np.float32(0.5)], 13)
    for v in (x, np.abs(x), np.zeros(3, np.float32)):
        case('DynamicQuantizeLinear', [v], 11, outputs=3)
    a, b = ints(0, 255, 2, 3, dtype=np.uint8), ints(-99, 99, 3, 4, dtype=np.int8)
    case('QLinearMatMul', [a, np.float32(.02), np.uint8(100), b, np.float32(.01), np.int8(3), np.float32(.05), np.uint8(90)], 10)
    case('QLinearMatMul', [a, np.float32(.02), np.uint8(100), b, np.abs(real(4)) * .01, np.array([1, 2, -3, 0], np.int8), np.float32(.05), np.uint8(90)], 10)
    image, kernel = ints(0, 255, 1, 2, 5, 5, dtype=np.uint8), ints(-99, 99, 3, 2, 3, 3, dtype=np.int8)
    fixed = [image, np.float32(.02), np.uint8(100), kernel, np.abs(real(3)) * .01 + .001, np.zeros(3, np.int8), np.float32(.3), np.uint8(90)]
    case('QLinearConv', [*fixed, ints(-900, 900, 3, dtype=np.int32)], 10, pads=[1, 1, 1, 1], strides=[2, 1])


def resizing():
    x = real(1, 2, 4, 5)
    for mode, more in (('nearest', {}), ('linear', {}), ('cubic', {}), ('cubic', dict(cubic_coeff_a=-0.5, exclude_outside=1))):
        for coordinates in ('half_pixel', 'pytorch_half_pixel', 'asymmetric', 'align_corners'):
            for scales in ([1, 1, 2, 1.5], [1, 1, 0.6, 0.5]):
                case('Resize', [x, None, np.array(scales, np.float32)], 13, known=[2], mode=mode, coordinate_transformation_mode=coordinates, atol=1e-5, **more)
    for how in ('floor', 'ceil', 'round_prefer_floor', 'round_prefer_ceil'):
        case('Resize', [x, None, None, np.array([1, 2, 8, 3])], 13, known=[3], mode='nearest', nearest_mode=how, coordinate_transformation_mode='half_pixel')
    case('Resize', [x, np.array([0, 0, .1, .2, 1, 1, .9, 1.3], np.float32), None, np.array([1, 2, 3, 6])], 13, known=[1, 3], mode='linear',
         coordinate_transformation_mode='tf_crop_and_resize', extrapolation_value=9.0, atol=1e-5)
    for policy in ('stretch', 'not_larger', 'not_smaller'):
        case('Resize', [x, None, None, np.array([7, 7])], 18, known=[3], axes=[2, 3], mode='linear', keep_aspect_ratio_policy=policy, reference=True)
    for mode in ('linear', 'cubic'):
        case('Resize', [real(1, 1, 9, 8), None, np.array([1, 1, 0.4, 0.5], np.float32)], 18, known=[2], mode=mode, antialias=1, reference=True, atol=1e-5)
    case('Resize', [x, None, np.array([1, 1, 1.7, 0.6], np.float32)], 19, known=[2], mode='linear', coordinate_transformation_mode='half_pixel_symmetric', reference=True, atol=1e-5)
    case('Resize', [x, np.array([1, 1, 2, 0.6], np.float32)], 10, known=[1], mode='linear', atol=1e-5)
    case('Resize', [x, np.array([1, 1, 2, 3], np.float32)], 10, known=[1])
    case('Upsample', [x, np.array([1, 1, 2, 3], np.float32)], 9, known=[1])
    case('Upsample', [x], 7, mode='linear', scales=[1.0, 1.0, 2.0, 2.0], atol=1e-5)


def attention():
    q, k, v = real(2, 4, 3, 8), real(2, 2, 5, 8), real(2, 2, 5, 6)
    mask, flags = real(3, 5), rng.random((2, 1, 3, 5)) < .7
    common = dict(reference=True, rtol=1e-4, atol=1e-5)
    case('Attention', [q, k, v], 23, **common)
    case('Attention', [q, k, v, mask], 23, outputs=['o0', '', '', 'o3'], scale=0.3, softcap=2.0, qk_matmul_output_mode=2, **common)
    case('Attention', [q, k, v, flags], 24, outputs=['o0', '', '', 'o3'], qk_matmul_output_mode=3, **common)
    case('Attention', [q, k, v], 24, is_causal=1, **common)
    case('Attention', [q, k, v, None, real(2, 2, 2, 8), real(2, 2, 2, 6)], 24, outputs=3, is_causal=1, **common)
    case('Attention', [q, k, v, None, None, None, np.array([5, 3])], 24, is_causal=1, **common)
    case('Attention', [q, k, v], 25, left_window_size=1, right_window_size=1, **common)
    case('Attention', [real(2, 3, 16), real(2, 5, 8), real(2, 5, 4), mask[:, :4]], 23, q_num_heads=4, kv_num_heads=2, **common)
    cos, sin = real(10, 4), real(10, 4)
    at = ints(0, 10, 2, 3)
    for interleaved in (0, 1):
        case('RotaryEmbedding', [real(2, 4, 3, 8), cos, sin, at], 23, interleaved=interleaved, reference=True)
    case('RotaryEmbedding', [real(2, 3, 48), cos[at], sin[at]], 23, num_heads=4, rotary_embedding_dim=8, reference=True)


def loss():
    x, target, weight = real(3, 5, 2), ints(0, 5, 3, 2), np.abs(real(5))
    ignored = np.where(rng.random((3, 2)) < .3, -1, target)
    for reduction in ('none', 'sum', 'mean'):
        case('NegativeLogLikelihoodLoss', [x, target], 13, reduction=reduction)
        case('NegativeLogLikelihoodLoss', [x, ignored, weight], 13, reduction=reduction, ignore_index=-1)
        case('SoftmaxCrossEntropyLoss', [x, target, weight], 13, outputs=2, reduction=reduction)
    case('SoftmaxCrossEntropyLoss', [x, ignored], 13, ignore_index=-1)


def spatial():
    for corners in (0, 1):
        case('AffineGrid', [real(2, 2, 3), np.array([2, 1, 3, 4])], 20, known=[1], align_corners=corners, reference=True)
        case('AffineGrid', [real(1, 3, 4), np.array([1, 1, 2, 3, 4])], 20, known=[1], align_corners=corners, reference=True)
    index = np.array([[[[0, 2], [9, 15]]]])
    case('MaxUnpool', [real(1, 1, 2, 2), index], 11, kernel_shape=[2, 2], strides=[2, 2])
    case('Col2Im', [real(1, 8, 6), np.array([3, 4]), np.array([2, 2])], 18, known=[1, 2])
    case('Col2Im', [real(2, 12, 6), np.array([5, 6]), np.array([2, 3])], 18, known=[1, 2], strides=[2, 2], pads=[0, 1, 0, 0], dilations=[2, 1])
    case('CausalConvWithState', [real(2, 3, 5), real(3, 1, 4), real(3), real(2, 3, 3)], 27, outputs=2, activation='silu', reference=True)
    case('CausalConvWithState', [real(2, 3, 2), real(3, 1, 4)], 27, outputs=2, reference=True)


if __name__ == '__main__':
    for family in (unary, activation, binary, contraction, convolution, pooling, normalization, reduction, shape, movement, indexing, source, quantization, resizing, attention, loss, spatial):
        family()
    path = pathlib.Path(__file__).parent / 'cases.bin.gz'
    path.write_bytes(gzip.compress(b''.join(struct.pack('<I', len(c)) + c for c in cases), mtime=0))
    print(f'{len(cases)} cases, {path.stat().st_size} bytes')
