#include "train/identity.h"

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "base/sha256.h"
#include "graph/text.h"
#include "train/json.h"

namespace viva {
namespace training {
namespace {

using Json = nlohmann::ordered_json;

constexpr int deepest = 4;  // identity() writes two levels

using Named = std::map<std::string_view, const Array*>;
Named by_name(const std::vector<NamedTensor>& tensors) {
  Named all;
  for (const NamedTensor& t : tensors) all.emplace(t.name, &t.array);
  return all;
}

// The first leaf that the tensors do not have as it is, or "".
std::string tree_difference(const Named& there, const std::vector<std::string>& paths,
                            const std::vector<Tensor>& leaves) {
  size_t expected = 0;
  for (size_t i = 0; i < leaves.size(); ++i) {
    if (leaves[i].empty()) continue;
    ++expected;
    const auto it = there.find(paths[i]);
    if (it == there.end()) return fmt::format("it has no {}", printable(paths[i]));
    if (it->second->type() != leaves[i].type())
      return fmt::format("{} is {} in it and {} here", printable(paths[i]), to_string(it->second->type()),
                         to_string(leaves[i].type()));
  }
  if (expected == there.size()) return "";
  for (const auto& [name, array] : there) {
    const auto at = std::ranges::find(paths, name);
    if (at == paths.end() || leaves[static_cast<size_t>(at - paths.begin())].empty())
      return fmt::format("it has {}, which is not here", printable(name));
  }
  return "it has more tensors";
}

std::string value_difference(const std::string& name, const Json& there, const Json& here) {
  if (name == "step") return "the step (model, loss or learning rule) is another program";
  if (name == "first_batch") return "the first batch holds other numbers: the data or how they are loaded differ";
  if (name == "order") return "the rows or their order differ";
  return fmt::format("{} is {} in it and {} here", printable(name), printable(there.dump()), printable(here.dump()));
}

std::string difference(const Json& there, const Json& here) {
  for (const auto& [name, value] : here.items()) {
    if (!there.contains(name)) return fmt::format("it has no {}", printable(name));
    if (there[name] == value) continue;
    if (value.is_object() && there[name].is_object()) return difference(there[name], value);
    return value_difference(name, there[name], value);
  }
  for (const auto& [name, value] : there.items())
    if (!here.contains(name)) return fmt::format("it has {}, which is not here", printable(name));
  return "";
}

}  // namespace

std::string identity(const TrainedProgram& program, const Batches& batches, const TrainOptions& options) {
  const BatchOptions& b = batches.options();
  Json j = {{"seed", options.seed},
            {"log_every", options.log_every},
            {"evaluate_every", options.evaluate_every},
            {"rows", batches.rows()},
            {"batch", {{"size", b.size}, {"seed", b.seed}, {"shuffle", b.shuffle}, {"drop_last", b.drop_last}}},
            {"order", batches.hash()}};
  std::vector<Tensor> start;
  for (const Tensor* t : program.leaves()) start.push_back(*t);
  j["start"] = hash(start);
  j["record"] = Json::object();
  for (const auto& [name, value] : options.record) j["record"][name] = value;
  j["first_batch"] = program.first_batch;
  j["step"] = program.graph ? sha256_hex(as_bytes(print(program.graph))) : "";
  try {
    return j.dump();
  } catch (const Json::exception&) { throw usage_error("[train] the names and values of record are UTF-8"); }
}

void check_same_run(const Checkpoint& c, const RunHere& here, const std::string& file) {
  std::string what = tree_difference(by_name(c.tensors), here.paths, here.leaves);
  if (what.empty() && c.run != here.identity) {
    const auto there = parse_json<Json>(c.run, deepest);
    if (!there) throw input_error("{}: is no checkpoint: what run it is of cannot be read", file);
    what = difference(*there, Json::parse(here.identity));
    if (what.empty()) return;
  }
  if (!what.empty())
    throw input_error("{}: is of another run: {}: give that run's settings, or another directory", file, what);
}

void assign(const Checkpoint& c, const std::vector<std::string>& paths, const std::vector<Tensor*>& leaves) {
  const Named there = by_name(c.tensors);
  for (size_t i = 0; i < leaves.size(); ++i)
    if (!leaves[i]->empty()) *leaves[i] = *there.at(paths[i]);
}

Scores scores(const std::vector<std::string>& names, const std::vector<Tensor>& values) {
  Scores all;
  for (size_t i = 0; i < values.size(); ++i) all.emplace_back(names[i].empty() ? "loss" : names[i], values[i].item());
  return all;
}

std::vector<std::string> paths(const std::vector<std::string>& model, const std::vector<std::string>& state) {
  const auto joined = [](std::string_view prefix, const std::string& path) {
    return fmt::format("{}{}{}", prefix, path.empty() ? "" : ".", path);
  };
  std::vector<std::string> all;
  for (const std::string& p : model) all.push_back(joined("model", p));
  for (const std::string& p : state) all.push_back(joined("state", p));
  return all;
}

std::string hash(const std::vector<Tensor>& batch) {
  Sha256 h;
  for (const Tensor& t : batch) {
    if (t.empty()) continue;
    const Array a = t.array();
    h.update(as_bytes(to_string(a.type()))).update({a.data(), static_cast<size_t>(a.bytes())});
  }
  return h.finish();
}

}  // namespace training

void save_safetensors(const std::string& path, const std::vector<std::string>& names,
                      const std::vector<Tensor>& leaves) {
  Safetensors s;
  for (size_t i = 0; i < leaves.size(); ++i)
    if (!leaves[i].empty()) s.tensors.push_back({names[i], leaves[i].array()});
  write_file(path, safetensors_bytes(s));
}

std::vector<Tensor> load_safetensors(const std::string& path, const std::vector<std::string>& names,
                                     const std::vector<Tensor>& like, std::string_view prefix) {
  const std::string shown = printable(path);
  constexpr uint64_t largest = uint64_t{1} << 46;
  Safetensors s = parse_safetensors(read_stored(path, largest), shown);
  std::erase_if(s.tensors, [&](const NamedTensor& t) { return !t.name.starts_with(prefix); });
  for (NamedTensor& t : s.tensors) t.name.erase(0, prefix.size());
  const training::Named there = training::by_name(s.tensors);
  const std::string what = training::tree_difference(there, names, like);
  if (!what.empty()) throw input_error("{}: does not fit: {}", shown, what);
  std::vector<Tensor> all(like.size());
  for (size_t i = 0; i < like.size(); ++i)
    if (!like[i].empty()) all[i] = *there.at(names[i]);
  return all;
}

}  // namespace viva
