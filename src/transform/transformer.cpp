#include "transform/transformer.h"

#include <algorithm>

#include "ops/custom.h"

namespace viva {
namespace {

// The value under key, made and kept on the first request.
template <class Map, class Make> auto memo(Map& map, typename Map::key_type key, Make&& make) {
  if (const auto it = map.find(key); it != map.end()) return it->second;
  auto value = make();
  map.emplace(std::move(key), value);
  return value;
}

}  // namespace

void MissingRules::add(const Node& n, const Absent& why) {
  const std::string place = to_string(n.where);
  std::string line =
      fmt::format("{}{}{} ({}: {})", n.op->name, place.empty() ? "" : " at ", place, to_string(why.reason), why.why);
  if (std::ranges::find(lines_, line) == lines_.end()) lines_.push_back(std::move(line));
}

void MissingRules::throw_if_any() const {
  if (!lines_.empty()) throw unsupported("[{}] no rule for {}", transformation_, fmt::join(lines_, ", "));
}

std::unique_ptr<Transforms> fresh_transforms() { return std::make_unique<Transformer>(); }

std::pair<Body, Mask> Transformer::jvp(const Body& f, const Mask& active, const Mask& force) {
  return memo(jvps_, {f, active, force}, [&] { return make_jvp(f, active, force); });
}

SplitBody Transformer::split(const Body& f, const Mask& known, const Mask& force_unknown) {
  return memo(splits_, {f, known, force_unknown}, [&] { return make_split(f, known, force_unknown); });
}

SplitBody Transformer::checkpoint(const Body& f, const Mask& known, const std::string& policy) {
  return memo(checkpoints_, {f, known, policy}, [&] { return make_checkpoint(f, known, policy); });
}

Body Transformer::transpose(const Body& f, const Mask& linear, const Mask& cotangent_present) {
  return memo(transposes_, {f, linear, cotangent_present},
              [&] { return make_transpose(f, linear, cotangent_present); });
}

std::pair<Body, std::vector<int>> Transformer::batch(const Body& f, const std::vector<int>& axes, int64_t n,
                                                     const Mask& force) {
  return memo(batches_, {f, axes, n, force}, [&] { return make_batch(f, axes, n, force); });
}

std::pair<Body, Mask> Transformer::jet(const Body& f, const Taylor& series, const Mask& present, const Mask& force) {
  return memo(jets_, {f, series, present, force}, [&] { return make_jet(f, series, present, force); });
}

std::pair<Body, Mask> Transformer::bound(const Body& f, const Mask& intervals, const Mask& force) {
  return memo(bounds_, {f, intervals, force}, [&] { return make_bound(f, intervals, force); });
}

}  // namespace viva
