#include "graph/graph.h"

#include <algorithm>
#include <bit>
#include <unordered_map>
#include <unordered_set>

#include "graph/deferred.h"

namespace viva {
namespace {

template <class T> const T& get(const Attrs& attrs, std::string_view name) {
  const Attr* a = attrs.find(name);
  if (!a) throw internal_error("attribute {} is missing", name);
  if (const T* v = std::get_if<T>(a)) return *v;
  throw internal_error("attribute {} has another kind", name);
}

size_t mix(size_t seed, size_t v) { return (seed ^ v) * 0x9e3779b97f4a7c15u + (seed >> 7); }

size_t hash(const Attr& a) {
  return std::visit(
      [](const auto& v) -> size_t {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, Ints>) {
          size_t h = v.size();
          for (int64_t i : v) h = mix(h, static_cast<size_t>(i));
          return h;
        } else if constexpr (std::is_same_v<T, Array>) {
          return std::hash<std::string_view>()(
              {reinterpret_cast<const char*>(v.data()), static_cast<size_t>(v.bytes())});
        } else if constexpr (std::is_same_v<T, double>) return std::bit_cast<uint64_t>(v);
        else if constexpr (std::is_same_v<T, std::string>) return std::hash<std::string>()(v);
        else return static_cast<size_t>(v);
      },
      a);
}

}  // namespace

Attrs::Attrs(std::initializer_list<std::pair<std::string, Attr>> items) {
  for (const auto& [name, value] : items) set(name, value);
}

void Attrs::set(std::string_view name, Attr value) {
  auto it = std::ranges::lower_bound(items_, name, {}, [](const auto& p) { return std::string_view(p.first); });
  if (it != items_.end() && it->first == name) it->second = std::move(value);
  else items_.emplace(it, std::string(name), std::move(value));
}

const Attr* Attrs::find(std::string_view name) const {
  for (const auto& [n, v] : items_)
    if (n == name) return &v;
  return nullptr;
}

bool Attrs::flag(std::string_view name) const { return get<bool>(*this, name); }
int64_t Attrs::integer(std::string_view name) const { return get<int64_t>(*this, name); }
double Attrs::number(std::string_view name) const { return get<double>(*this, name); }
const std::string& Attrs::text(std::string_view name) const { return get<std::string>(*this, name); }
Dtype Attrs::dtype(std::string_view name) const { return get<Dtype>(*this, name); }
const Ints& Attrs::ints(std::string_view name) const { return get<Ints>(*this, name); }
const Array& Attrs::array(std::string_view name) const { return get<Array>(*this, name); }

bool same(const Attr& a, const Attr& b) {
  if (a.index() != b.index()) return false;
  return std::visit(
      [&](const auto& x) {
        using T = std::decay_t<decltype(x)>;
        const T& y = std::get<T>(b);
        if constexpr (std::is_same_v<T, Array>) return same_bits(x, y);
        else if constexpr (std::is_same_v<T, double>) return std::bit_cast<uint64_t>(x) == std::bit_cast<uint64_t>(y);
        else return x == y;
      },
      a);
}

bool same(const Attrs& a, const Attrs& b) {
  return std::ranges::equal(a.items(), b.items(), [](const auto& x, const auto& y) {
    return x.first == y.first && same(x.second, y.second);
  });
}

size_t hash(const Attrs& a) {
  size_t h = 17;
  for (const auto& [n, v] : a.items()) h = mix(mix(h, std::hash<std::string>()(n)), hash(v));
  return h;
}

Values Node::outs() const {
  Values v;
  for (int i = 0; i < outputs(); ++i) v.push_back(out(i));
  return v;
}

std::vector<Type> types_of(Ins values) {
  std::vector<Type> t;
  for (const Value& v : values) t.push_back(v ? v.type() : Type{});
  return t;
}

std::vector<Type> Function::param_types() const { return types_of(params_); }
std::vector<Type> Function::output_types() const { return types_of(outputs_); }

Program::Program(Body entry) {
  std::unordered_set<const Function*> seen;
  std::unordered_set<std::string> names;
  std::unordered_map<std::string, int64_t> last;  // the number that a name was given last
  auto visit = [&](auto&& self, const Body& f) -> void {
    if (!seen.insert(f.get()).second) return;
    for (const Node& n : f->nodes())
      for (const Body& callee : n.bodies) self(self, written(callee));
    std::string unique = f->name();
    if (!names.insert(unique).second) {
      int64_t& k = last.try_emplace(f->name(), 1).first->second;
      do { unique = fmt::format("{}.{}", f->name(), ++k); } while (!names.insert(unique).second);
    }
    index_.emplace(f.get(), functions_.size());
    functions_.emplace_back(unique, f);
  };
  visit(visit, entry);
}

const std::string& Program::name_of(const Function& f) const {
  if (const auto it = index_.find(&f); it != index_.end()) return functions_[it->second].first;
  throw internal_error("[program] function {} is not part of it", f.name());
}

}  // namespace viva
