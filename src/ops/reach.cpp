#include "ops/reach.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>

#include "graph/deferred.h"
#include "loops/lowered.h"
#include "ops/reach_nest.h"
#include "ops/scan.h"
#include "ops/while.h"

namespace viva {

ElementSets::ElementSets() { keep({}); }

size_t ElementSets::Hash::operator()(const Ints& v) const {
  size_t h = v.size();
  for (const int64_t x : v) h = h * 1000003 + static_cast<size_t>(x);
  return h;
}
size_t ElementSets::Hash::operator()(const std::vector<SetId>& v) const {
  size_t h = v.size();
  for (const SetId x : v) h = h * 1000003 + static_cast<size_t>(x);
  return h;
}

SetId ElementSets::keep(Ints elements) {
  const auto [it, fresh] = ids_.try_emplace(std::move(elements), static_cast<SetId>(sets_.size()));
  if (fresh) sets_.push_back(it->first);
  return it->second;
}

SetId ElementSets::single(int64_t element) { return keep({element}); }

SetId ElementSets::unite(std::vector<SetId> ids) {
  std::ranges::sort(ids);
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  if (!ids.empty() && ids[0] == none) ids.erase(ids.begin());
  if (ids.size() < 2) return ids.empty() ? none : ids[0];
  if (const auto it = unions_.find(ids); it != unions_.end()) return it->second;
  Ints all;
  for (const SetId id : ids) all.insert(all.end(), of(id).begin(), of(id).end());
  std::ranges::sort(all);
  all.erase(std::unique(all.begin(), all.end()), all.end());
  const SetId made = keep(std::move(all));
  return unions_[std::move(ids)] = made;
}

namespace {

constexpr int64_t most_known = int64_t{1} << 22;  // elements of a constant that is worked out

class NoFunctions final : public Evaluator {
  std::vector<Array> call(const Function& f, std::span<const Array>) override {
    throw internal_error("[sparsity] {} runs a function", f.name());
  }
};

size_t elements(const Type& t) { return static_cast<size_t>(numel(t.shape)); }

class Reach {
 public:
  explicit Reach(ElementSets& sets) : sets_(sets) {}

  std::vector<Reached> function(const Body& f, const std::vector<Reached>& params) {
    bool known = false;
    std::vector<std::vector<SetId>> key;
    for (const Reached& p : params) known = known || p.known, key.push_back(p.sets);
    if (!known)
      if (const auto it = memo_.find({f, key}); it != memo_.end()) return it->second;
    std::unordered_map<Value, Reached, ValueHash> at;
    for (size_t i = 0; i < params.size(); ++i) at[f->params()[i]] = params[i];
    for (const Node& n : f->nodes()) {
      if (!n.op) continue;
      std::vector<const Reached*> in;
      for (const Value& v : n.in) in.push_back(&at.at(v));
      std::vector<Reached> out = node(n, in);
      for (int i = 0; i < n.outputs(); ++i) at[n.out(i)] = std::move(out[static_cast<size_t>(i)]);
    }
    std::vector<Reached> out;
    for (const Value& v : f->outputs()) out.push_back(at.at(v));
    if (!known) memo_[{f, key}] = out;
    return out;
  }

 private:
  using In = std::span<const Reached* const>;

  std::vector<Reached> node(const Node& n, In in) {
    if (!n.bodies.empty()) return with_functions(n, in);
    if (const bool moving = std::ranges::any_of(in, [](const Reached* r) { return !r->sets.empty(); }); !moving)
      return constant(n, in);
    if (n.op->name == "barrier") {
      std::vector<Reached> same;
      for (const Reached* r : in) same.push_back(*r);
      return same;
    }
    if (n.op->name == "concatenate") return {joined(n, in)};
    if (n.op->name == "window_gather") return {of_windows(n, in, false)};
    if (n.op->name == "window_scatter") return {of_windows(n, in, true)};
    if (n.op->lower) {
      const Lowered l = (*n.op->lower)(n);
      if (const auto* nest = std::get_if<loops::Nest>(&l.form))
        if (auto out = reach_nest(*nest, in, n.types, sets_)) return std::move(*out);
    }
    return everything(n, in);
  }

  static std::vector<Reached> constant(const Node& n, In in) {
    std::vector<Reached> out(n.types.size());
    const bool known = std::ranges::all_of(in, [](const Reached* r) { return r->known.has_value(); });
    if (!known || !n.op->eval ||
        std::ranges::any_of(n.types, [](const Type& t) { return numel(t.shape) > most_known; }))
      return out;
    std::vector<Array> args;
    for (const Reached* r : in) args.push_back(*r->known);
    NoFunctions none;
    std::vector<Array> made = (*n.op->eval)(n, args, none);
    for (size_t i = 0; i < out.size(); ++i) out[i].known = std::move(made[i]);
    return out;
  }

  // Row by row, in the order of the operands.
  static Reached joined(const Node& n, In in) {
    const int64_t dim = n.attrs.integer("dim");
    const Shape& shape = n.types[0].shape;
    const int64_t rows = numel(Shape(shape.begin(), shape.begin() + dim));
    Reached r;
    for (int64_t row = 0; row < rows; ++row)
      for (size_t i = 0; i < in.size(); ++i) {
        const auto each = static_cast<int64_t>(elements(n.in[i].type())) / rows;
        const std::vector<SetId>& part = in[i]->sets;
        if (part.empty()) r.sets.resize(r.sets.size() + static_cast<size_t>(each), ElementSets::none);
        else r.sets.insert(r.sets.end(), part.begin() + row * each, part.begin() + (row + 1) * each);
      }
    return r;
  }

  // The elements under each window: those that a sum over it reads.
  static std::vector<Ints> windows(const WindowDims& dims, const Shape& shape) {
    ElementSets sets;
    Reached x;
    for (int64_t i = 0; i < numel(shape); ++i) x.sets.push_back(sets.single(i));
    Build b("windows");
    const Node& sum = *b.window_sum(b.parameter({Dtype::float64, shape}), dims).node();
    const std::vector<Reached> y = Reach(sets).node(sum, std::array<const Reached*, 1>{&x});
    std::vector<Ints> all;
    for (const SetId id : y[0].sets) all.push_back(sets.of(id));
    return all;
  }

  // One element of each window, whichever; or the other way, one place in each window.
  Reached of_windows(const Node& n, In in, bool scatters) {
    const Type& image = scatters ? n.types[0] : n.in[0].type();
    std::vector<std::vector<SetId>> ids(elements(n.types[0]));
    const auto set_at = [&](size_t operand, size_t i) {
      return in[operand]->sets.empty() ? ElementSets::none : in[operand]->sets[i];
    };
    const std::vector<Ints> under = windows(WindowDims::from(n.attrs), image.shape);
    for (size_t w = 0; w < under.size(); ++w)
      for (const int64_t i : under[w]) {
        const size_t from = scatters ? w : static_cast<size_t>(i), to = scatters ? static_cast<size_t>(i) : w;
        ids[to].push_back(set_at(0, from)), ids[to].push_back(set_at(1, w));
      }
    Reached r;
    for (std::vector<SetId>& each : ids) r.sets.push_back(sets_.unite(std::move(each)));
    return r;
  }

  SetId whole(In in) {
    std::vector<SetId> ids;
    for (const Reached* r : in) ids.insert(ids.end(), r->sets.begin(), r->sets.end());
    return sets_.unite(std::move(ids));
  }
  std::vector<Reached> everything(const Node& n, In in) {
    const SetId all = whole(in);
    std::vector<Reached> out;
    for (const Type& t : n.types) out.push_back({std::vector<SetId>(elements(t), all), {}});
    return out;
  }

  // Element by element, with more for all of them.
  Reached united(const Reached& a, const Reached& b, const Type& t, SetId more = ElementSets::none) {
    Reached r;
    if (a.sets.empty() && b.sets.empty() && more == ElementSets::none) return r;
    for (size_t i = 0; i < elements(t); ++i) {
      std::vector<SetId> ids{more};
      if (!a.sets.empty()) ids.push_back(a.sets[i]);
      if (!b.sets.empty()) ids.push_back(b.sets[i]);
      r.sets.push_back(sets_.unite(std::move(ids)));
    }
    return r;
  }

  static std::vector<Reached> copied(In in) {
    std::vector<Reached> r;
    for (const Reached* p : in) r.push_back(*p);
    return r;
  }

  std::vector<Reached> with_functions(const Node& n, In in) {
    if (n.op->name == "cond") return cond(n, in);
    if (n.op->name == "scan") return scan(n, in);
    if (n.op->name == "while") return loop(n, in);
    return function(resolved(n.bodies[0]), copied(in));
  }

  std::vector<Reached> cond(const Node& n, In in) {
    const std::vector<Reached> args = copied(in.subspan(1));
    if (in[0]->known) return function(n.bodies[in[0]->known->as<bool>()[0] ? 0 : 1], args);
    const std::vector<Reached> a = function(n.bodies[0], args), b = function(n.bodies[1], args);
    std::vector<Reached> out;
    for (size_t i = 0; i < a.size(); ++i) out.push_back(united(a[i], b[i], n.types[i], whole(in.first(1))));
    return out;
  }

  // Element i along the leading dimension.
  static Reached step_of(const Reached& x, const Type& t, int64_t i) {
    Reached r;
    const size_t each = elements(t), from = static_cast<size_t>(i) * each;
    if (!x.sets.empty())
      r.sets.assign(x.sets.begin() + static_cast<int64_t>(from), x.sets.begin() + static_cast<int64_t>(from + each));
    if (x.known) {
      r.known = Array::make(t);
      const auto bytes = static_cast<size_t>(r.known->bytes());
      if (bytes > 0) std::memcpy(r.known->mutable_data(), x.known->data() + static_cast<size_t>(i) * bytes, bytes);
    }
    return r;
  }

  std::vector<Reached> scan(const Node& n, In in) {
    const Scan s = Scan::of(n);
    const Body& f = n.bodies[0];
    std::vector<Reached> args = copied(in.first(s.consts + s.carries)), out(s.carries + s.ys);
    for (size_t y = s.carries; y < out.size(); ++y) out[y].sets.resize(elements(n.types[y]));
    for (int64_t k = 0; k < s.length; ++k) {
      const int64_t i = s.reverse ? s.length - 1 - k : k;
      args.resize(s.consts + s.carries);
      for (size_t x = s.consts + s.carries; x < in.size(); ++x)
        args.push_back(step_of(*in[x], f->params()[x].type(), i));
      std::vector<Reached> made = function(f, args);
      for (size_t y = s.carries; y < made.size(); ++y)
        std::ranges::copy(made[y].sets,
                          out[y].sets.begin() + i * static_cast<int64_t>(elements(f->outputs()[y].type())));
      for (size_t c = 0; c < s.carries; ++c) args[s.consts + c] = std::move(made[c]);
    }
    for (size_t c = 0; c < s.carries; ++c) out[c] = args[s.consts + c];
    return out;
  }

  // Any number of steps: until no carry reaches more.
  std::vector<Reached> loop(const Node& n, In in) {
    const While w = While::of(n);
    std::vector<Reached> args = copied(in);
    for (size_t c = 0; c < w.carries; ++c) args[w.consts + c].known.reset();
    for (bool more = true; more;) {
      more = false;
      const std::vector<Reached> asked = function(n.bodies[0], args), made = function(n.bodies[1], args);
      const SetId steering = asked[0].sets.empty() ? ElementSets::none : asked[0].sets[0];
      for (size_t c = 0; c < w.carries; ++c) {
        Reached& carry = args[w.consts + c];
        Reached now = united(carry, made[c], n.types[c], steering);
        if (now.sets == carry.sets) continue;
        carry = std::move(now), more = true;
      }
    }
    return {args.begin() + static_cast<int64_t>(w.consts), args.end()};
  }

  ElementSets& sets_;
  std::map<std::pair<Body, std::vector<std::vector<SetId>>>, std::vector<Reached>> memo_;
};

}  // namespace

std::vector<Reached> reach(const Body& f, const std::vector<Reached>& params, ElementSets& sets) {
  return Reach(sets).function(f, params);
}

}  // namespace viva
