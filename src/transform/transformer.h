// The walk over a function that jvp, split, transpose and batch share, and the memo that they keep.
#pragma once

#include <functional>
#include <map>
#include <tuple>
#include <unordered_map>

#include "graph/build.h"
#include "transform/transform.h"

namespace viva {

using ValueMap = std::unordered_map<Value, Value, ValueHash>;

inline Values mapped(const ValueMap& map, Ins values) {
  Values r;
  for (const Value& v : values) {
    const auto it = map.find(v);
    r.push_back(it == map.end() ? Value{} : it->second);
  }
  return r;
}

// Operations without the rule that a transformation needs, reported together.
class MissingRules {
 public:
  explicit MissingRules(std::string_view transformation) : transformation_(transformation) {}
  void add(const Node& n, const Absent& why);
  void throw_if_any() const;

 private:
  std::string_view transformation_;
  std::vector<std::string> lines_;
};

class Transformer final : public Transforms {
 public:
  std::pair<Body, Mask> jvp(const Body& f, const Mask& active, const Mask& force) override;
  SplitBody split(const Body& f, const Mask& known, const Mask& force_unknown) override;
  SplitBody checkpoint(const Body& f, const Mask& known, const std::string& policy) override;
  Body transpose(const Body& f, const Mask& linear, const Mask& cotangent_present) override;
  std::pair<Body, std::vector<int>> batch(const Body& f, const std::vector<int>& axes, int64_t n,
                                          const Mask& force) override;
  std::pair<Body, Mask> jet(const Body& f, const Taylor& series, const Mask& present, const Mask& force) override;
  std::pair<Body, Mask> bound(const Body& f, const Mask& intervals, const Mask& force) override;

 private:
  std::pair<Body, Mask> make_jvp(const Body& f, const Mask& active, const Mask& force);
  SplitBody make_split(const Body& f, const Mask& known, const Mask& force_unknown);
  SplitBody make_checkpoint(const Body& f, const Mask& known, const std::string& policy);
  Body make_transpose(const Body& f, const Mask& linear, const Mask& cotangent_present);
  std::pair<Body, std::vector<int>> make_batch(const Body& f, const std::vector<int>& axes, int64_t n,
                                               const Mask& force);
  std::pair<Body, Mask> make_jet(const Body& f, const Taylor& series, const Mask& present, const Mask& force);
  std::pair<Body, Mask> make_bound(const Body& f, const Mask& intervals, const Mask& force);

  // Keys hold the Body, so that an address is never reused while the memo lives.
  std::map<std::tuple<Body, Mask, Mask>, std::pair<Body, Mask>> jvps_;
  std::map<std::tuple<Body, Mask, Mask>, SplitBody> splits_;
  std::map<std::tuple<Body, Mask, std::string>, SplitBody> checkpoints_;
  std::map<std::tuple<Body, Mask, Mask>, Body> transposes_;
  std::map<std::tuple<Body, std::vector<int>, int64_t, Mask>, std::pair<Body, std::vector<int>>> batches_;
  std::map<std::tuple<Body, Taylor, Mask, Mask>, std::pair<Body, Mask>> jets_;
  std::map<std::tuple<Body, Mask, Mask>, std::pair<Body, Mask>> bounds_;
};

}  // namespace viva
