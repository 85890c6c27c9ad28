#include "train/progress.h"

#include "base/error.h"
#include "train/json.h"

namespace viva {
namespace {

using Json = nlohmann::ordered_json;

constexpr int deepest = 2;

}  // namespace

std::string progress_text(const Progress& p) {
  Json j = {{"lines", p.mark.lines}, {"sha256", p.mark.sha256}, {"summed", p.summed}, {"logged", p.logged_step}};
  j["sums"] = Json::object();
  for (const auto& [name, sum] : p.sums) j["sums"][name] = sum;
  return j.dump();
}

Progress parse_progress(const std::string& text, const std::string& file) {
  const auto refused = [&] { return input_error("{}: is no checkpoint: its progress cannot be read", file); };
  const auto j = parse_json<Json>(text, deepest);
  if (!j || !j->is_object()) throw refused();
  const auto field = [&](const char* name) {
    const auto it = j->find(name);
    if (it == j->end()) throw refused();
    return *it;
  };
  const auto count = [&](const char* name) {
    const Json v = field(name);
    if (!v.is_number_unsigned() || v.get<uint64_t>() > INT64_MAX) throw refused();
    return v.get<int64_t>();
  };
  Progress p{{static_cast<uint64_t>(count("lines")), {}}, {}, count("summed"), count("logged")};
  const Json hash = field("sha256"), sums = field("sums");
  if (!hash.is_string() || !sums.is_object()) throw refused();
  p.mark.sha256 = hash.get<std::string>();
  for (const auto& [name, sum] : sums.items()) {
    if (!sum.is_number()) throw refused();
    p.sums.emplace_back(name, sum.get<double>());
  }
  return p;
}

}  // namespace viva
