// Claims in a file: what is read, and where each mistake is said to be.
#include "examine/claims_file.h"

#include "support/temp_dir.h"

namespace viva {
namespace {

constexpr Quantity quantities[] = {{.name = "accuracy", .fraction = true},
                                   {.name = "recall", .key = KeyKind::either, .fraction = true}};
constexpr QuantitySet known[] = {{"risk", quantities}};

std::vector<Claim> read(const std::string& text) { return parse_claims_file(text, "c.toml", known); }
std::string refused(const std::string& text) {
  return error_of([&] { read(text); });
}

TEST(ClaimsFile, TablesInOrder) {
  const auto c = read(
      "# before the run\n[[claim]]\nid = \"acc\"\nstatement = \"risk.accuracy>=9/10\"\n"
      "[[claim]]\nstatement = 'risk.recall[\"Shirt\"] > .7'\nid = \"a-b_c.1\"\n");
  ASSERT_EQ(c.size(), 2u);
  EXPECT_EQ(c[0].id, "claim.acc");
  EXPECT_EQ(c[0].statement, "risk.accuracy >= 9/10");
  EXPECT_EQ(c[1].id, "claim.a-b_c.1");
  EXPECT_EQ(std::get<std::string>(c[1].key.value), "Shirt");
}

TEST(ClaimsFile, CharactersBeyondAscii) {
  const auto c =
      read("\xEF\xBB\xBF# été\n[[claim]]\nid = \"a\" # %41\nstatement = 'risk.recall[\"été 100% %41\"] > .7'\n");
  EXPECT_EQ(std::get<std::string>(c.at(0).key.value), "été 100% %41");
  const auto escaped = read("[[claim]]\nid = \"a\"\nstatement = \"risk.recall[\\\"\\u00e9\\\"] > .7\"\n");
  EXPECT_EQ(std::get<std::string>(escaped.at(0).key.value), "é");
  EXPECT_TRUE(refused("[[claim]]\n\xCF\x96"
                      "d = 3\n")
                  .starts_with("c.toml:2: "));  // unreachable in toml++ 3.3
  EXPECT_TRUE(refused("[[claim]]\nid = \"\xff\"\n").starts_with("c.toml: byte 16 begins no character"));
  EXPECT_TRUE(refused("id = \"\\u0025\"").starts_with("c.toml: holds \\u0025: write %"));
}

TEST(ClaimsFile, MistakesHaveALine) {
  const std::string good = "[[claim]]\nid = \"a\"\nstatement = \"risk.accuracy > .5\"\n";
  EXPECT_TRUE(refused("").starts_with("c.toml: holds no claim"));
  EXPECT_TRUE(refused("claim = []").starts_with("c.toml:1: holds no claim"));
  EXPECT_TRUE(refused("[claim]\nid = \"a\"").starts_with("c.toml:1: claim is one table"));
  EXPECT_TRUE(refused(good + "[[claims]]\n").starts_with("c.toml:4: 'claims' has no meaning"));
  EXPECT_TRUE(refused(good + "[[claim]]\nid = \"b\"\n").starts_with("c.toml:4: the claim has no statement"));
  EXPECT_TRUE(refused(good + "[[claim]]\nid = 3\nstatement = \"\"").starts_with("c.toml:5: id is no text"));
  EXPECT_TRUE(refused(good + "\n" + good).starts_with("c.toml:6: id \"a\" is given twice"));
  EXPECT_TRUE(refused(good + "why = \"x\"\n").starts_with("c.toml:4: 'why' is no key"));
  EXPECT_TRUE(refused("[[claim]]\nid = \"a b\"\nstatement = \"\"").starts_with("c.toml:2: id \"a b\": write letters"));
  EXPECT_TRUE(refused("[[claim]]\nid = \"a\"\nstatement = \"risk.accuracy >= 90\"").starts_with("c.toml:3: claim "));
  EXPECT_TRUE(refused("[[claim]]\nid = \"a\n").starts_with("c.toml:2: "));
  EXPECT_TRUE(refused("claim = [1]").starts_with("c.toml:1: a claim is a table"));
  EXPECT_TRUE(refused("[+[c&aioX]\n\"\ns[<").starts_with("c.toml: is no TOML"));  // breaks an assertion of toml++ 3.3
  EXPECT_TRUE(refused(std::string(100000, '[')).starts_with("c.toml:"));
}

}  // namespace
}  // namespace viva
