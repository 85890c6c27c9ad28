#include "loops/stage.h"

namespace viva::loops {
namespace {
template <class T> const T* as(const std::byte* p) { return reinterpret_cast<const T*>(p); }
}  // namespace

int64_t Stage::points(const Tile& tile) const {
  int64_t n = 1;
  for (int l : spec_.order) n *= tile.extent[static_cast<size_t>(l)];
  return n;
}

int Stage::sides(const Ints& strides, const Tile& tile, Side* out) const {
  int count = 0;
  for (int l : spec_.order) {
    const int64_t extent = tile.extent[static_cast<size_t>(l)], stride = strides[static_cast<size_t>(l)];
    if (extent == 1) continue;
    if (count > 0 && out[count - 1].stride == extent * stride) {
      out[count - 1] = {out[count - 1].count * extent, stride};
    } else {
      out[count++] = {extent, stride};
    }
  }
  return count;
}

void Stage::evaluate(const Call& call) const {
  auto** values = reinterpret_cast<const std::byte**>(call.frame);
  for (size_t i = 0; i < input_values_.size(); ++i) values[input_values_[i]] = call.inputs[i];
  const int64_t n = points(*call.tile);
  for (const Step& s : steps_)
    if (!s.cached || (s.triggers & call.changed) != 0) execute(s, call, s.scalar ? 1 : n);
}

void Stage::execute(const Step& s, const Call& call, int64_t n) const {
  auto** values = reinterpret_cast<const std::byte**>(call.frame);
  std::byte* out = call.frame + s.buffer;
  const bool direct = s.direct >= 0 && call.direct && call.direct[s.direct];
  if (direct) out = call.direct[s.direct];
  values[s.out] = out;
  switch (s.act) {
    case Act::load:
      return load(s, call, out, direct);
    case Act::constant:
      std::memcpy(out, s.op->in.value.bytes.data(), static_cast<size_t>(s.element));
      return;
    case Act::splat:
      return fill(out, values[s.args[0]], s.element, capacity_);
    case Act::apply: {
      const void* in[16];
      for (size_t i = 0; i < s.args.size(); ++i) in[i] = values[s.args[i]];
      return s.fn(out, in, n);
    }
    case Act::chain:
      return run_chain(s, values, out, n);
    case Act::select:
      return s.select(out, values[s.args[0]], values[s.args[1]], values[s.args[2]], n);
    case Act::convert:
      return s.convert(out, values[s.args[0]], n);
    case Act::clip:
      return s.clip(reinterpret_cast<int64_t*>(out), values[s.args[0]], s.op->in.low, s.op->in.high, n);
    case Act::inside:
      return inside(s, call, out, n);
    case Act::iota: {
      const Runs runs = s.scalar ? Runs() : Runs(spec_.order, *call.tile);
      const int64_t length =
          runs.count > 0 ? call.tile->extent[static_cast<size_t>(runs.loop[static_cast<size_t>(runs.count - 1)])] : 1;
      const int64_t step =
          runs.count > 0 ? s.op->coefficients[static_cast<size_t>(runs.loop[static_cast<size_t>(runs.count - 1)])] : 0;
      each_run(runs, *call.tile, loops_, false, [&](int64_t position, const int64_t* at) {
        s.iota(out + position * s.element, s.op->in.at[0].offset + sum(s.factors, at), step, length);
      });
      return;
    }
    case Act::address: {
      auto* to = reinterpret_cast<int64_t*>(out);
      return guarded(
          s, call, [&](int64_t position, int64_t count) { std::fill_n(to + position, count, int64_t{-1}); },
          [&](int64_t position, int64_t gap, int64_t element, int64_t step, int64_t count) {
            for (int64_t i = 0; i < count; ++i) to[position + i * gap] = element + i * step;
          });
    }
  }
}

int64_t Stage::terms_at(const std::vector<TermArg>& terms, const std::byte* frame, int64_t position) const {
  int64_t sum = 0;
  for (const TermArg& t : terms)
    sum =
        wrapping_sum(sum, wrapping_product(t.coefficient, as<int64_t>(value(frame, t.value))[t.scalar ? 0 : position]));
  return sum;
}

// Walks the runs of the tile. fill(position, count) where nothing is valid (called first, for a whole run or its
// ends); copy(position, gap, element, step, count) for valid points: every gap-th place gets element + i · step.
template <class Fill, class Copy> void Stage::guarded(const Step& s, const Call& call, Fill&& fill, Copy&& copy) const {
  const Tile& tile = *call.tile;
  const Runs runs = s.scalar ? Runs() : Runs(spec_.order, tile);
  const bool whole = !s.single && runs.count > 0;
  const size_t inner = whole ? static_cast<size_t>(runs.loop[static_cast<size_t>(runs.count - 1)]) : 0;
  const int64_t length = whole ? tile.extent[inner] : 1;
  each_run(runs, tile, loops_, s.single, [&](int64_t position, const int64_t* at) {
    Narrow narrow(length);
    bool some = true;
    int64_t element = s.access ? s.access->base + sum(s.factors, at) + terms_at(s.terms, call.frame, position) : 0;
    for (const GuardArg& g : s.guards) {
      const int64_t v = g.guard->offset + sum(g.factors, at) + terms_at(g.terms, call.frame, position);
      if (!(some = narrow.by(v, whole ? g.guard->coefficients[inner] : 0, *g.guard))) break;
    }
    const Progression valid = some ? narrow.range() : Progression{};
    if (valid.count == 0) return fill(position, length);
    int64_t step = s.access && whole ? s.access->strides[inner] * valid.step : 0;
    if (s.access && whole) element += s.access->strides[inner] * valid.first;
    for (const GuardArg& g : s.guards) {
      const int64_t c = whole ? g.guard->coefficients[inner] : 0;
      const int64_t v = g.guard->offset + sum(g.factors, at) + terms_at(g.terms, call.frame, position);
      const int64_t divisor = g.guard->divisor, at_first = v + c * valid.first, each = c * valid.step;
      element += g.guard->stride * (divisor == 1 ? at_first : at_first / divisor);
      step += g.guard->stride * (divisor == 1 ? each : each / divisor);
    }
    if (valid.step > 1) {
      fill(position, length);
    } else {
      if (valid.first > 0) fill(position, valid.first);
      const int64_t end = valid.first + valid.count;
      if (end < length) fill(position + end, length - end);
    }
    copy(position + valid.first, valid.step, element, step, valid.count);
  });
}

void Stage::load(const Step& s, const Call& call, std::byte* out, bool direct) const {
  const auto* src = static_cast<const std::byte*>(call.operands[static_cast<size_t>(s.op->in.slot)]);
  if (!s.guards.empty()) {
    const std::byte* blank = s.op->in.value.bytes.data();
    return guarded(
        s, call, [&](int64_t position, int64_t count) { fill(out + position * s.element, blank, s.element, count); },
        [&](int64_t position, int64_t gap, int64_t element, int64_t step, int64_t count) {
          copy_run(out + position * s.element, gap, src + element * s.element, step, s.element, count);
        });
  }
  const bool varying = std::ranges::any_of(s.terms, [](const TermArg& t) { return !t.scalar; });
  if (varying) return load_indirect(s, call, out);
  const int64_t start = s.access->base + sum(s.factors, call.tile->origin.data()) + terms_at(s.terms, call.frame, 0);
  src += start * s.element;
  std::array<Side, max_loops> box;
  const int count = s.scalar ? 0 : sides(s.access->strides, *call.tile, box.data());
  const bool dense = count == 0 || (count == 1 && box[0].stride == 1);
  if (dense && !direct) {
    reinterpret_cast<const std::byte**>(call.frame)[s.out] = src;
    return;
  }
  copy_in(out, src, s.element, {box.data(), static_cast<size_t>(count)});
}

void Stage::load_indirect(const Step& s, const Call& call, std::byte* out) const {
  const auto* src = static_cast<const std::byte*>(call.operands[static_cast<size_t>(s.op->in.slot)]);
  const Runs runs(spec_.order, *call.tile);
  const size_t inner = runs.count > 0 ? static_cast<size_t>(runs.loop[static_cast<size_t>(runs.count - 1)]) : 0;
  const int64_t length = runs.count > 0 ? call.tile->extent[inner] : 1;
  const int64_t step = runs.count > 0 ? s.access->strides[inner] : 0;
  if (std::ranges::none_of(s.terms, [](const TermArg& t) { return t.along_run; })) {
    each_run(runs, *call.tile, loops_, false, [&](int64_t position, const int64_t* at) {
      const int64_t element = s.access->base + sum(s.factors, at) + terms_at(s.terms, call.frame, position);
      copy_run(out + position * s.element, 1, src + element * s.element, step, s.element, length);
    });
    return;
  }
  auto* offsets = reinterpret_cast<int64_t*>(call.frame + s.offsets);
  each_run(runs, *call.tile, loops_, false, [&](int64_t position, const int64_t* at) {
    const int64_t element = s.access->base + sum(s.factors, at);
    for (int64_t i = 0; i < length; ++i) offsets[position + i] = element + i * step;
  });
  const int64_t n = points(*call.tile);
  for (const TermArg& t : s.terms) {
    const auto* v = as<int64_t>(value(call.frame, t.value));
    for (int64_t i = 0; i < n; ++i)
      offsets[i] = wrapping_sum(offsets[i], wrapping_product(t.coefficient, v[t.scalar ? 0 : i]));
  }
  copy_indirect(out, src, offsets, s.element, n);
}

void Stage::inside(const Step& s, const Call& call, std::byte* out, int64_t n) const {
  auto* to = reinterpret_cast<uint8_t*>(out);
  if (s.guards.empty()) {
    std::fill_n(to, n, uint8_t{1});
  } else {
    guarded(
        s, call, [&](int64_t position, int64_t count) { std::fill_n(to + position, count, uint8_t{0}); },
        [&](int64_t position, int64_t gap, int64_t, int64_t, int64_t count) {
          for (int64_t i = 0; i < count; ++i) to[position + i * gap] = 1;
        });
  }
  for (size_t r = 0; r < s.ranges.size(); ++r) {
    const Range& range = s.op->in.ranges[r];
    s.ranges[r].first(to, value(call.frame, s.ranges[r].second), range.low, range.high, n);
  }
}

}  // namespace viva::loops
