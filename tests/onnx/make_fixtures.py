"""Writes the small model files under fixtures/. Run by hand with the PyPI packages onnx 1.23.2 and numpy.

usage: make_fixtures.py   (from any folder)
Each file is either a valid model with one feature, or one defect; file_test.cpp and import_test.cpp say which.
"""
import gzip, os, pathlib
import numpy as np
import onnx
from onnx import TensorProto as T, helper as h, numpy_helper as nh

OUT = pathlib.Path(__file__).parent / 'fixtures'
OUT.mkdir(exist_ok=True)


def tensor(name, array):
    return nh.from_array(np.asarray(array), name)


def value(name, shape, dtype=T.FLOAT):
    return h.make_tensor_value_info(name, dtype, shape)


def model(nodes, inputs, outputs, initializers=(), opset=20, functions=(), **more):
    graph = h.make_graph(list(nodes), 'g', list(inputs), list(outputs), list(initializers), **more)
    opsets = [h.make_opsetid('', opset)] + [h.make_opsetid(f.domain, 1) for f in functions]
    m = h.make_model(graph, opset_imports=opsets, functions=list(functions), producer_name='fixtures', producer_version='1')
    m.ir_version = 10
    return m


def save(name, m, check=True):
    if check:
        onnx.checker.check_model(m)
    (OUT / name).write_bytes(m.SerializeToString())


W = tensor('w', np.arange(6, dtype=np.float32).reshape(2, 3))
X, Y = value('x', ['N', 2]), value('y', ['N', 3])
matmul = h.make_node('MatMul', ['x', 'w'], ['y'], name='mm')


def small():
    return model([h.make_node('MatMul', ['x', 'w'], ['m'], name='mm'), h.make_node('Relu', ['m'], ['y'])], [X], [Y], [W])


def valid():
    m = small()
    h.set_model_props(m, {'task': 'none'})
    save('small.onnx', m)
    (OUT / 'small.onnx.gz').write_bytes(gzip.compress(m.SerializeToString(), mtime=0))

    # Each dtype, as raw bytes and in the typed fields.
    arrays = [np.array([0, 1, 2], t) for t in ('int8', 'int16', 'int32', 'int64', 'uint8', 'uint16', 'uint32', 'uint64', 'float16', 'float32', 'float64')]
    arrays += [np.array([True, False, True]), np.array([1 + 2j, 3j, -1], np.complex64), np.array([1 + 2j, 3j, -1], np.complex128)]
    raw = [tensor(f'raw_{a.dtype}', a) for a in arrays]
    typed = [h.make_tensor(f'typed_{a.dtype}', h.np_dtype_to_tensor_dtype(a.dtype), a.shape, a) for a in arrays]
    bf = [h.make_tensor('typed_bfloat16', T.BFLOAT16, [2], [1.0, -2.5])]
    strange_bool = T(name='strange_bool', data_type=T.BOOL, dims=[3], raw_data=b'\x00\x02\xff')
    empty = T(name='empty', data_type=T.FLOAT, dims=[0, 5])
    strings = h.make_tensor('strings', T.STRING, [2], [b'a', b'b'])
    int4 = h.make_tensor('int4', T.INT4, [2], [1, 2])
    float8 = h.make_tensor('float8', T.FLOAT8E4M3FN, [2], [1, 2])
    save('dtypes.onnx', model([matmul], [X], [Y], [W, *raw, *typed, *bf, strange_bool, empty, strings, int4, float8]))

    every_kind = h.make_node('Thing', ['x'], ['y'], domain='test', f=1.5, i=-3, s=b'text', floats=[1.0, 2.0], ints=[1, 2, 3], strings=['p', 'q'],
                             t=tensor('', np.float32(2)), g=h.make_graph([h.make_node('Neg', ['x'], ['z'])], 'inner', [], [value('z', [2])]))
    m = model([every_kind], [X], [Y])
    m.opset_import.append(h.make_opsetid('test', 1))
    save('attributes.onnx', m)

    function = h.make_function('test', 'Scale', ['a'], ['c'], [h.make_node('LeakyRelu', ['a'], ['b'], name='inner'), h.make_node('Neg', ['b'], ['c'])],
                               [h.make_opsetid('', 20)], ['alpha'])
    function.node[0].attribute.append(onnx.AttributeProto(name='alpha', type=onnx.AttributeProto.FLOAT, ref_attr_name='alpha'))
    save('function.onnx', model([h.make_node('Scale', ['x'], ['y'], domain='test', alpha=0.5)], [X], [value('y', ['N', 2])], functions=[function]))

    # IR version 3: every initializer is an input as well.
    m = model([matmul], [X, value('w', [2, 3])], [Y], [W], opset=8)
    m.ir_version = 3
    save('overridable.onnx', m)

    m = small()
    m.graph.input[0].type.tensor_type.shape.dim[0].dim_value = -1
    save('open_batch.onnx', m, check=False)


def external(name, check=True, **entries):
    w = T(name='w', data_type=T.FLOAT, dims=[2, 3], data_location=T.EXTERNAL)
    for k, v in entries.items():
        w.external_data.add(key=k, value=str(v))
    save(name, model([matmul], [X], [Y], [w]), check=False)


def external_data():
    (OUT / 'weights.bin').write_bytes(bytes(8) + np.arange(6, dtype='<f4').tobytes())
    external('external.onnx', location='weights.bin', offset=8, length=24)
    external('external_no_length.onnx', location='weights.bin', offset=8)
    external('external_missing.onnx', location='nowhere.bin')
    external('external_parent.onnx', location='../make_fixtures.py')
    external('external_absolute.onnx', location='/etc/passwd')
    external('external_hidden_parent.onnx', location='a/../../make_fixtures.py')
    external('external_folder.onnx', location='.')
    external('external_no_location.onnx', offset=0)
    external('external_short.onnx', location='weights.bin', offset=16, length=24)
    external('external_past_end.onnx', location='weights.bin', offset=1 << 62, length=24)
    external('external_negative.onnx', location='weights.bin', offset=-8, length=24)
    external('external_wrong_length.onnx', location='weights.bin', offset=8, length=20)
    external('external_not_a_number.onnx', location='weights.bin', offset='eight')


def broken():
    def with_weight(name, **fields):
        save(name, model([matmul], [X], [Y], [T(name='w', **fields)]), check=False)

    with_weight('bad_raw_size.onnx', data_type=T.FLOAT, dims=[2, 3], raw_data=bytes(20))
    with_weight('bad_typed_size.onnx', data_type=T.FLOAT, dims=[2, 3], float_data=[1.0])
    with_weight('bad_complex_size.onnx', data_type=T.COMPLEX64, dims=[1], float_data=[1.0])
    with_weight('bad_negative.onnx', data_type=T.FLOAT, dims=[-2, -3], raw_data=bytes(24))
    with_weight('bad_overflow.onnx', data_type=T.FLOAT, dims=[1 << 62, 1 << 62], raw_data=b'')
    with_weight('bad_rank.onnx', data_type=T.FLOAT, dims=[1] * 100, raw_data=bytes(4))
    with_weight('bad_dtype.onnx', data_type=0, dims=[2, 3], raw_data=bytes(24))

    relu = lambda a, b, name='': h.make_node('Relu', [a], [b], name=name)
    one = value('y', ['N', 2])
    save('bad_order.onnx', model([relu('m', 'y', 'second'), relu('x', 'm', 'first')], [X], [one]), check=False)
    save('bad_cycle.onnx', model([h.make_node('Add', ['x', 'c'], ['b'], name='loop'), relu('b', 'c'), relu('b', 'y')], [X], [one]), check=False)
    save('bad_missing_input.onnx', model([relu('nothing', 'y')], [X], [one]), check=False)
    save('bad_missing_output.onnx', model([relu('x', 'z')], [X], [one]), check=False)
    save('bad_twice.onnx', model([relu('x', 'y'), relu('x', 'y')], [X], [one]), check=False)
    save('bad_initializer_twice.onnx', model([matmul], [X], [Y], [W, W]), check=False)
    save('bad_output_twice.onnx', model([matmul], [X], [Y, Y], [W]), check=False)

    attribute_twice = h.make_node('LeakyRelu', ['x'], ['y'], alpha=0.5)
    attribute_twice.attribute.append(attribute_twice.attribute[0])
    save('bad_attribute_twice.onnx', model([attribute_twice], [X], [one]), check=False)

    stray = relu('x', 'y')
    stray.attribute.append(onnx.AttributeProto(name='alpha', type=onnx.AttributeProto.FLOAT, ref_attr_name='alpha'))
    save('bad_reference.onnx', model([stray], [X], [one]), check=False)

    graph = h.make_graph([h.make_node('Neg', ['x'], ['z'])], 'g', [], [value('z', [2])])
    for _ in range(20):
        graph = h.make_graph([h.make_node('If', ['c'], ['z'], then_branch=graph)], 'g', [], [value('z', [2])])
    save('bad_nesting.onnx', model([h.make_node('If', ['c'], ['y'], then_branch=graph)], [X, value('c', [], T.BOOL)], [one]), check=False)

    inner = h.make_graph([relu('later', 'z')], 'inner', [], [value('z', [2])])
    save('bad_inner.onnx', model([h.make_node('If', ['c'], ['y'], name='if', then_branch=inner, else_branch=inner), relu('x', 'later')],
                                 [X, value('c', [], T.BOOL)], [one]), check=False)

    itself = h.make_function('test', 'Again', ['a'], ['b'], [h.make_node('Again', ['a'], ['b'], domain='test')], [h.make_opsetid('test', 1)])
    save('bad_recursion.onnx', model([h.make_node('Again', ['x'], ['y'], domain='test')], [X], [one], functions=[itself]), check=False)
    save('bad_function_twice.onnx', model([relu('x', 'y')], [X], [one], functions=[itself, itself]), check=False)

    m = small()
    del m.opset_import[:]
    m.opset_import.extend([h.make_opsetid('', 17), h.make_opsetid('ai.onnx', 18)])
    save('bad_opsets.onnx', m, check=False)

    m = small()
    m.ClearField('graph')
    save('bad_no_graph.onnx', m, check=False)

    data = small().SerializeToString()
    (OUT / 'bad_utf8.onnx').write_bytes(data.replace(b'mm', b'\xff\xfe'))
    (OUT / 'bad_text.onnx').write_text('version https://git-lfs.example\noid sha256:0\n')
    (OUT / 'bad_empty.onnx').write_bytes(b'')


def importable():
    """Files of import_test.cpp."""
    softmax = [h.make_node('MatMul', ['x', 'w'], ['logits'], name='mm'), h.make_node('Softmax', ['logits'], ['p'], axis=1), h.make_node('Identity', ['p'], ['y'])]
    unused = tensor('unused', np.ones(3, np.float32))
    save('softmax.onnx', model(softmax, [X], [Y], [W, unused]))

    shapes = [h.make_node('Shape', ['x'], ['s']), h.make_node('Gather', ['s', 'zero'], ['n'], axis=0), h.make_node('Concat', ['n', 'rest'], ['target'], axis=0),
              h.make_node('Reshape', ['x', 'target'], ['y'])]
    save('shapes.onnx', model(shapes, [value('x', ['N', 2, 3])], [value('y', ['N', 6])],
                              [tensor('zero', np.array([0])), tensor('rest', np.array([6]))]))

    runtime = model([h.make_node('Reshape', ['x', 'target'], ['y'])], [value('x', [2, 3]), value('target', [2], T.INT64)], [value('y', ['a', 'b'])])
    save('runtime_shape.onnx', runtime)

    branches = [h.make_graph([h.make_node(op, ['x'], ['z'])], op, [], [value('z', ['N', 2])]) for op in ('Neg', 'Exp')]
    m = model([h.make_node('If', ['c'], ['y'], then_branch=branches[0], else_branch=branches[1])], [X, value('c', [], T.BOOL)], [value('y', ['N', 2])])
    save('branch.onnx', m)

    nodes = [h.make_node('NonZero', ['x'], ['a'], name='first'), h.make_node('Cast', ['a'], ['b'], to=T.FLOAT), h.make_node('NonZero', ['b'], ['c']),
             h.make_node('Strange', ['x'], ['d'], domain='test', name='own'), h.make_node('StringConcat', ['s', 's'], ['e'])]
    m = model(nodes, [X], [value('c', None, T.INT64), value('d', None)], [h.make_tensor('s', T.STRING, [1], [b'a'])])
    m.opset_import.append(h.make_opsetid('test', 1))
    save('unsupported.onnx', m, check=False)

    ones = [tensor(n, np.ones(2, np.float32)) for n in ('scale', 'bias', 'mean', 'var')]
    node = h.make_node('BatchNormalization', ['x', 'scale', 'bias', 'mean', 'var'], ['y', 'm', 'v'], name='bn', training_mode=1)
    save('training.onnx', model([node], [value('x', [4, 2])], [value('y', [4, 2])], ones))

    save('bad_types.onnx', model([h.make_node('Add', ['x', 'w'], ['y'], name='clash')], [X], [Y], [tensor('w', np.array([1, 2]))]), check=False)


def sizes():
    """Files of run_test.cpp."""
    save('fixed_batch.onnx', model([matmul], [value('x', [4, 2])], [value('y', [4, 3])], [W]))
    save('fixed_sum.onnx', model([h.make_node('ReduceSum', ['x', 'axes'], ['y'], keepdims=0)], [value('x', [4, 2])], [value('y', [2])], [tensor('axes', np.array([0]))]))
    relu = h.make_node('Relu', ['x'], ['y'])
    save('huge_input.onnx', model([relu], [value('x', [1 << 40, 1 << 40])], [value('y', [1 << 40, 1 << 40])]))
    grown = [h.make_node('Expand', ['x', 'shape'], ['e']), h.make_node('ReduceSum', ['e', 'axes'], ['y'], keepdims=0)]
    save('huge_value.onnx', model(grown, [X], [value('y', ['N', 2])], [tensor('shape', np.array([1 << 40, 1, 2])), tensor('axes', np.array([0]))]))


def chain(name, ops, x, y, initializers=(), opset=20, check=True):
    """Nodes one after another: (operator, inputs beside the value, attributes)."""
    names = ['x'] + [f't{i}' for i in range(len(ops) - 1)] + ['y']
    nodes = [h.make_node(op, [names[i], *more], [names[i + 1]], **attributes) for i, (op, more, attributes) in enumerate(ops)]
    save(name, model(nodes, [x], [y], initializers, opset), check)


def examined():
    """Files of tests/cli/open_test.cpp: networks that pass their rows of four numbers on as outputs, by several ways."""
    four, column = value('x', ['N', 4]), value('y', ['N', 4, 1])
    shape = tensor('shape', np.array([0, 4, 1]))
    cast = lambda t: ('Cast', [], {'to': t})
    softmax = ('Softmax', [], {'axis': -1})
    chain('end_scores.onnx', [('Identity', [], {})], four, value('y', ['N', 4]))
    chain('end_softmax.onnx', [cast(T.FLOAT16), softmax, cast(T.FLOAT), ('Dropout', [], {}), ('Reshape', ['shape'], {})], four, column, [shape])
    chain('end_bfloat16.onnx', [cast(T.BFLOAT16), cast(T.FLOAT)], four, value('y', ['N', 4]))
    chain('end_softmax_columns.onnx', [('Softmax', [], {'axis': 0})], value('x', [1, 4]), value('y', [1, 4]))
    chain('end_softmax_one.onnx', [('Reshape', ['shape'], {}), ('Softmax', [], {'axis': -1})], four, column, [shape])
    chain('end_softmax_old.onnx', [('Reshape', ['shape'], {}), ('Softmax', [], {'axis': 1})], four, column, [shape], 11)
    chain('end_sigmoid.onnx', [('Sigmoid', [], {})], four, value('y', ['N', 4]))
    unit = [tensor('low', np.float32(0)), tensor('high', np.float32(1))]
    chain('end_clip.onnx', [('Clip', ['low', 'high'], {})], four, value('y', ['N', 4]), unit)
    chain('end_tanh.onnx', [('Tanh', [], {}), ('Identity', [], {})], four, value('y', ['N', 4]))
    chain('end_clip_wide.onnx', [('Clip', ['low', 'high'], {})], four, value('y', ['N', 4]), [tensor('low', np.float32(-1)), tensor('high', np.float32(6))])

    pooled = [('GlobalAveragePool', [], {}), ('Flatten', [], {})]
    chain('open_sides.onnx', pooled, value('x', ['N', 3, 'H', 'W']), value('y', ['N', 3]))
    chain('open_rank.onnx', [('MatMul', ['w'], {})], value('x', None), value('y', None), [W], check=False)
    chain('no_batch.onnx', [('MatMul', ['w'], {})], value('x', [2]), value('y', [3]), [W])
    labelled = [h.make_node('MatMul', ['x', 'w'], ['scores']), h.make_node('ArgMax', ['scores'], ['label'], axis=1)]
    save('labelled.onnx', model(labelled, [X], [value('label', ['N', 1], T.INT64), value('scores', ['N', 3])], [W]))
    twice = [h.make_node('MatMul', ['x', 'w'], ['coarse']), h.make_node('Neg', ['coarse'], ['fine']), h.make_node('ArgMax', ['fine'], ['label'], axis=1)]
    save('two_heads.onnx', model(twice, [X], [value('coarse', ['N', 3]), value('fine', ['N', 3]), value('label', ['N', 1], T.INT64)], [W]))
    chain('one_number.onnx', [('ReduceSum', ['axes'], {})], X, value('y', ['N', 1]), [tensor('axes', np.array([1]))])
    table = tensor('table', np.arange(15, dtype=np.float32).reshape(5, 3))
    nodes = [h.make_node('Gather', ['table', 'x'], ['e']), h.make_node('ReduceMean', ['e', 'axes'], ['y'], keepdims=0)]
    save('tokens.onnx', model(nodes, [value('x', ['N', 2], T.INT64)], [Y], [table, tensor('axes', np.array([1]))]))
    nodes.insert(0, h.make_node('Add', ['x', 'one'], ['next']))
    nodes[1].input[1] = 'next'
    save('tokens_computed.onnx', model(nodes, [value('x', ['N', 2], T.INT64)], [Y], [table, tensor('axes', np.array([1])), tensor('one', np.array(1))]))
    chain('bytes.onnx', [cast(T.FLOAT), ('MatMul', ['w'], {})], value('x', ['N', 2], T.UINT8), value('y', ['N', 3]), [W])
    ones = [tensor(n, np.ones(2, np.float32)) for n in ('scale', 'bias', 'mean', 'var')]
    trained = [h.make_node('BatchNormalization', ['x', 'scale', 'bias', 'mean', 'var'], ['b', 'm', 'v'], name='bn', training_mode=1), h.make_node('MatMul', ['b', 'w'], ['y'])]
    save('training_one.onnx', model(trained, [value('x', [1, 2])], [value('y', [1, 3])], [*ones, W]))
    chain('some_nan.onnx', [('MatMul', ['w'], {}), ('Sub', ['half'], {}), ('Sqrt', [], {})], X, Y, [W, tensor('half', np.float32(.5))])


valid()
importable()
sizes()
examined()
external_data()
broken()
print(f'{len(os.listdir(OUT))} files, {sum(p.stat().st_size for p in OUT.iterdir())} bytes')
