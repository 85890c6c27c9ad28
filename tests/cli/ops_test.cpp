// viva ops, and the reference of operations that it writes.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "base/file.h"
#include "cli/verb.h"
#include "graph/opdef.h"

namespace viva {
namespace {

struct Outcome {
  int code;
  std::string out, err;
};

Outcome call(std::vector<const char*> words) {
  words.insert(words.begin(), {"viva", "ops"});
  std::ostringstream out, err;
  const Cancel cancel{false};
  Session session{out, err, cancel, false, {}};
  const int code = run_cli(static_cast<int>(words.size()), words.data(), session);
  return {code, out.str(), err.str()};
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

TEST(OpsVerb, MatrixHasEveryOperationAndReason) {
  const Outcome o = call({});
  EXPECT_EQ(o.code, 0);
  EXPECT_EQ(o.err, "");
  for (const OpDef* d : catalog()) {
    EXPECT_TRUE(has(o.out, fmt::format("\n  {} ", d->name))) << d->name;
    for_each_rule(*d, [&](std::string_view transformation, const auto& rule) {
      if (rule) return;
      EXPECT_TRUE(has(
          o.out, fmt::format("  {}, {}: {}\n", transformation, to_string(rule.absent().reason), rule.absent().why)));
    });
  }
}

TEST(OpsVerb, JsonIsTheCatalogue) {
  const Outcome o = call({"--json"});
  ASSERT_EQ(o.code, 0);
  const auto all = nlohmann::json::parse(o.out);
  ASSERT_EQ(all.size(), catalog().size());
  for (size_t i = 0; i < all.size(); ++i) {
    const OpDef& d = *catalog()[i];
    EXPECT_EQ(all[i].size(), 3u);
    EXPECT_EQ(all[i]["name"], d.name);
    EXPECT_EQ(all[i]["family"], d.family);
    size_t rules = 0;
    for_each_rule(d, [&](std::string_view transformation, const auto& rule) {
      const auto& r = all[i]["rules"][std::string(transformation)];
      EXPECT_EQ(r.size(), 3u);
      EXPECT_EQ(r["state"], rule ? "yes" : "absent");
      EXPECT_EQ(r["reason"].is_null(), bool(rule));
      EXPECT_EQ(r["why"].is_null(), bool(rule));
      if (!rule) { EXPECT_EQ(r["why"], rule.absent().why); }
      ++rules;
    });
    EXPECT_EQ(all[i]["rules"].size(), rules);
  }
}

// Of a new transformation the matrix may say "not yet", of these nothing.
TEST(OpsVerb, NothingIsPutOff) {
  const std::set<std::string_view> complete{"infer", "eval",  "jvp",   "split", "transpose",
                                            "batch", "lower", "prune", "jet",   "bound"};
  for (const OpDef* d : catalog())
    for_each_rule(*d, [&](std::string_view transformation, const auto& rule) {
      const bool put_off = !rule && rule.absent().reason == Reason::not_yet;
      EXPECT_FALSE(put_off && complete.contains(transformation)) << d->name << ' ' << transformation;
      EXPECT_TRUE(rule || !rule.absent().why.empty()) << d->name << ' ' << transformation;
    });
}

TEST(OpsVerb, OneOperation) {
  const Outcome o = call({"floor"});
  EXPECT_EQ(o.code, 0);
  EXPECT_TRUE(o.out.starts_with("floor (pointwise): ")) << o.out;
  EXPECT_TRUE(has(o.out, "\ninfer      yes\n")) << o.out;
  EXPECT_TRUE(has(o.out, "\njvp        absent, no tangent: piecewise constant")) << o.out;
  const auto json = nlohmann::json::parse(call({"floor", "--json"}).out);
  ASSERT_EQ(json.size(), 1u);
  EXPECT_EQ(json[0]["rules"]["jvp"]["reason"], "no tangent");
}

TEST(OpsVerb, BadUsage) {
  const Outcome o = call({"flor"});
  EXPECT_EQ(o.code, 2);
  EXPECT_EQ(o.out, "");
  EXPECT_EQ(o.err, "viva: there is no operation 'flor'; viva ops lists them\n");
  EXPECT_EQ(call({"--json", "--markdown"}).code, 2);
  EXPECT_EQ(call({"add", "--markdown"}).code, 2);
  EXPECT_EQ(call({"--help"}).code, 0);
}

TEST(OpsVerb, ReferenceIsFresh) {
  const std::string file = VIVA_SOURCE_DIR "/docs/reference/operations.md";
  EXPECT_TRUE(read_file(file).text() == call({"--markdown"}).out)
      << "viva ops --markdown > docs/reference/operations.md writes it anew";
}

}  // namespace
}  // namespace viva
