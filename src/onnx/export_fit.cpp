// One model for every size of an open extent, from drafts at three sizes.
#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "base/error.h"
#include "graph/opdef.h"
#include "onnx/exporter.h"

namespace viva {

std::optional<Extent> fit_extent(std::span<const int64_t> sizes, std::span<const int64_t> at) {
  const int64_t run = sizes[1] - sizes[0], rise = at[1] - at[0];
  if (rise % run != 0) return {};
  const Extent e{at[0] - rise / run * sizes[0], rise / run};
  for (size_t i = 0; i < sizes.size(); ++i)
    if (e.offset + e.factor * sizes[i] != at[i]) return {};
  return e;
}

namespace {

// A number p / (offset + factor·N), or offset + factor·N where p is 0.
struct Ratio {
  int64_t p = 0;
  Extent of;
};

class Fit {
 public:
  Fit(std::span<Draft> drafts, std::span<const int64_t> sizes, OpenAxis open)
      : drafts_(drafts), sizes_(sizes), open_(open), out_(drafts[0]) {}

  Draft run() {
    check_alike();
    for (DraftNode& n : out_.nodes) {
      node_ = &n;
      for (size_t i = 0; i < n.in.size(); ++i)
        if (differs(n.in[i])) n.in[i] = computed(n, i);
    }
    std::vector<DraftNode> all = std::move(first_);
    all.insert(all.end(), out_.nodes.begin(), out_.nodes.end());
    out_.nodes = std::move(all);
    for (const auto* ids : {&out_.inputs, &out_.outputs})
      for (const int id : *ids) set_extents(id);
    return std::move(out_);
  }

 private:
  [[noreturn]] void refuse(const DraftNode& n, const std::string& why) const {
    const Node* from = n.from;
    const std::string op = from && from->op ? fmt::format("{} ", from->op->name) : "";
    throw Error(
        ErrorKind::unsupported,
        fmt::format("[export_onnx] {}({}): {}, so the batch cannot be left open: give its extent", op, n.op, why),
        from ? from->where : Where{});
  }

  // The same operators over the same tensors with the same attributes.
  void check_alike() const {
    for (const Draft& d : drafts_.subspan(1)) {
      const size_t count = std::min(d.nodes.size(), out_.nodes.size());
      for (size_t i = 0; i < count; ++i) {
        const DraftNode &a = out_.nodes[i], &b = d.nodes[i];
        if (a.op != b.op || a.in != b.in || a.out != b.out)
          refuse(a, fmt::format("the program at {} differs from that at {}", sizes_[1], sizes_[0]));
        if (a.attrs != b.attrs) refuse(a, "an attribute depends on it");
      }
      if (d.nodes.size() != out_.nodes.size() || d.tensors.size() != out_.tensors.size() || d.outputs != out_.outputs) {
        static const DraftNode none;
        refuse(out_.nodes.empty() ? none : out_.nodes[std::min(count, out_.nodes.size() - 1)],
               fmt::format("the program at {} differs from that at {}", sizes_[1], sizes_[0]));
      }
    }
  }

  const Array& constant(size_t draft, int id) const { return drafts_[draft].tensor(id).constant; }
  bool differs(int id) const {
    if (static_cast<size_t>(id) >= drafts_[0].tensors.size() || constant(0, id).empty()) return false;
    for (size_t k = 1; k < drafts_.size(); ++k)
      if (constant(k, id).empty() || !same_bits(constant(0, id), constant(k, id))) return true;
    return false;
  }

  int computed(const DraftNode& n, size_t input) {
    const int id = n.in[input];
    const Array& a = constant(0, id);
    for (size_t k = 1; k < drafts_.size(); ++k)
      if (constant(k, id).type() != a.type())
        refuse(n, fmt::format("a constant is {} at {} and {} at {}", to_string(a.type()), sizes_[0],
                              to_string(constant(k, id).type()), sizes_[k]));
    if (a.dtype() == Dtype::int64 && a.type().rank() <= 1) return computed_integers(n, input);
    if (a.type().rank() == 0 && is_float(a.dtype())) return computed_number(n, id);
    refuse(n, fmt::format("the elements of a constant {} depend on it", to_string(a.type())));
  }

  int add(std::string_view op, std::vector<int> in, Type type, DraftAttrs attrs = {}) {
    first_.push_back({op, std::move(in), {out_.add(std::move(type))}, std::move(attrs), nullptr});
    return first_.back().out[0];
  }
  int integers(const Ints& v) {
    return out_.add({Dtype::int64, {static_cast<int64_t>(v.size())}}, "",
                    Array::of<int64_t>(v, {static_cast<int64_t>(v.size())}));
  }
  // As int64[1].
  int extent(Extent e) {
    int& known = extents_.try_emplace({e.offset, e.factor}, -1).first->second;
    if (known >= 0) return known;
    const Type one{Dtype::int64, {1}};
    if (e == Extent{0, 1})
      return known = add("Shape", {open_.input}, one, {{"start", open_.axis}, {"end", open_.axis + 1}});
    if (e.factor != 1) {
      const int n = extent({0, 1}), scaled = add("Mul", {n, integers({e.factor})}, one);
      return extents_[{e.offset, e.factor}] = e.offset == 0 ? scaled : add("Add", {scaled, integers({e.offset})}, one);
    }
    const int n = extent({0, 1});
    return extents_[{e.offset, e.factor}] = add("Add", {n, integers({e.offset})}, one);
  }
  int scalar(int vector, Dtype d) { return add("Squeeze", {vector, integers({0})}, {d, {}}); }

  // A Reshape finds its one open extent itself.
  bool infers(const DraftNode& n, size_t input, const std::vector<std::optional<Extent>>& all) const {
    if (n.op != "Reshape" || input != 1) return false;
    int open = 0;
    for (const auto& e : all) {
      if (!e || e->factor != 0) ++open;
      else if (e->offset == 0) return false;
    }
    return open == 1;
  }

  int computed_integers(const DraftNode& n, size_t input) {
    const int id = n.in[input];
    const Array& a = constant(0, id);
    std::vector<std::optional<Extent>> all;
    for (size_t i = 0; i < static_cast<size_t>(a.size()); ++i) {
      Ints at;
      for (size_t k = 0; k < drafts_.size(); ++k) at.push_back(constant(k, id).as<int64_t>()[i]);
      all.push_back(fit_extent(sizes_, at));
    }
    if (infers(n, input, all)) {
      Ints v;
      for (const auto& e : all) v.push_back(e && e->factor == 0 ? e->offset : -1);
      return integers(v);
    }
    std::vector<int> parts;
    for (const auto& e : all) {
      if (!e) refuse(n, "an extent or place is not linear in it");
      parts.push_back(e->factor == 0 ? integers({e->offset}) : extent(*e));
    }
    if (a.type().rank() == 0) return scalar(parts[0], Dtype::int64);
    return parts.size() == 1 ? parts[0] : add("Concat", parts, a.type(), {{"axis", int64_t{0}}});
  }

  std::optional<Ratio> ratio(const std::vector<double>& v, Dtype d) const {
    const auto rounded = [&](double x) { return Array::full({d, {}}, x).at(0); };
    const auto fits = [&](const auto& f) {
      Ints at;
      for (size_t k = 0; k < v.size(); ++k) {
        const double whole = f(v[k]);
        if (!(std::abs(whole) < 1e15) || whole != std::nearbyint(whole)) return std::optional<Extent>();
        at.push_back(static_cast<int64_t>(whole));
      }
      return fit_extent(sizes_, at);
    };
    if (const auto e = fits([](double x) { return x; })) return Ratio{0, *e};
    const auto holds = [&](const Ratio& r) {
      for (size_t k = 0; k < v.size(); ++k)
        if (rounded(static_cast<double>(r.p) / static_cast<double>(r.of.offset + r.of.factor * sizes_[k])) != v[k])
          return false;
      return true;
    };
    if (const auto e = fits([](double x) { return std::nearbyint(1 / x); }); e && holds({1, *e})) return Ratio{1, *e};
    const double c = v[0] * static_cast<double>(sizes_[0]);
    for (int64_t q = 1; q <= 1 << 16; ++q) {
      const Ratio r{static_cast<int64_t>(std::nearbyint(c * static_cast<double>(q))), {0, q}};
      if (r.p != 0 && holds(r)) return r;
    }
    return {};
  }

  int computed_number(const DraftNode& n, int id) {
    std::vector<double> v;
    for (size_t k = 0; k < drafts_.size(); ++k) v.push_back(constant(k, id).at(0));
    const Dtype d = constant(0, id).dtype();
    const auto r = ratio(v, d);
    if (!r)
      refuse(n, fmt::format("a number, {} at {} and {} at {}, is no ratio of integers linear in it", v[0], sizes_[0],
                            v[1], sizes_[1]));
    const Type real{Dtype::float64, {1}};
    const auto cast = [&](int x, Type t) { return add("Cast", {x}, t, {{"to", onnx_number(t.dtype)}}); };
    int x = cast(extent(r->of), real);
    if (r->p != 0) {
      const int p = out_.add(real, "", Array::full(real, static_cast<double>(r->p)));
      x = add("Div", {p, x}, real);
    }
    return scalar(cast(x, {d, {1}}), d);
  }

  void set_extents(int id) {
    DraftTensor& t = out_.tensors[static_cast<size_t>(id)];
    for (size_t i = 0; i < t.type.shape.size(); ++i) {
      Ints at;
      for (const Draft& d : drafts_)
        at.push_back(static_cast<size_t>(id) < d.tensors.size() ? d.tensor(id).type.shape[i] : t.type.shape[i]);
      const auto e = fit_extent(sizes_, at);
      t.extents.push_back(e.value_or(Extent{-1, 0}));
    }
  }

  std::span<Draft> drafts_;
  std::span<const int64_t> sizes_;
  OpenAxis open_;
  Draft out_;
  std::vector<DraftNode> first_;  // what computes extents, before all else
  std::map<std::pair<int64_t, int64_t>, int> extents_;
  const DraftNode* node_ = nullptr;
};

}  // namespace

Draft fit_drafts(std::span<Draft> drafts, std::span<const int64_t> sizes, OpenAxis where) {
  return Fit(drafts, sizes, where).run();
}

}  // namespace viva
