// The longer sections of the page, each a complete <section> or nothing.
#pragma once

#include <span>
#include <string>

#include "examine/finding.h"
#include "report/ledger.h"

namespace viva {

// Rulings, and earlier ones of the same claims.
std::string claims_section(const Report& report, const Ledger& ledger);
std::string baselines_section(const Report& report);  // accuracy beside others, the smallest detectable difference
std::string diagnoses_section(const Report& report);
std::string errors_section(const Report& report);    // at random beside the most confident
std::string identity_section(const Report& report);  // files, hashes, coverage
std::string area_sections(const Report& report);     // one <section> an examiner: plots, findings, evidence
std::string rows_section(const Report& report);      // every row that the page names

}  // namespace viva
