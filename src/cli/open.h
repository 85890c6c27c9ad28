// What the openers of verb.h are made of.
#pragma once

#include <memory>
#include <string>

#include "cli/verb.h"
#include "data/dataset.h"

namespace viva {

// A model file as a subject. Throws an input error where the file is no model, an unsupported error where the engine
// does not cover it.
std::unique_ptr<Subject> open_subject(const std::string& path, const SubjectChoice& choice);
// A labelled data set, as the subject takes its rows: see rows.h.
RowSource open_rows(std::shared_ptr<const Dataset> data, const std::string& spec, const std::string& id,
                    const Subject& subject);

}  // namespace viva
