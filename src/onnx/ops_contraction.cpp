// Matrix products and Einstein sums.
#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "onnx/op.h"

namespace viva {
namespace {

Value plus_scaled(Build& b, Value x, double factor) { return factor == 1 ? x : b.scale(x, factor); }

// α A' B' + β C.
Items gemm(OnnxOp& o) {
  Build& b = o.b;
  if (o.rank(0) != 2 || o.rank(1) != 2)
    throw o.malformed("takes matrices, not {} and {}", to_string(o.type(0)), to_string(o.type(1)));
  const int64_t lhs = o.flag("transA") ? 0 : 1, rhs = o.flag("transB") ? 1 : 0;
  if (o.type(0).shape[static_cast<size_t>(lhs)] != o.type(1).shape[static_cast<size_t>(rhs)])
    throw o.malformed("{} and {} do not fit", to_string(o.type(0)), to_string(o.type(1)));
  const Value product =
      b.dot_general(o.in(0), o.in(1), {.lhs_batch = {}, .rhs_batch = {}, .lhs_contract = {lhs}, .rhs_contract = {rhs}});
  const Value y = plus_scaled(b, product, o.number("alpha", 1));
  if (!o.has(2)) return {y};
  const Value c = b.broadcast_to(o.in(2), y.shape());
  return {b.add(y, plus_scaled(b, c, o.number("beta", 1)))};
}

Items matmul(OnnxOp& o) { return {matmul_of(o, o.in(0), o.in(1))}; }

// The operand in int32 less its zero point: a scalar, or one for each row of a and each column of b.
Value centred(OnnxOp& o, size_t operand, size_t zero_point, bool rows) {
  Build& b = o.b;
  const Value x = b.convert(o.in(operand), Dtype::int32);
  if (!o.has(zero_point)) return x;
  Value z = b.convert(o.in(zero_point), Dtype::int32);
  if (numel(z.shape()) == 1) z = b.reshape(z, {});
  else if (z.rank() == 1) z = b.broadcast(z, x.shape(), {x.rank() - (rows ? 2 : 1)});
  return b.sub(x, z.rank() == 0 ? b.broadcast(z, x.shape(), {}) : b.broadcast_to(z, x.shape()));
}
Items matmul_integer(OnnxOp& o) { return {matmul_of(o, centred(o, 0, 2, true), centred(o, 1, 3, false))}; }

// Einstein sums: each term is a list of labels, one per dimension; dimensions of an ellipsis have the labels 256, 257,
// …
using Labels = std::vector<int>;
struct Equation {
  std::vector<Labels> terms;
  Labels result;
};

Labels labels_of(const OnnxOp& o, std::string_view term, int64_t ellipsis) {
  Labels l;
  for (size_t i = 0; i < term.size(); ++i) {
    const char c = term[i];
    if (c == '.') {
      if (term.substr(i, 3) != "...") throw o.malformed("the equation has a stray point");
      for (int64_t k = 0; k < ellipsis; ++k) l.push_back(256 + static_cast<int>(k));
      i += 2;
    } else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) l.push_back(c);
    else throw o.malformed("the equation has the character {}", in_quotes({&c, 1}));
  }
  return l;
}

Equation parse(const OnnxOp& o) {
  std::string text = o.text("equation");
  std::erase(text, ' ');
  const size_t arrow = text.find("->");
  std::vector<std::string> terms(1);
  for (const char c : text.substr(0, arrow)) c == ',' ? terms.emplace_back() : terms.back() += c;
  if (terms.size() != o.inputs())
    throw o.malformed("the equation has {} terms for {} operands", terms.size(), o.inputs());
  int64_t ellipsis = 0;
  for (size_t i = 0; i < terms.size(); ++i)
    if (terms[i].find('.') != std::string::npos)
      ellipsis = std::max(ellipsis, o.rank(i) - static_cast<int64_t>(terms[i].size()) + 3);
  Equation e;
  std::map<int, int> count;
  for (size_t i = 0; i < terms.size(); ++i) {
    const bool dots = terms[i].find('.') != std::string::npos;
    const int64_t own = dots ? o.rank(i) - static_cast<int64_t>(terms[i].size()) + 3 : 0;
    if (own < 0) throw o.malformed("term {} has more labels than operand {} dimensions", in_quotes(terms[i]), i);
    Labels l = labels_of(o, terms[i], own);
    // A shorter ellipsis is aligned at the end.
    for (int& label : l) label += label >= 256 ? static_cast<int>(ellipsis - own) : 0;
    if (static_cast<int64_t>(l.size()) != o.rank(i))
      throw o.malformed("term {} does not fit {}", in_quotes(terms[i]), to_string(o.type(i)));
    for (const int label : l) ++count[label];
    e.terms.push_back(std::move(l));
  }
  if (arrow != std::string::npos) e.result = labels_of(o, text.substr(arrow + 2), ellipsis);
  else {
    for (const auto& [label, n] : count)
      if (label >= 256) e.result.push_back(label);
    for (const auto& [label, n] : count)
      if (label < 256 && n == 1) e.result.push_back(label);
  }
  for (size_t i = 0; i < e.result.size(); ++i)
    if (!count.contains(e.result[i]) || std::ranges::count(e.result, e.result[i]) > 1)
      throw o.malformed("the equation's result has a label that is new or repeated");
  return e;
}

struct Term {
  Value value;
  Labels labels;
  bool has(int label) const { return std::ranges::find(labels, label) != labels.end(); }
  int64_t at(int label) const { return std::ranges::find(labels, label) - labels.begin(); }
};

// The diagonal over a repeated label: all but its elements set to 0, then summed over the repetition.
void take_diagonals(Build& b, Term& t) {
  for (size_t i = 0; i < t.labels.size(); ++i)
    for (size_t k = t.labels.size() - 1; k > i; --k) {
      if (t.labels[k] != t.labels[i]) continue;
      const Type index{Dtype::int64, t.value.shape()};
      const Value same =
          b.compare(Direction::eq, b.iota(index, static_cast<int64_t>(i)), b.iota(index, static_cast<int64_t>(k)));
      t.value = b.reduce_sum(b.select(same, t.value, b.zero(t.value)), {static_cast<int64_t>(k)});
      t.labels.erase(t.labels.begin() + static_cast<std::ptrdiff_t>(k));
    }
}

void sum_out(Build& b, Term& t, const std::set<int>& needed) {
  Ints dims;
  for (size_t i = 0; i < t.labels.size(); ++i)
    if (!needed.contains(t.labels[i])) dims.push_back(static_cast<int64_t>(i));
  if (dims.empty()) return;
  t.value = b.reduce_sum(t.value, dims);
  std::erase_if(t.labels, [&](int label) { return !needed.contains(label); });
}

// The product of two terms, summed over what they share and nobody else needs.
Term product(Build& b, Term x, Term y, const std::set<int>& needed) {
  DotDims d;
  Term r;
  for (const int label : x.labels)
    if (y.has(label)) {
      const bool keep = needed.contains(label);
      (keep ? d.lhs_batch : d.lhs_contract).push_back(x.at(label));
      (keep ? d.rhs_batch : d.rhs_contract).push_back(y.at(label));
      if (keep) r.labels.push_back(label);
    }
  for (const int label : x.labels)
    if (!y.has(label)) r.labels.push_back(label);
  for (const int label : y.labels)
    if (!x.has(label)) r.labels.push_back(label);
  r.value = b.dot_general(x.value, y.value, d);
  return r;
}

// Every dimension of a label stretched to one extent (an ellipsis broadcasts).
void stretch(OnnxOp& o, std::vector<Term>& terms) {
  std::map<int, int64_t> extent;
  for (const Term& t : terms)
    for (size_t i = 0; i < t.labels.size(); ++i) {
      int64_t& e = extent.try_emplace(t.labels[i], 1).first->second;
      const int64_t d = t.value.dim(static_cast<int64_t>(i));
      if (e != 1 && d != 1 && e != d) throw o.malformed("extents {} and {} of one label differ", e, d);
      if (e == 1) e = d;
    }
  for (Term& t : terms) {
    Shape s;
    for (const int label : t.labels) s.push_back(extent[label]);
    t.value = o.b.broadcast(t.value, s, iota_ints(t.value.rank()));
  }
}

Items einsum(OnnxOp& o) {
  const Equation e = parse(o);
  std::vector<Term> terms;
  for (size_t i = 0; i < e.terms.size(); ++i) terms.push_back({o.in(i), e.terms[i]});
  stretch(o, terms);
  for (Term& t : terms) take_diagonals(o.b, t);
  Term r;
  for (size_t i = 0; i < terms.size(); ++i) {
    std::set<int> needed(e.result.begin(), e.result.end());
    for (size_t k = i + 1; k < terms.size(); ++k) needed.insert(terms[k].labels.begin(), terms[k].labels.end());
    std::set<int> shared = needed;
    if (i > 0) shared.insert(r.labels.begin(), r.labels.end());
    sum_out(o.b, terms[i], shared);
    r = i == 0 ? terms[i] : product(o.b, r, terms[i], needed);
    sum_out(o.b, r, needed);
  }
  Ints order;
  for (const int label : e.result) order.push_back(r.at(label));
  return {o.b.transpose(r.value, order)};
}

constexpr std::array rows = {
    OnnxRow{"Einsum", 12, latest, einsum, true},
    OnnxRow{"Gemm", 1, latest, gemm, true},
    OnnxRow{"MatMul", 1, latest, matmul, true},
    OnnxRow{"MatMulInteger", 10, latest, matmul_integer, true},
};

}  // namespace

Value matmul_of(OnnxOp& o, Value x, Value y, std::optional<Dtype> result) {
  Build& b = o.b;
  if (x.rank() == 0 || y.rank() == 0) throw o.malformed("takes no scalars");
  const bool row = x.rank() == 1, column = y.rank() == 1;
  if (row) x = b.unsqueeze(x, {0});
  if (column) y = b.unsqueeze(y, {1});
  if (x.dim(x.rank() - 1) != y.dim(y.rank() - 2))
    throw o.malformed("{} and {} do not fit", to_string(x.type()), to_string(y.type()));
  Value r;
  if (y.rank() == 2) {
    r = b.dot_general(x, y, {.lhs_batch = {}, .rhs_batch = {}, .lhs_contract = {x.rank() - 1}, .rhs_contract = {0}},
                      result);
  } else {
    const Shape batch =
        broadcast_shape(o, {x.shape().begin(), x.shape().end() - 2}, {y.shape().begin(), y.shape().end() - 2});
    const auto spread_batch = [&](Value v) {
      Shape s = batch;
      s.insert(s.end(), v.shape().end() - 2, v.shape().end());
      return b.broadcast_to(v, s);
    };
    const auto n = static_cast<int64_t>(batch.size());
    r = b.dot_general(
        spread_batch(x), spread_batch(y),
        {.lhs_batch = iota_ints(n), .rhs_batch = iota_ints(n), .lhs_contract = {n + 1}, .rhs_contract = {n}}, result);
  }
  if (column) r = b.squeeze(r, {r.rank() - 1});
  if (row) r = b.squeeze(r, {r.rank() - (column ? 1 : 2)});
  return r;
}

std::span<const OnnxRow> onnx_ops::contraction() { return rows; }

}  // namespace viva
