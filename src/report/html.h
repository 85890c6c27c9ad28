// A report as one page: no network, nothing that needs the script to be read, every string escaped.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "examine/finding.h"
#include "report/json.h"
#include "report/ledger.h"

namespace viva {

// At most 5 MB: long strings and lists are cut, and the page says that report.json has the rest.
// `ledger`: rulings of which those on what this report's claims speak of are shown, or that there are none.
std::string report_html(const Report& report, ReportOptions options, const Ledger& ledger = {});
std::string_view report_style();   // the style sheet, as shipped
std::string_view report_script();  // likewise: sorts and copies tables, shows what marks are

}  // namespace viva
