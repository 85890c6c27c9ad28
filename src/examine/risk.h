// Parts of the examiner risk that its two files share.
#pragma once

#include "examine/measure.h"

namespace viva {

Measure log_loss(Context& x, const Evaluation& e);
Measure brier_score(Context& x, const Evaluation& e);
Measure infinite_rows(const Context& x, const Evaluation& e);
// Confusions and wrong rows; quantiles of the loss and its worst rows.
void add_wrong_rows(Finding& accuracy, const Context& x, const Evaluation& e);
void add_loss_rows(Finding& loss, const Context& x, const Evaluation& e);
// Why scores of probabilities cannot be given; "" where they can. `scores` has a NaN for a row without one.
std::string why_no_scores(const Context& x, const Evaluation& e, const std::vector<double>& scores);
// How probabilities were got from the outputs.
void add_source(Finding& f, const Evaluation& e);

}  // namespace viva
