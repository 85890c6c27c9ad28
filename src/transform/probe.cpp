// probe and intervene: a function with the values that it names given out, or others in their place.
#include "transform/probe.h"

#include <algorithm>
#include <set>

#include "graph/prune.h"
#include "ops/taps.h"
#include "transform/rewrite.h"

namespace viva {
namespace {

using Names = std::set<std::string, std::less<>>;

class Named : public TapWalk {
 public:
  explicit Named(const std::vector<std::string>& names) : names_(names.begin(), names.end()) {}

 protected:
  bool wants(const Node& tap) override { return names_.empty() || names_.contains(tap_name(tap)); }

 private:
  Names names_;
};

// All names in a function.
class Collect final : public TapWalk {
 public:
  Names found;

 private:
  bool wants(const Node& tap) override { return found.insert(tap_name(tap)), false; }
  Value in_place(Here&, const Node&, Ins in) override { return in[0]; }
};

class Reads final : public Named {
  using Named::Named;
  Value in_place(Here& here, const Node& tap, Ins in) override {
    const Value v = here.b.copy(tap, {in.begin(), in.end()}).front();
    here.readings.push_back({v, in.size() == 2 ? in[1] : Value{}});
    return v;
  }
};

// Places, in the order of the walk.
class Lists final : public Named {
 public:
  using Named::Named;
  void add(const Function& f, TapPlace around) {
    for (const Node& n : f.nodes()) {
      if (!n.op) continue;
      if (n.op->taps && wants(n)) {
        TapPlace p = around;
        p.name = tap_name(n), p.type = n.types[0], p.where = n.where;
        p.flagged = p.flagged || n.in.size() == 2;
        all.push_back(std::move(p));
      } else if (holds_wanted(n)) {
        TapPlace inside = around;
        inside.steps += repeats(n);
        inside.in_while = inside.in_while || (repeats(n) && may_skip(n));
        inside.under_rule = inside.under_rule || has_rules(n);
        inside.flagged = inside.flagged || may_skip(n);
        for (const size_t i : running(n)) add(*n.bodies[i], inside);
      }
    }
  }
  std::vector<TapPlace> all;

 private:
  Value in_place(Here&, const Node&, Ins in) override { return in[0]; }
};

class Edits final : public Named {
 public:
  Edits(const std::vector<std::string>& names, const std::vector<Body>& edits, size_t captured)
      : Named(names), edits_(edits), captured_(captured) {}

  // Places of one function may be edited differently, so it is made once for each list of edits.
  Inner function(const Body& f, const std::vector<Type>& more) override {
    const size_t from = next_, count = places_in(f);
    const std::span<const Body> own(edits_.data() + from, count);
    const std::tuple key(f, more.size(), std::vector<Body>(own.begin(), own.end()));
    if (const auto it = made_.find(key); it != made_.end()) return next_ += count, it->second;
    return made_[key] = walk(f, more);
  }

 private:
  bool places() const override { return true; }

  size_t places_in(const Body& f) {
    if (const auto it = counts_.find(f.get()); it != counts_.end()) return it->second;
    size_t count = 0;
    for (const Node& n : f->nodes()) {
      if (!n.op) continue;
      count += n.op->taps && wants(n);
      for (const size_t i : running(n)) count += places_in(n.bodies[i]);
    }
    return counts_[f.get()] = count;
  }

  Value in_place(Here& here, const Node& tap, Ins in) override {
    const Body& edit = edits_[next_++];
    Values operands(in.begin(), in.end());
    if (edit) {
      Values args{in[0]};
      args.insert(args.end(), here.more.begin() + static_cast<int64_t>(captured_), here.more.end());
      args.insert(args.end(), here.more.begin(), here.more.begin() + static_cast<int64_t>(captured_));
      operands[0] = here.b.inline_call(*edit, args).front();
      if (operands[0].type() != in[0].type())
        throw usage_error("[intervene] the edit of '{}' gives {}, and must give {} as the value is", tap_name(tap),
                          to_string(operands[0].type()), to_string(in[0].type()));
    }
    return here.b.copy(tap, std::move(operands)).front();
  }

  Outer with_rules(Here& here, const Node& n, Ins in) override {
    for (const size_t last = next_ + places_in(n.bodies[0]); next_ < last; ++next_)
      if (edits_[next_])
        throw Error(ErrorKind::unsupported,
                    fmt::format("[intervene] {}: a value inside a function with a rule of its own is not its rule's: "
                                "tap an argument or a result",
                                n.op->name),
                    n.where);
    return {here.b.copy(n, {in.begin(), in.end()}), {}};
  }

  const std::vector<Body>& edits_;
  size_t captured_, next_ = 0;
  std::map<std::tuple<Body, size_t, std::vector<Body>>, Inner> made_;
  std::unordered_map<const Function*, size_t> counts_;
};

// Values that have one of the names themselves, as those of imported networks do, get a tap; in functions with rules
// none, because the rules know nothing of it.
class ValuesTapped {
 public:
  explicit ValuesTapped(const std::vector<std::string>& names) : names_(names.begin(), names.end()) {}
  Names found;  // all names of values that were met

  Body run(const Body& f) {
    if (const auto it = made_.find(f); it != made_.end()) return it->second;
    bool changed = false;
    const Body made = rewrite(*f, [&](Build& b, const Node& n, const Values& in) -> std::optional<Values> {
      std::vector<Body> bodies = n.bodies;
      if (!has_rules(n))
        for (const size_t i : running(n)) bodies[i] = run(bodies[i]);
      const bool here = !n.op->taps && std::ranges::any_of(n.names, [&](const std::string& s) { return meets(s); });
      if (!here && bodies == n.bodies) return std::nullopt;
      changed = true;
      Values out = b.emit(*n.op, in, n.attrs, std::move(bodies), n.where);
      for (size_t i = 0; here && i < out.size(); ++i)
        if (names_.contains(n.names[i])) out[i] = b.tap(out[i], n.names[i]);
      return out;
    });
    return made_[f] = changed ? made : f;
  }

 private:
  bool meets(const std::string& name) {
    if (!name.empty()) found.insert(name);
    return names_.contains(name);
  }
  Names names_;
  std::map<Body, Body> made_;
};

std::string listed(const Names& names) {
  constexpr size_t most = 50;
  if (names.empty()) return "none has a name";
  std::vector<std::string> first(names.begin(), names.end());
  first.resize(std::min(first.size(), most));
  const std::string more = names.size() > most ? fmt::format(" and {} more", names.size() - most) : "";
  return fmt::format("there are '{}'{}", fmt::join(first, "', '"), more);
}

// f with what is named found by taps. Throws a usage error where a name is not there.
Body all_tapped(const Body& f, const std::vector<std::string>& names) {
  if (names.empty()) return f;
  ValuesTapped values(names);
  const Body tapped = values.run(f);
  Collect taps;
  taps.wanted_in(tapped);
  for (const std::string& name : names)
    if (!taps.found.contains(name)) {
      values.found.merge(taps.found);
      throw usage_error("[tap] no result of {} needs a value named '{}'; {}", f->name(), name, listed(values.found));
    }
  return tapped;
}

std::vector<TapPlace> places_of(const Body& tapped, const std::vector<std::string>& names) {
  Lists list(names);
  list.add(*tapped, {});
  return list.all;
}

}  // namespace

std::vector<TapPlace> tap_places(const Body& f, const std::vector<std::string>& names) {
  return places_of(all_tapped(f, names), names);
}

Probed probe(const Body& f, const std::vector<std::string>& names) {
  const Body tapped = all_tapped(f, names);
  return {renamed(Pruner().pruned(Reads(names).function(tapped, {}).body), f->name() + ".probe"),
          places_of(tapped, names)};
}

Body intervene(const Body& f, const std::vector<std::string>& names, const std::vector<Body>& edits,
               const std::vector<Type>& captured) {
  const Body tapped = all_tapped(f, names);
  if (const size_t places = places_of(tapped, names).size(); places != edits.size())
    throw usage_error("[intervene] {} edits for {} places", edits.size(), places);
  return renamed(Pruner().pruned(Edits(names, edits, captured.size()).function(tapped, captured).body),
                 f->name() + ".intervene");
}

}  // namespace viva
