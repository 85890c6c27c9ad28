// The examiner identity: planted duplicates, facts carried over, claims on them.
#include <gtest/gtest.h>

#include "examine/fake_subject.h"

namespace viva {
namespace {

using testing::examined;
using testing::FakeSubject;
using testing::names_class;
using testing::planted;
using testing::source;

TEST(Identity, PlantedDuplicates) {
  FakeSubject net(2, 2, names_class(2, 3));
  const auto value = [](int64_t i, int64_t c) { return c == 0 ? static_cast<float>(i % 2500) : 0.f; };
  std::vector<int64_t> labels(2503, 0);
  labels[2501] = 1;
  const RowSource data = source(labels, 2, value);
  // Rows 7 and 8 of the data stand in the training data at 0 and 1.
  const RowSource train = source(
      {0, 0, 0}, 2, [](int64_t i, int64_t c) { return c == 0 ? static_cast<float>(i + (i < 2 ? 7 : 9000)) : 0.f; },
      "train");
  const Report r = examined(net, data, {"identity.overlap <= 0", "identity.duplicates < 4"}, &train, 2);
  EXPECT_EQ(r.find("identity.duplicates")->estimate, 3);
  EXPECT_EQ(r.find("identity.conflicts")->estimate, 2);
  EXPECT_EQ(r.find("identity.train_duplicates")->estimate, 0);
  EXPECT_EQ(r.find("identity.overlap")->estimate, 2);
  EXPECT_EQ(r.find("identity.overlap")->evidence.examples[0].rows[1].second, "stands in the training data as row 1");
  EXPECT_EQ(r.claims[0].ruling, Verdict::refuted);
  EXPECT_EQ(r.claims[1].ruling, Verdict::supported);
  EXPECT_EQ(r.data.size(), 2u);
  const auto& torn = r.find("identity.conflicts")->evidence.examples[0].rows;
  EXPECT_EQ(torn[0], (std::pair<int64_t, std::string>{1, "differs in label from row 2501"}));
  EXPECT_EQ(torn[1], (std::pair<int64_t, std::string>{2501, "differs in label from row 1"}));
}

TEST(Identity, RowsOfAnotherTypeAreNotCompared) {
  FakeSubject net(2, 2, names_class(2, 3));
  RowSource train = planted(10, 2, 0);
  train.stored = train.stored.converted(Dtype::uint8);
  const Report r = examined(net, planted(10, 2, 0), {"identity.overlap <= 0"}, &train);
  EXPECT_EQ(r.find("identity.overlap")->status, Status::withheld);
  EXPECT_EQ(r.find("identity.train_duplicates")->estimate, 0);
  EXPECT_EQ(r.claims[0].ruling, Verdict::undecided);
}

TEST(Identity, WithoutTrainingData) {
  FakeSubject net(2, 2, names_class(2, 3));
  const Report r = examined(net, planted(10, 2, 0), {"identity.overlap <= 0"});
  EXPECT_EQ(r.find("identity.overlap")->status, Status::not_run);
  EXPECT_EQ(r.claims[0].ruling, Verdict::undecided);
  EXPECT_NE(r.claims[0].would_decide.find("--train"), std::string::npos);
}

TEST(Identity, FactsOfTheFile) {
  FakeSubject net(2, 2, names_class(2, 3));
  net.model.training_operators = {"drop1"};
  net.model.coverage[2].missing = {{"NonMaxSuppression", "no rule: integer output"}};
  const Report r =
      examined(net, planted(10, 2, 0),
               {"identity.parameters <= 4321", "identity.operators[\"Conv\"] > 1", "identity.operators[\"LSTM\"] <= 0",
                "identity.operators < 6", "identity.uncovered[\"transpose\"] <= 0", "identity.training_operators <= 0",
                "identity.uncovered[\"vmap\"] <= 0", "identity.flops < 1e6"});
  const Verdict expected[] = {Verdict::supported, Verdict::supported, Verdict::supported, Verdict::supported,
                              Verdict::refuted,   Verdict::refuted,   Verdict::supported, Verdict::refuted};
  for (size_t i = 0; i < 8; ++i) EXPECT_EQ(r.claims[i].ruling, expected[i]) << r.claims[i].statement;
  EXPECT_EQ(r.find("identity.operators")->estimate, 5);
  EXPECT_EQ(r.find("identity.training_operators")->target, Target::this_file);
  EXPECT_THROW(examined(net, planted(10, 2, 0), {"identity.uncovered[\"jet\"] <= 0"}), Error);
}

TEST(Identity, OutputKindIsAFinding) {
  FakeSubject logits(2, 2, names_class(2, 3)), soft(2, 2, names_class(2, 3), true);
  const Report a = examined(logits, planted(10, 2, 0)), b = examined(soft, planted(10, 2, 0));
  EXPECT_EQ(a.find("identity.output_kind")->title, "Outputs are taken as logits");
  EXPECT_EQ(a.find("identity.output_kind")->assumptions.size(), 1u);
  EXPECT_EQ(b.find("identity.output_kind")->title, "Outputs are taken as softmax");
  EXPECT_EQ(b.find("identity.output_kind")->estimate, 1);
}

}  // namespace
}  // namespace viva
