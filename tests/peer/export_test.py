"""Exported models against onnx and onnxruntime: onnx.checker accepts each (full check), and onnxruntime gives what the
interpreter gives. Where onnxruntime has no kernel, onnx's reference evaluator stands in.

usage: export_test.py VIVA DEMO.onnx
The program peer_export is taken from the build that VIVA belongs to. Exit code 1 where one differs. Counts are printed.
"""
import collections, pathlib, subprocess, sys, tempfile, warnings

import numpy as np
import onnx
import onnxruntime
from onnx.reference import ReferenceEvaluator

warnings.filterwarnings('ignore')
onnxruntime.set_default_logger_severity(4)
# Units that sums in another order, and functions of other libraries, may differ by, of the greatest result.
TOLERANCE = {'float64': 1e-11, 'float32': 2e-5, 'float16': 5e-3}


def ort(model, feeds):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(model, options, providers=['CPUExecutionProvider'])
    except Exception as e:
        if 'NOT_IMPLEMENTED' not in str(e):
            raise
        return None
    return session.run(None, feeds)


def feed(value, array):
    if value.type.tensor_type.elem_type == onnx.TensorProto.BFLOAT16:
        return onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type(
            (array.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16), onnx.TensorProto.BFLOAT16)
    return array


def run(model, feeds):
    """Results, and by what."""
    half = any(v.type.tensor_type.elem_type == onnx.TensorProto.BFLOAT16 for v in [*model.graph.input, *model.graph.output])
    if half:
        # Python feeds no bfloat16: casts at the border.
        model = with_float_border(model)
    got = ort(model.SerializeToString(), feeds)
    if got is not None:
        return got, 'onnxruntime'
    with np.errstate(all='ignore'):
        return ReferenceEvaluator(model).run(None, feeds), 'reference'


def with_float_border(model):
    m = onnx.ModelProto()
    m.CopyFrom(model)
    before, after = [], []
    for values, into in ((m.graph.input, before), (m.graph.output, after)):
        for v in values:
            if v.type.tensor_type.elem_type != onnx.TensorProto.BFLOAT16:
                continue
            v.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
            inner = v.name + '_bf16'
            for node in m.graph.node:
                for names in (node.input, node.output):
                    for i, name in enumerate(names):
                        if name == v.name:
                            names[i] = inner
            pair = (v.name, inner, onnx.TensorProto.BFLOAT16) if into is before else (inner, v.name, onnx.TensorProto.FLOAT)
            into.append(onnx.helper.make_node('Cast', [pair[0]], [pair[1]], to=pair[2]))
    nodes = before + list(m.graph.node) + after
    del m.graph.node[:]
    m.graph.node.extend(nodes)
    return m


def differs(got, want, wide, coarse):
    if got.shape != want.shape or (got.dtype != want.dtype and not wide):
        return f'{got.dtype}{list(got.shape)} instead of {want.dtype}{list(want.shape)}'
    if want.dtype.kind != 'f':
        return '' if np.array_equal(got, want) else f'{got} instead of {want}'
    a, b = got.astype(np.float64), want.astype(np.float64)
    limit = 4e-2 if wide else TOLERANCE[str(want.dtype)]
    if coarse:
        limit = max(limit, 1e-6)  # the reference evaluator's erf is an approximation
    with np.errstate(all='ignore'):
        finite = np.isfinite(b)
        scale = np.max(np.abs(b[finite]), initial=1) if a.size > 60 else np.maximum(1, np.abs(b))
        good = (a == b) | (np.isnan(a) & np.isnan(b)) | (np.abs(a - b) <= limit * scale)
    return '' if good.all() else f'{a[~good][:4]} instead of {b[~good][:4]}'


def check(folder):
    name = (folder / 'name.txt').read_text()
    model = onnx.load(folder / 'model.onnx')
    onnx.checker.check_model(model, full_check=True)
    feeds = {v.name: np.load(folder / f'{v.name}.npy') for v in model.graph.input}
    got, by = run(model, feeds)
    coarse = by == 'reference' and any(n.op_type == 'Erf' for n in model.graph.node)
    for i, y in enumerate(got):
        wide = model.graph.output[i].type.tensor_type.elem_type == onnx.TensorProto.BFLOAT16
        problem = differs(np.asarray(y), np.load(folder / f'y{i}.npy'), wide, coarse)
        if problem:
            return name, f'{by}: output {i}: {problem}'
    return name, by


program = pathlib.Path(sys.argv[1]).resolve().parent / 'tests' / 'peer_export'
counts, failed = collections.Counter(), 0
with tempfile.TemporaryDirectory() as folder:
    print(subprocess.run([program, folder], check=True, capture_output=True, text=True).stdout, end='')
    for path in sorted(pathlib.Path(folder).iterdir(), key=lambda p: int(p.name)):
        try:
            name, result = check(path)
        except Exception as e:
            name, result = (path / 'name.txt').read_text(), f'{type(e).__name__}: {str(e).splitlines()[0][:300]}'
        if result in ('onnxruntime', 'reference'):
            counts[result] += 1
        else:
            failed += 1
            print(f'DIFFERS  {name}: {result}')
print(f'{sum(counts.values())} agree ({counts["onnxruntime"]} in onnxruntime, {counts["reference"]} in onnx\'s reference '
      f'evaluator, where onnxruntime has no kernel), {failed} differ')
sys.exit(failed > 0)
