// robustness: how many rows stay right however they are moved within a radius, bounded from above by attacks.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "examine/campaign.h"
#include "examine/digits.h"
#include "examine/measure.h"
#include "examine/statistics.h"
#include "examine/words.h"

namespace viva {
namespace {

constexpr Quantity quantities[] = {
    {.name = "accuracy",
     .key = KeyKind::number,
     .fraction = true,
     .title = "Robust accuracy at eps = {}",
     .kind = Kind::bound,
     .unit = "fraction",
     .doc = "fraction of rows right however they are moved by at most that in any element, raw units"},
    {.name = "masking",
     .title = "Rows that a check breaks and the attack does not",
     .target = Target::these_rows,
     .kind = Kind::exact,
     .unit = "rows",
     .doc = "rows that some weaker attack breaks at some radius where the attack does not"},
    {.name = "curve",
     .title = "Height of the band above the curve of attacked accuracy",
     .kind = Kind::bound,
     .unit = "fraction",
     .doc = "one-sided band that holds at all radii together",
     .no_claim = "it is the height of a band; claim robustness.accuracy[EPS]"},
};

std::string range_in_words(const InputSpace& s) {
  return fmt::format("values between {} and {} are valid{}", in_sentence(s.raw.low), in_sentence(s.raw.high),
                     s.assumed ? ": assumed, because all rows keep to it"
                               : fmt::format(", as --range says; those of the rows lie between {} and {}",
                                             in_sentence(s.seen.low), in_sentence(s.seen.high)));
}

// Such as rows in [0, 1] under a range of 0 to 255.
bool is_far_beyond_rows(const InputSpace& s) {
  return !s.assumed && s.seen.high - s.seen.low < (s.raw.high - s.raw.low) / 10;
}

Measure accuracy(const Context& x, const Attacked& a, const InputSpace& s, const Radius& eps, int64_t left) {
  Measure m = make_measure("robustness", quantities, "accuracy", x.data, eps.text);
  set_key(m, eps.value, eps.text);
  set_proportion(m, left, a.rows, "unbroken", x.data, finding_alpha, Sided::upper);
  Finding& f = m.finding;
  f.rows_used->which = "drawn without replacement";
  f.assumptions.push_back(range_in_words(s));
  assume_scaled_units(f, x.data.record);
  f.why = eps.value == 0 ? "R(0): the share of rows drawn like these that are right"
                         : fmt::format(
                               "R({}): the share of rows drawn like these that are right, and for which no valid row "
                               "within {} of it in every element is wrong",
                               eps.text, eps.text);
  if (is_far_beyond_rows(s))
    f.limits.push_back(fmt::format(
        "the rows lie between {} and {}, in less than a tenth of the range that --range states: where it is in other "
        "units than the rows, the radii are too",
        in_sentence(s.seen.low), in_sentence(s.seen.high)));
  f.limits.emplace_back("an upper bound: a stronger attack may break more rows, and nothing is certified from below");
  return m;
}

// band: empty where rows come in groups.
Table by_radius(const Attacked& a, std::optional<double> band) {
  Table t{"radii", "Rows by radius; broken rows leave. Of those left: what the checks break", {}, {}};
  if (band) t.title += ". Band: holds at all radii together";
  for (const char* c :
       {"eps", "attacked", "broken by cross-entropy", "then by margin", "not confirmed", "left", "left of all"})
    t.columns.emplace_back(c);
  if (band) {
    t.intervals.push_back({t.columns.size() - 1, std::nullopt, t.columns.size()});
    t.columns.emplace_back("band up to");
  }
  for (const char* c : {"broken by one step", "by random signs", "by float64", "float64 tried"})
    t.columns.emplace_back(c);
  const double n = static_cast<double>(a.rows);
  for (const AtRadius& r : a.radii) {
    const double share = static_cast<double>(r.left) / n;
    std::vector<Cell> row{r.eps.text, r.attacked, r.by_cross_entropy, r.by_margin, r.unconfirmed, r.left, share};
    if (band) row.emplace_back(std::min(1.0, share + *band));
    for (const int64_t count : {r.single_step, r.random_signs, r.float64, r.float64_tried}) row.emplace_back(count);
    t.rows.push_back(std::move(row));
  }
  return t;
}

Measure curve(const Context& x, const Attacked& a) {
  const double band = dkw_band(a.rows, finding_alpha), n = static_cast<double>(a.rows);
  Measure m = make_measure("robustness", quantities, "curve", x.data);
  m.quantity.clear();
  Finding& f = m.finding;
  f.estimate = band;
  f.n = f.rows_used->count = a.rows;
  f.rows_used->which = "drawn without replacement";
  f.why =
      "sqrt(log 20 / (2 n)): with probability .95 the robust accuracy lies below the curve plus this at every radius "
      "(Dvoretzky, Kiefer, Wolfowitz; Massart), one-sided";
  f.assumptions.push_back(population_assumption(x.data.record));
  Series s{"curve", "Attacked accuracy by radius", "eps, raw units", "fraction of rows not broken", {}};
  const auto add = [&](const std::string& label, double eps, int64_t left) {
    const double share = static_cast<double>(left) / n;
    s.points.push_back({label, eps, share, std::nullopt, std::min(1.0, share + band)});
  };
  add("0", 0, a.right);
  for (const AtRadius& r : a.radii) add(r.eps.text, r.eps.value, r.left);
  f.evidence.series.push_back(std::move(s));
  f.evidence.tables.push_back(by_radius(a, x.data.groups.empty() ? std::optional(band) : std::nullopt));
  return m;
}

Measure masking(const Context& x, const Attacked& a) {
  Measure m = make_measure("robustness", quantities, "masking", x.data);
  Finding& f = m.finding;
  f.n = f.rows_used->count = a.rows;
  f.rows_used->which = "drawn without replacement";
  const int64_t single = std::ssize(a.single_step), signs = std::ssize(a.random_signs), wide = std::ssize(a.float64),
                tried = std::ssize(a.float64_tried);
  std::set<int64_t> broken = a.single_step;
  broken.insert(a.random_signs.begin(), a.random_signs.end());
  broken.insert(a.float64.begin(), a.float64.end());
  f.estimate = static_cast<double>(broken.size());
  const bool reached = a.half.left <= a.of_witness;
  // Any two attacks differ by a few rows; a gradient that is hidden shows in many.
  const auto rare = [](int64_t rows, int64_t of) { return static_cast<double>(rows) <= .01 * static_cast<double>(of); };
  f.check = CheckResult{
      "one step, corners at random and rows whose margin has no gradient are at most 1 % of all each, float64 breaks "
      "at "
      "most a quarter of those tried, and at half the range no more rows are left than the constant row names",
      rare(single, a.rows) && rare(signs, a.rows) && rare(a.flat_margin, a.rows) && 4 * wide <= tried && reached};
  f.evidence.counts = {{"flat_margin", a.flat_margin},
                       {"flat_cross_entropy", a.flat_cross_entropy},
                       {"single_step", single},
                       {"random_signs", signs},
                       {"float64", wide},
                       {"float64_tried", tried},
                       {"left_at_half", a.half.left},
                       {"of_witness", a.of_witness},
                       {"rows", a.rows}};
  const std::string witness = a.witness < 0 ? "NaN" : x.class_name(a.witness);
  f.evidence.tables.push_back(
      {"checks",
       "Signs of masked gradients: rows, each counted once, whatever the eps",
       {"check", "rows", "of"},
       {{std::string("gradient of the margin is zero"), a.flat_margin, a.rows},
        {std::string("gradient of the cross-entropy is zero (the scores as they are)"), a.flat_cross_entropy, a.rows},
        {fmt::format("broken by one step of eps, not by {}", Attacker::steps), single, a.rows},
        {fmt::format("broken by {} corners at random, not by the attack", random_draws), signs, a.rows},
        {fmt::format("broken by {} steps with gradients in float64, not by {} in float32 (of the first {} left at the "
                     "least and at the greatest eps: one in {} of the rows attacked)",
                     float64_steps, Attacker::steps, float64_rows(a.rows), float64_one_in),
         wide, tried},
        {fmt::format("left at eps = {}, half the range", a.half.eps.text), a.half.left, a.rows},
        {fmt::format("of the class that the constant row in mid-range is given: {}", witness), a.of_witness, a.rows}}});
  if (!reached)
    f.limits.emplace_back(
        "at half the range one constant row reaches all: that more rows are left than it names proves "
        "that the attack fails here");
  if (a.flat_margin > 0)
    f.limits.emplace_back(
        "rows whose margin has no gradient are attacked by cross-entropy and from random starts only");
  if (a.flat_cross_entropy > 0)
    f.limits.emplace_back(
        "a cross-entropy without a gradient hides rows from attacks on it alone: here its scores are divided by their "
        "median margin, and the margin is attacked too");
  return m;
}

void check_key(const Context&, const Claim& c) {
  const auto* eps = std::get_if<double>(&c.key.value);
  if (eps && !(*eps >= 0))
    throw usage_error("claim '{}': the key is a radius, 0 or above: write robustness.accuracy[8/255]", c.statement);
}

std::vector<PlanStep> plan(const Context& x) {
  if (x.options.rows == 0 || !is_float(x.subject.row_type().dtype) || !x.input_space().space) return {};
  const int64_t gradients = attacked_rows(x) * (std::ssize(radii_of(x)) + 1) * 2 * (Attacker::steps + 1);
  const int64_t wide = float64_rows(attacked_rows(x)) * float64_radii * 2 * (float64_steps + 1);
  const double flops = 3 * x.subject.record().flops;
  return {{"gradients of the attack, at most", gradients, "rows", flops * static_cast<double>(gradients)},
          {"gradients of the attack in float64, at most", wide, "rows", 2 * flops * static_cast<double>(wide)}};
}

std::vector<Measure> run(Context& x) {
  const auto left_out = [&](const std::string& why) {
    return all_left_out(x, "robustness", quantities, Status::not_run, why);
  };
  const Dtype input = x.subject.row_type().dtype;
  if (x.options.rows == 0) return left_out(std::string(too_dear));
  const Evaluation& e = x.evaluation();
  if (const std::string why = why_no_labels(e); !why.empty()) return left_out(why);
  if (is_float(input) && input != Dtype::float32 && input != Dtype::float64)
    return left_out(fmt::format("the input is {}: attacks take float32 and float64", name(input)));
  try {
    const FoundSpace& found = x.input_space();
    if (!found.space) return left_out(found.why);
    const Attacked a = attacked(x, *found.space);
    std::vector<Measure> out;
    out.push_back(accuracy(x, a, *found.space, {0, "0"}, a.right));
    for (const AtRadius& r : a.radii) out.push_back(accuracy(x, a, *found.space, r.eps, r.left));
    out.push_back(curve(x, a));
    out.push_back(masking(x, a));
    for (Measure& m : out)
      if (m.quantity == "robustness.accuracy" && *m.number > 0)
        m.finding.assumptions.push_back(fmt::format(
            "attack: the worse of cross-entropy of scores / {} and of the margin, each {} steps of 2.5 eps / {} from a "
            "random start, eps ascending; every point found was fed to the network again",
            in_sentence(a.scale), Attacker::steps, Attacker::steps));
    if (!e.nan_rows.empty())
      for (Measure& m : out)
        m.finding.limits.push_back(fmt::format("{} NaN: they count as wrong where they are attacked",
                                               counted(std::ssize(e.nan_rows), "row gives", "rows give")));
    return out;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::unsupported) throw;
    return left_out(error.message());
  }
}

}  // namespace

extern const Examiner robustness_examiner;
const Examiner robustness_examiner = {
    .name = "robustness",
    .doc = "accuracy under attack, an upper bound",
    .quantities = quantities,
    .needs_outputs = true,
    .check_key = check_key,
    .plan = plan,
    .run = run,
};

}  // namespace viva
