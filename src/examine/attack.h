// Attacks: rows moved within a box so that the network names another label.
#pragma once

#include <functional>
#include <vector>

#include "examine/input_space.h"
#include "examine/programs.h"

namespace viva {

enum class AttackLoss : uint8_t { cross_entropy, margin };

// Rows under attack, of float32 or float64.
struct Victims {
  Array rows;  // [n, row…]
  std::vector<int64_t> labels;
  std::vector<int64_t> numbers;  // in the data: random numbers depend on them, not on the place in this list
  int64_t size() const { return static_cast<int64_t>(labels.size()); }
};
Victims picked(const Victims& v, const std::vector<int64_t>& which);

// What an attack found.
struct Broken {
  std::vector<bool> row;    // the network itself names another label for a point in the row's box
  int64_t unconfirmed = 0;  // points that the gradient's own pass named otherwise, but the network did not
};

// Attacks on one network in one precision. A row's box: what lies within eps of it, in raw units, and in the valid
// range. Each point found is given to the network again, and counts only if it names another label there.
class Attacker {
 public:
  static constexpr int64_t steps = 40;
  // precision: of the gradients. rows_at_once: in one run, fewer where rows are large. Throws an unsupported error
  // where the network has no graph, or none that can be differentiated.
  Attacker(Context& x, const InputSpace& space, Dtype precision, int64_t rows_at_once);
  // Cross-entropy is taken of scores / scale.
  void set_scale(double scale) { scale_ = scale; }

  // At the rows themselves: the margin, and whether its gradient and that of the cross-entropy (of scores / scale) are
  // zero.
  struct Clean {
    std::vector<double> margin;
    std::vector<bool> flat_margin, flat_cross_entropy;
  };
  Clean clean(const Victims& v);
  // So many steps of 2.5 eps / steps along the sign of the gradient, from a random start. Madry et al., ICLR 2018. tag:
  // a number of its own for each attack that shall start elsewhere.
  struct Walk {
    AttackLoss loss;
    uint32_t tag = 0;
    int64_t steps = Attacker::steps;
  };
  Broken pgd(const Victims& v, double eps, const Walk& walk);
  // One step of eps from the row along the sign of the loss's gradient. Goodfellow et al., ICLR 2015.
  Broken fgsm(const Victims& v, double eps, AttackLoss loss);
  // `draws` corners of the box, at random.
  Broken random_signs(const Victims& v, double eps, int64_t draws, uint32_t tag);
  // named_classes of the network's outputs.
  std::vector<int64_t> named(const Array& rows);

 private:
  template <class T> Broken pgd_as(const Victims& v, double eps, const Walk& walk);
  template <class T> Broken fgsm_as(const Victims& v, double eps, AttackLoss loss);
  template <class T> Broken random_signs_as(const Victims& v, double eps, int64_t draws, uint32_t tag);
  std::vector<Array> derivatives(const Array& rows, const std::vector<int64_t>& labels, AttackLoss loss);
  Array in_precision(const Array& rows) const;
  // Marks the rows of v whose point in `points` the network names otherwise.
  void confirm(const Victims& v, const std::vector<int64_t>& which, const Array& points, Broken& broken);

  Context& x_;
  const InputSpace& space_;
  Dtype precision_;
  double scale_ = 1;
  std::vector<RowProgram> programs_;  // by AttackLoss
};

}  // namespace viva
