// Suspicions: what may be wrong with a network, each tested in one family and measured against a stated materiality.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "examine/examiner.h"
#include "examine/measure.h"
#include "examine/readings.h"

namespace viva {

// One member of the family. It is told where its p-value stands after Holm's correction at .05 and the effect is
// material; what was counted exactly has no p-value and needs none.
struct Suspicion {
  std::string id, title;       // "diagnosis.weak_class["Shirt"]"
  std::optional<double> p{1};  // of what was seen, were nothing wrong
  double size = 0;             // what was measured, in the unit of `needed`
  double needed = 0;           // the materiality of that quantity
  std::string effect = {};     // what was measured, with its limit
  std::string material_if = {};
  bool material = false;
  std::string told = {};  // the diagnosis in plain words, with its mend or its rival explanation
  std::optional<Mend> mend = {};
  double reached = 0;    // of another reading of the rows or labels: the accuracy on half B
  bool reading = false;  // it is one
};

// Suspicions of one kind, or why they were not looked into.
struct Looked {
  std::vector<Suspicion> suspicions;
  std::string why_not;
  // How large a fault had to be to be told, were its test the first of Holm's, which is at this level.
  std::function<std::string(double level)> could_be_seen = {};
};

// What is tried. Layouts are few; scales are not, and what is best of some need not be the one that the network was
// trained on.
enum class Among : uint8_t { layouts, scales };

// Fed rows as it was trained on? The best of a fixed list of layouts (of scales, of both together) on half A against
// the given one on half B, by McNemar's exact test. Each reading goes through the network once for all three.
class RowReadings {
 public:
  explicit RowReadings(Context& x);
  Looked layout();
  Looked scale();
  Looked layout_and_scale();

 private:
  struct Single {
    RowReading reading;
    std::vector<bool> right_a, right_b;  // each row of halves_, where they were asked for
  };
  void draw();
  const std::vector<bool>& right_on_a(Single& s);
  const std::vector<bool>& right_on_b(Single& s);
  int64_t right_among_few(Single& s);
  Looked best_of(std::vector<Single>& all, Among among, Suspicion s);

  Context& x_;
  bool drawn_ = false;
  Halves halves_;             // at most 1,000 rows of half A, drawn; all of half B
  std::vector<int64_t> few_;  // of half A: combinations are many, and their gains are large
  std::vector<Single> layouts_, scales_;
};
inline constexpr std::string_view label_order = "diagnosis.label_order";
// Labels in another order than the network's classes: the most frequent label of each class named, found on half A,
// against the labels as given on half B.
Looked look_at_label_order(Context& x);
// Rows that all get the same scores, whatever they hold: counted exactly.
Looked look_at_constant_outputs(Context& x);
// Rows that stand in --train, and rows that repeat: counted exactly.
Looked look_at_leakage(Context& x);
Looked look_at_duplicates(Context& x);
// Labels that change in float64; attacks that a check beats. From the findings of numerics and robustness.
Looked look_at_rounding(Context& x);
Looked look_at_masking(Context& x);
// Confidence above accuracy that a temperature mends.
Looked look_at_confidence(Context& x);
// A class whose recall lies far below that of the others together; the rival explanation is an ambiguous label.
Looked look_at_classes(Context& x);
// A network that one more step of training mends.
Looked look_at_training(Context& x);

// Rows that plans count: read otherwise, and through derivatives of the training loss.
int64_t reading_plan_rows(const Context& x);
int64_t training_plan_rows(const Context& x);

}  // namespace viva
