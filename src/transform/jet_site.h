#pragma once

#include "transform/jet_terms.h"

namespace viva {

// Where the jet rule of a term works.
class JetTermSite final : public JetSite {
 public:
  JetTermSite(JetTerms& terms, const Node& n, JetTerms::Term& t, int64_t k)
      : JetSite(terms.b_, n, terms.tf_, k,
                {t.limit, terms.series_.directions, terms.series_.directions > 0 && t.limit >= t.top},
                terms.series_.directions > 0 && k == t.top),
        terms_(terms),
        t_(t) {}
  Coefficient in(size_t operand, int64_t k) override { return terms_.at(node.in[operand], k); }
  Coefficient out(size_t port, int64_t k) override { return terms_.at(node.out(static_cast<int>(port)), k); }
  void set(size_t port, int64_t k, Coefficient c) override {
    if (k > 0 && k < order) return;
    std::vector<Coefficient>& s = t_.series[port];
    if (s.size() <= static_cast<size_t>(k)) s.resize(static_cast<size_t>(k) + 1);
    s[static_cast<size_t>(k)] = c;
  }
  void finish() override { t_.known = t_.limit; }

 private:
  JetTerms& terms_;
  JetTerms::Term& t_;
};

}  // namespace viva
