// What an examination states: findings, the claims they rule on, and the records of what was examined.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace viva {

enum class Target : uint8_t { these_rows, rows_drawn_like_these, this_file };
enum class Kind : uint8_t { exact, estimate, bound };
enum class Sided : uint8_t { two, lower, upper };  // lower: only a lower bound is stated
enum class Verdict : uint8_t { supported, refuted, undecided, none };
enum class Status : uint8_t { run, withheld, not_run };
// As written in reports: "rows drawn like these", "not run", …
std::string_view to_string(Target t);
std::string_view to_string(Kind k);
std::string_view to_string(Sided s);
std::string_view to_string(Verdict v);
std::string_view to_string(Status s);

struct Interval {
  std::optional<double> low, high;  // absent: nothing is stated on that side
  double level = .95;               // probability that the procedure covers the truth
  std::string method;
  Sided sided = Sided::two;
  std::string coverage = {};  // what is known of how often the method covers, in words
};

// Findings whose intervals hold together.
struct Family {
  std::string id;
  int64_t size = 1;
  std::string adjustment;
};

struct CheckResult {
  std::string what;
  bool passed = false;
};

struct RowsUsed {
  std::string data;   // id of a data record
  std::string which;  // "all", or the rule that picks them
  int64_t count = 0;
};

// Evidence: small aggregates and example rows, never whole data sets.
using Cell = std::variant<std::monostate, int64_t, double, std::string>;
// Columns that hold an estimate and the ends of its interval: shown in the digits that its width allows.
struct IntervalColumns {
  std::optional<size_t> estimate, low, high;
};
struct Table {
  std::string id, title;
  std::vector<std::string> columns;
  std::vector<std::vector<Cell>> rows;
  std::vector<IntervalColumns> intervals = {};
};
struct Point {
  std::string label;
  std::optional<double> x, y, low, high;
};
struct Series {
  std::string id, title, x, y;  // x and y name the axes
  std::vector<Point> points;
};
struct Examples {
  std::string id, title, data;  // data: id of the data record that the row numbers (from 0) count in
  std::vector<std::pair<int64_t, std::string>> rows;
};
struct Count {
  std::string id;
  int64_t count = 0;
};
struct Evidence {
  std::vector<Count> counts;
  std::vector<Table> tables;
  std::vector<Series> series;
  std::vector<Examples> examples;
};

struct Cost {
  double seconds = 0;
  int64_t evaluations = 0;  // rows sent through the network
  double flops = 0;
  int64_t shared_by = 1;  // findings that came of the same work: each states all of it
};

struct Finding {
  std::string id;  // examiner.quantity[key]
  std::string title;
  Target target = Target::these_rows;
  Kind kind = Kind::exact;
  std::optional<double> estimate;
  std::string unit_of_estimate;
  std::optional<int64_t> n;  // how many units
  std::string unit;          // what is counted as independent, "" where nothing is
  std::optional<RowsUsed> rows_used;
  std::optional<Interval> interval;
  std::optional<Family> family;
  std::vector<std::string> assumptions;
  std::optional<CheckResult> check;
  Verdict verdict = Verdict::none;
  Status status = Status::run;
  std::string why;  // of a status other than run, an estimate or interval that is missing, or a classification
  Evidence evidence;
  Cost cost;
  std::vector<std::string> limits;
};

enum class Comparison : uint8_t { at_least, at_most, above, below };
std::string_view to_string(Comparison op);  // ">=", "<=", ">", "<"

// The key of a quantity: none, a quoted string, or a number; `text` is how the user wrote it, without brackets.
struct ClaimKey {
  std::variant<std::monostate, std::string, double> value;
  std::string text;
  bool none() const { return value.index() == 0; }
};

struct Claim {
  std::string id;         // "claim.1", …, in the order given; "claim.ID" from a file of claims
  std::string statement;  // normalised spelling
  std::string examiner, quantity;
  ClaimKey key;
  Comparison op = Comparison::at_least;
  double value = 0;
  // The key as what was ruled on has it, both where a class has a name and an index.
  std::string key_name = {};
  std::optional<double> key_number = {};
  std::string finding;  // id of the finding that was ruled on
  Verdict ruling = Verdict::none;
  std::string would_decide;  // of an undecided claim, in plain words
};

struct FileRecord {
  std::string path, sha256;
  int64_t bytes = 0;
};

struct OperatorCount {
  std::string op;  // with its domain unless that is ONNX's own
  int64_t count = 0;
};

struct Missing {
  std::string op, why;
};

// An output of the file.
struct OutputRecord {
  std::string name, type;  // as the file states it
  int64_t classes = 0;     // columns, where it holds floats, one for each of at least two classes
};

// Whether the operators of a graph have the rules that one transformation needs.
struct Coverage {
  std::string transformation;  // jvp, split, transpose, vmap, lower
  std::vector<Missing> missing;
};

// How rows are fed: the file's batch dimension is free; it is fixed at 1 and the graph was vectorised; or it is fixed
// above 1 and rows go in chunks of that size, the last one padded.
enum class BatchMode : uint8_t { symbolic, vectorised, padded };
std::string_view to_string(BatchMode b);

struct ModelRecord {
  std::string id = "model";
  std::string path, sha256;
  std::vector<FileRecord> files;  // the model and the external data it names
  std::string producer;
  int64_t ir_version = 0;
  std::vector<std::pair<std::string, int64_t>> opsets;  // domain and version
  std::vector<OperatorCount> operators;
  int64_t parameters = 0;
  double flops = 0;                                              // of one example, 2 a multiply-add
  std::string input_name, input_type, output_name, output_type;  // types with the batch dimension as in the file
  std::vector<OutputRecord> outputs;                             // all, in the file's order
  std::string output_why;                                        // why that one is examined, where there are several
  std::optional<int64_t> index_extent;  // all values of the input index a table: they lie in [-extent, extent)
  bool computed_indexes = false;        // indexes of a table are computed from the input
  BatchMode batch = BatchMode::symbolic;
  int64_t batch_size = 0;                       // of the file where it is fixed, else 0
  std::string prepended;                        // what is done to rows before the file's graph, "" for nothing
  std::vector<std::string> training_operators;  // in training mode, by node name
  std::optional<int64_t> softmax_axis;          // of the last node where that is a Softmax over the classes
  std::string unit_end;                         // the last operator where that gives numbers in [0, 1]: Sigmoid, Clip
  std::string activation_end;                   // where that is another activation: Tanh, Relu
  std::vector<Coverage> coverage;
  std::vector<std::string> classes;  // names in the file's metadata, where there are as many as classes
  std::vector<std::pair<std::string, std::string>> metadata;  // of the file
};

struct DataRecord {
  std::string id;    // "data" or "train"
  std::string spec;  // as on the command line
  std::vector<FileRecord> files;
  int64_t rows = 0;
  std::string row_type;
  std::string scaling;  // what was done to the stored values, "" for nothing
  std::string layout;   // how a stored row was read as one of the network's, "" where the shapes agree
  std::vector<std::string> classes;
  std::optional<int64_t> groups;  // how many, where rows come in groups
  std::string role = "unknown";   // unknown, test, selection or train: what the rows were used for before
};

// "3 outputs (coarse, fine, label): only fine is examined, the only one with 10 columns, …"; "" where there is one.
std::string outputs_in_words(const ModelRecord& m);

// A row of the data that a finding names.
struct ShownRow {
  std::string data;  // id of the data record
  int64_t row = 0;
  std::string label = {}, predicted = {};
  std::optional<double> confidence = {}, loss = {};
  int64_t height = 0, width = 0, channels = 0;  // of the image; 1 or 3 channels, the last index
  std::vector<uint8_t> pixels = {};             // empty where a row is no image
  std::string values = {};                      // the first numbers of a row that is no image
};

struct Diagnosis {
  std::string id, title, text;
};

// Element k of a row as a network takes it: slope[k] · given[from[k]] + offset[k]; without slopes, given[from[k]].
struct InputMap {
  std::vector<int64_t> from;
  std::vector<double> slope, offset;
};

// What is done to a network to mend a diagnosis.
struct Mend {
  std::string diagnosis, what;
  InputMap map;                       // before the network, where `from` is not empty
  std::optional<double> temperature;  // its logits are divided by it
  bool logarithms = false;            // the logits are the logarithms of its outputs
};

struct Limit {
  std::string id, text;
};

struct Report {
  std::string viva;     // version
  std::string command;  // canonical
  uint64_t seed = 0;
  std::vector<ModelRecord> models;
  std::vector<DataRecord> data;
  std::vector<FileRecord> claim_files;
  std::vector<Claim> claims;
  std::vector<Finding> findings;
  std::vector<Diagnosis> diagnosis;
  std::vector<Mend> mends;  // of the diagnoses that a change of the graph mends
  std::vector<Limit> limits;
  std::vector<ShownRow> rows;
  Cost cost;
  int threads = 1;
  const Finding* find(std::string_view id) const;
};

}  // namespace viva
