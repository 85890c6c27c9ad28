// Matrix products, einsum, convolution and windows.
#include <algorithm>
#include <cmath>
#include <map>

#include "graph/dims.h"
#include "ops/window.h"
#include "trace/operand.h"

namespace viva {

using tracing::as_tensor;
using tracing::emit;
using tracing::usage_at;

namespace {

Tensor dot_general(const Tensor& x, const Tensor& y, const DotDims& dims, std::optional<Dtype> result, Where where) {
  Attrs attrs{{"dtype", result.value_or(x.dtype())}};
  dims.put(attrs);
  return emit("dot_general", {&x, &y}, std::move(attrs), where);
}

}  // namespace

Tensor matmul(const Arg& a, const Arg& b, std::optional<Dtype> result) {
  const Where where = a.where;
  const Dtype d = tracing::common_dtype({&a, &b});
  Tensor x = as_tensor(a, d), y = as_tensor(b, d);
  if (x.rank() == 0 || y.rank() == 0)
    throw usage_at(where,
                   fmt::format("[matmul] {} by {}: a scalar is no matrix", to_string(x.type()), to_string(y.type())));
  const int64_t inner = y.rank() == 1 ? 0 : y.rank() - 2;
  if (x.dim(-1) != y.dim(inner))
    throw usage_at(where, fmt::format("[matmul] {} by {}: inner extents {} and {}", to_string(x.type()),
                                      to_string(y.type()), x.dim(-1), y.dim(inner)));
  DotDims dims;
  if (y.rank() <= 2 || x.rank() == 1) {
    dims.lhs_contract = {x.rank() - 1}, dims.rhs_contract = {inner};
    return dot_general(x, y, dims, result, where);
  }
  if (x.rank() == 2) {  // x's rows go behind the batches of y
    dims.lhs_contract = {1}, dims.rhs_contract = {inner};
    const Tensor r = dot_general(x, y, dims, result, where);  // [rows, batch…, columns]
    return move_axis({r, where}, 0, -2);
  }
  const Shape batch = tracing::broadcast_shape({x.shape().begin(), x.shape().end() - 2},
                                               {y.shape().begin(), y.shape().end() - 2}, "matmul", where);
  const auto with = [&](const Tensor& t) {
    Shape shape = batch;
    shape.insert(shape.end(), t.shape().end() - 2, t.shape().end());
    return tracing::stretched(t, shape, where);
  };
  x = with(x), y = with(y);
  const auto n = static_cast<int64_t>(batch.size());
  dims = {iota_ints(n), iota_ints(n), {n + 1}, {n}};
  return dot_general(x, y, dims, result, where);
}

Tensor outer(const Arg& a, const Arg& b) {
  const Dtype d = tracing::common_dtype({&a, &b});
  const Tensor x = as_tensor(a, d), y = as_tensor(b, d);
  if (x.rank() != 1 || y.rank() != 1)
    throw usage_at(a.where,
                   fmt::format("[outer] takes vectors, not {} and {}", to_string(x.type()), to_string(y.type())));
  return dot_general(x, y, {}, {}, a.where);
}

namespace {

// One operand of an einsum: a tensor and the name of each of its dimensions.
struct Term {
  Tensor t;
  std::string names;
};

Ints places(const std::string& names, const std::string& of) {
  Ints r;
  for (char c : of) r.push_back(static_cast<int64_t>(names.find(c)));
  return r;
}

std::string common(const std::string& a, const std::string& b, bool in_both) {
  std::string r;
  for (char c : a)
    if ((b.find(c) != std::string::npos) == in_both) r += c;
  return r;
}

// The diagonal over names that stand twice.
void take_diagonals(Term& term) {
  for (size_t i = 0; i < term.names.size(); ++i)
    for (size_t j = i + 1; j < term.names.size();) {
      if (term.names[i] != term.names[j]) {
        ++j;
        continue;
      }
      const auto a = static_cast<int64_t>(i), b = static_cast<int64_t>(j);
      const Tensor on = iota(term.t.shape(), a) == iota(term.t.shape(), b);
      term.t = sum(where(on, term.t, 0), b);
      term.names.erase(j, 1);
    }
}

void sum_out(Term& term, const std::string& needed) {
  const std::string gone = common(term.names, needed, false);
  if (gone.empty()) return;
  term.t = sum(term.t, Axes(places(term.names, gone)));
  term.names = common(term.names, needed, true);
}

Term contract(const Term& x, const Term& y, const std::string& needed, Where where) {
  const std::string both = common(x.names, y.names, true);
  const std::string batch = common(both, needed, true), inner = common(both, needed, false);
  const DotDims dims{places(x.names, batch), places(y.names, batch), places(x.names, inner), places(y.names, inner)};
  return {dot_general(x.t, y.t, dims, {}, where), batch + common(x.names, both, false) + common(y.names, both, false)};
}

struct Spec {
  std::vector<std::string> in;
  std::string out;
};

Spec parse(std::string_view spec, Where where) {
  Spec s{{""}, ""};
  bool arrow = false;
  std::map<char, int> seen;
  for (size_t i = 0; i < spec.size(); ++i) {
    const char c = spec[i];
    if (c == ' ') continue;
    if (c == '-' && i + 1 < spec.size() && spec[i + 1] == '>' && !arrow) arrow = true, ++i;
    else if (c == ',' && !arrow) s.in.emplace_back();
    else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
      (arrow ? s.out : s.in.back()) += c;
      if (!arrow) ++seen[c];
    } else throw usage_at(where, fmt::format("[einsum] '{}' in \"{}\": letters, commas and one -> are known", c, spec));
  }
  if (!arrow)
    for (const auto& [c, times] : seen)
      if (times == 1) s.out += c;
  for (size_t i = 0; i < s.out.size(); ++i)
    if (!seen.contains(s.out[i]) || s.out.find(s.out[i]) != i)
      throw usage_at(where,
                     fmt::format("[einsum] result name '{}' of \"{}\" stands {}: each stands once, and in an operand",
                                 s.out[i], spec, seen.contains(s.out[i]) ? "twice" : "in no operand"));
  return s;
}

// The operands in one dtype, named, their diagonals taken.
std::vector<Term> terms_of(std::string_view text, const Spec& spec, const std::vector<Tensor>& operands, Where where) {
  if (spec.in.size() != operands.size())
    throw usage_at(where, fmt::format("[einsum] \"{}\" names {} operands, and {} are given", text, spec.in.size(),
                                      operands.size()));
  Dtype d = operands.front().dtype();
  for (const Tensor& t : operands) d = promote(d, t.dtype());
  std::map<char, int64_t> extents;
  std::vector<Term> terms;
  for (size_t i = 0; i < operands.size(); ++i) {
    const Tensor& t = operands[i];
    const std::string& names = spec.in[i];
    if (static_cast<size_t>(t.rank()) != names.size())
      throw usage_at(where, fmt::format("[einsum] \"{}\" names {} dimensions of {}: give a letter for each", names,
                                        names.size(), to_string(t.type())));
    for (size_t k = 0; k < names.size(); ++k) {
      const auto [it, fresh] = extents.emplace(names[k], t.shape()[k]);
      if (!fresh && it->second != t.shape()[k])
        throw usage_at(where, fmt::format("[einsum] \"{}\": '{}' is {} and {}: a letter has one extent", text, names[k],
                                          it->second, t.shape()[k]));
    }
    terms.push_back({tracing::converted(t, d, where), names});
    take_diagonals(terms.back());
  }
  return terms;
}

}  // namespace

Tensor einsum(std::string_view text, const std::vector<Tensor>& operands, Loc l) {
  const tracing::Line line(l);
  const Spec spec = parse(text, l);
  std::vector<Term> terms = terms_of(text, spec, operands, l);
  const auto needed_after = [&](size_t i) {
    std::string needed = spec.out;
    for (size_t k = i; k < terms.size(); ++k) needed += terms[k].names;
    return needed;
  };
  Term all = terms.front();
  sum_out(all, needed_after(1));
  for (size_t i = 1; i < terms.size(); ++i) {
    sum_out(terms[i], needed_after(i + 1) + all.names);
    all = contract(all, terms[i], needed_after(i + 1), l);
    sum_out(all, needed_after(i + 1));
  }
  return tracing::permuted(all.t, places(all.names, spec.out), l);
}

namespace {

// One entry for each of n space dimensions.
Ints each(const Ints& given, size_t n, int64_t otherwise, std::string_view what, Where where) {
  if (given.empty()) return Ints(n, otherwise);
  if (given.size() != n)
    throw usage_at(where, fmt::format("[{}] {} has {} entries for {} space dimensions: give one for each", what,
                                      to_string(given), given.size(), n));
  return given;
}

}  // namespace

Tensor conv(const Arg& a, const Arg& w, const ConvWindowOptions& o) {
  const Dtype d = tracing::common_dtype({&a, &w});
  const Tensor x = as_tensor(a, d), weight = as_tensor(w, d);
  if (x.rank() < 3 || weight.rank() != x.rank())
    throw usage_at(a.where, fmt::format("[conv] {} by {}: takes [batch, channels, space…] and [out, in, space…]",
                                        to_string(x.type()), to_string(weight.type())));
  const auto n = static_cast<size_t>(x.rank()) - 2;
  ConvDims dims = ConvDims::plain(x.rank() - 2);
  dims.strides = each(o.strides, n, 1, "conv", a.where);
  dims.pad_low = each(o.low, n, 0, "conv", a.where);
  dims.pad_high = each(o.high, n, 0, "conv", a.where);
  dims.rhs_dilation = each(o.dilation, n, 1, "conv", a.where);
  dims.feature_groups = o.groups;
  Attrs attrs{{"dtype", d}};
  dims.put(attrs);
  return emit("conv_general", {&x, &weight}, std::move(attrs), a.where);
}

namespace {

WindowDims windows(const WindowOptions& o, const Tensor& x, Where where) {
  if (x.rank() < 3)
    throw usage_at(where, fmt::format("[pool] takes [batch, channels, space…], not {}", to_string(x.type())));
  const auto n = static_cast<size_t>(x.rank()) - 2;
  const auto with = [](Ints v, int64_t first) {
    v.insert(v.begin(), {first, first});
    return v;
  };
  if (o.size.empty()) throw usage_at(where, "[pool] the window has no size: give one extent for each space dimension");
  const Ints size = each(o.size, n, 1, "pool", where);
  WindowDims dims = WindowDims::plain(with(size, 1));
  dims.strides = with(o.strides.empty() ? size : each(o.strides, n, 1, "pool", where), 1);
  dims.pad_low = with(each(o.low, n, 0, "pool", where), 0);
  dims.pad_high = with(each(o.high, n, 0, "pool", where), 0);
  return dims;
}

Tensor window_sum(const Tensor& x, const WindowDims& dims, Where where) {
  Attrs attrs;
  dims.put(attrs);
  return emit("window_sum", {&x}, std::move(attrs), where);
}

// One example, without a batch.
bool is_single(const Tensor& x, const WindowOptions& o) {
  return x.rank() >= 2 && x.rank() == static_cast<int64_t>(o.size.size()) + 1;
}

}  // namespace

// The offset of the maximum in its window says which element it is.
Tensor max_pool(const Arg& a, const WindowOptions& o) {
  const tracing::Line line(a.where);
  const Tensor x = as_tensor(a);
  if (is_single(x, o)) return squeeze(max_pool(expand_dims(x, 0), o), 0);
  const WindowDims dims = windows(o, x, a.where);
  Attrs attrs, chosen;
  dims.put(attrs), dims.put(chosen);
  attrs.set("dtype", numel(dims.size) <= INT32_MAX ? Dtype::int32 : Dtype::int64);
  const Tensor offset = emit("window_argmax", {&x}, std::move(attrs), a.where);
  const Tensor y = emit("window_gather", {&x, &offset}, std::move(chosen), a.where);
  if (!may_be_empty(dims, x.shape())) return y;
  const Number lowest = is_bool(x.dtype()) ? Number(false) : Number(-INFINITY);
  return where(window_sum(ones(x.shape(), Dtype::int32), dims, a.where) == 0, full_like(y, lowest), y);
}

Tensor mean_pool(const Arg& a, const WindowOptions& o) {
  const tracing::Line line(a.where);
  const Tensor given = tracing::as_float(a);
  if (is_single(given, o)) return squeeze(mean_pool(expand_dims(given, 0), o), 0);
  const Tensor x = tracing::converted(given, tracing::summed_in(given.dtype()), a.where);
  const WindowDims dims = windows(o, x, a.where);
  const bool padded = std::ranges::any_of(dims.pad_low, [](int64_t p) { return p != 0; }) ||
                      std::ranges::any_of(dims.pad_high, [](int64_t p) { return p != 0; });
  const Tensor total = window_sum(x, dims, a.where);
  const Tensor r =
      padded ? total / window_sum(ones_like(x), dims, a.where) : total * (1 / static_cast<double>(numel(dims.size)));
  return convert(r, given.dtype());
}

}  // namespace viva
