// The longer sections of the page, each a complete <section> or nothing.
#pragma once

#include <span>
#include <string>

#include "examine/finding.h"
#include "report/ledger.h"

namespace viva {

// Rulings, and earlier ones of the same claims.
std::string claims_section(const Report& report, std::span<const EarlierRuling> earlier);
std::string headline_section(const Report& report);  // accuracy, scores, what can be detected
std::string recall_section(const Report& report);    // per class, with plots
std::string identity_section(const Report& report);  // files, hashes, coverage
std::string area_sections(const Report& report);     // one <section> an examiner beyond identity and risk
std::string findings_section(const Report& report);  // one row a finding of identity and risk
std::string evidence_section(const Report& report);  // assumptions, tables, example rows

}  // namespace viva
