// Parts of the examiner risk that its two files share.
#pragma once

#include "examine/measure.h"

namespace viva {

inline constexpr std::string_view no_claim_on_rows =
    "it follows from the number of rows, not from the network; claim risk.accuracy";

inline constexpr Quantity risk_quantities[] = {
    {.name = "accuracy",
     .fraction = true,
     .title = "Accuracy",
     .unit = "fraction",
     .doc = "fraction of rows whose largest output is the label"},
    {.name = "log_loss", .title = "Log-loss", .unit = "nats", .doc = "mean of -log(probability of the label), nats"},
    {.name = "brier",
     .title = "Brier score",
     .unit = "squared probability, 0 to 2",
     .doc = "mean over rows of the sum over classes of (p - [is the label])^2"},
    {.name = "recall",
     .key = KeyKind::either,
     .fraction = true,
     .title = "Recall of {}",
     .unit = "fraction",
     .doc = "accuracy on the rows of one class"},
    {.name = "baseline",
     .fraction = true,
     .title = "Majority class",
     .target = Target::these_rows,
     .kind = Kind::exact,
     .unit = "fraction",
     .doc = "accuracy of always naming the most frequent class"},
    {.name = "nan_rows",
     .title = "Rows with NaN in the output",
     .target = Target::these_rows,
     .kind = Kind::exact,
     .unit = "rows",
     .doc = "rows with NaN in the output"},
    {.name = "infinite_rows",
     .title = "Rows that give their label probability 0",
     .target = Target::these_rows,
     .kind = Kind::exact,
     .unit = "rows",
     .doc = "rows that give their label probability 0"},
    {.name = "detectable_above",
     .title = "Smallest detectable difference above {}",
     .unit = "signed difference of accuracy",
     .doc = "what these rows can tell apart",
     .no_claim = no_claim_on_rows},
    {.name = "detectable_below",
     .title = "Smallest detectable difference below {}",
     .unit = "signed difference of accuracy",
     .doc = "what these rows can tell apart",
     .no_claim = no_claim_on_rows},
    {.name = "detectable_paired",
     .title = "Smallest detectable difference from another model, discordance {} %",
     .unit = "difference of accuracy",
     .doc = "what these rows can tell apart",
     .no_claim = no_claim_on_rows},
};

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
