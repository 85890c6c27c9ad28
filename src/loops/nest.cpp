#include "loops/nest.h"

#include "base/error.h"

namespace viva::loops {

namespace {
Register push(Nest& nest, Instruction i) {
  nest.body.push_back(std::move(i));
  return static_cast<Register>(nest.body.size()) - 1;
}
}  // namespace

Register Nest::load(int slot, std::vector<Index> at, Scalar fill) {
  return push(*this, {.kind = Kind::load,
                      .dtype = operands.at(static_cast<size_t>(slot)).dtype,
                      .slot = slot,
                      .at = std::move(at),
                      .value = fill});
}

Register Nest::load(int slot) {
  std::vector<Index> indices;
  for (int d = 0; d < operands.at(static_cast<size_t>(slot)).rank(); ++d) indices.push_back(at(d));
  return load(slot, std::move(indices));
}

Register Nest::constant(Dtype d, Scalar value) {
  return push(*this, {.kind = Kind::constant, .dtype = d, .value = value});
}

Register Nest::iota(Dtype d, Index at) { return push(*this, {.kind = Kind::iota, .dtype = d, .at = {std::move(at)}}); }

Register Nest::apply(TileFn fn, Dtype d, std::vector<Register> args, std::string_view name, const void* op) {
  return push(*this, {.kind = Kind::apply, .dtype = d, .args = std::move(args), .fn = fn, .name = name, .op = op});
}

Register Nest::select(Register condition, Register yes, Register no) {
  return push(*this, {.kind = Kind::select, .dtype = dtype(yes), .args = {condition, yes, no}});
}

Register Nest::inside(std::vector<Condition> conditions, std::vector<Range> ranges) {
  return push(*this, {.kind = Kind::inside,
                      .dtype = Dtype::boolean,
                      .conditions = std::move(conditions),
                      .ranges = std::move(ranges)});
}

Register Nest::clip(Register reg, int64_t low, int64_t high) {
  return push(*this, {.kind = Kind::clip, .dtype = Dtype::int64, .args = {reg}, .low = low, .high = high});
}

Register Nest::convert(Register reg, Dtype d) {
  if (dtype(reg) == d) return reg;
  return push(*this, {.kind = Kind::convert, .dtype = d, .args = {reg}});
}

Register Nest::reduce(Reduction r, std::vector<Register> args, Dtype d, Register mask) {
  return push(*this, {.kind = Kind::reduce, .dtype = d, .args = std::move(args), .reduction = r, .mask = mask});
}

Register Nest::scan(Reduction r, Register reg, Dtype d, bool reverse) {
  return push(*this, {.kind = Kind::scan, .dtype = d, .args = {reg}, .reduction = r, .reverse = reverse});
}

Index Nest::at(int loop, int64_t coefficient, int64_t offset, int64_t divisor) const {
  Index i{.coefficients = Ints(extents.size(), 0), .offset = offset, .divisor = divisor};
  i.coefficients.at(static_cast<size_t>(loop)) = coefficient;
  return i;
}

Nest elementwise(const Shape& shape, std::vector<Type> operands) {
  return {.extents = shape, .parallel = static_cast<int>(shape.size()), .operands = std::move(operands)};
}

std::vector<uint64_t> varies(const Nest& nest) {
  const uint64_t parallel = (uint64_t{1} << nest.parallel) - 1;
  std::vector<uint64_t> masks;
  for (const Instruction& i : nest.body) {
    uint64_t m = 0;
    auto add = [&](const Index& index) {
      for (size_t l = 0; l < index.coefficients.size(); ++l)
        if (index.coefficients[l] != 0) m |= uint64_t{1} << l;
      for (const Term& t : index.terms) m |= masks[static_cast<size_t>(t.reg)];
    };
    for (const Index& index : i.at) add(index);
    for (const Condition& c : i.conditions) add(c.index);
    for (const Range& r : i.ranges) m |= masks[static_cast<size_t>(r.reg)];
    for (Register a : i.args) m |= masks[static_cast<size_t>(a)];
    if (i.mask != no_register) m |= masks[static_cast<size_t>(i.mask)];
    if (i.kind == Kind::reduce) m &= parallel;
    if (i.kind == Kind::scan) m |= uint64_t{1} << nest.parallel;
    masks.push_back(m);
  }
  return masks;
}

}  // namespace viva::loops
