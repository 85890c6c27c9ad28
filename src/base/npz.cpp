#include <zip.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/npy.h"

namespace viva {
namespace {

// Member names are taken as they are: libzip would otherwise guess their encoding.
constexpr zip_flags_t raw = ZIP_FL_ENC_RAW;

std::string text_of(int code) {
  zip_error_t e;
  zip_error_init_with_code(&e, code);
  std::string text = zip_error_strerror(&e);
  zip_error_fini(&e);
  return text;
}

Error corrupt(const std::string& name, const std::string& why) {
  return input_error("{}: is not a sound npz file ({}): save it again with numpy.savez", name, printable(why));
}

struct CloseArchive {
  void operator()(zip_t* z) const { zip_discard(z); }
};
struct CloseMember {
  void operator()(zip_file_t* f) const { zip_fclose(f); }
};

std::unique_ptr<zip_t, CloseArchive> open_archive(const Bytes& content, const std::string& name) {
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* source = zip_source_buffer_create(content.data(), content.size(), 0, &error);
  zip_t* archive = source ? zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &error) : nullptr;
  if (!archive && source) zip_source_free(source);
  const std::string why = archive ? "" : zip_error_strerror(&error);
  zip_error_fini(&error);
  if (!archive) throw corrupt(name, why);
  return std::unique_ptr<zip_t, CloseArchive>(archive);
}

}  // namespace

struct Npz::Archive {
  Bytes content;  // libzip reads from it
  std::unique_ptr<zip_t, CloseArchive> zip;
  std::vector<zip_uint64_t> members;  // the index of each key

  Bytes unpack(zip_uint64_t index, const std::string& name, uint64_t limit) const;
};

bool is_zip(ByteSpan content) {
  // "PK\5\6" is a zip file without members.
  return content.size() >= 4 &&
         (read_big<uint32_t>(content.data()) == 0x504b0304 || read_big<uint32_t>(content.data()) == 0x504b0506);
}

Npz::Npz(Bytes content, std::string name) : name_(std::move(name)) {
  if (!is_zip(content)) throw input_error("{}: is not an npz file: save it with numpy.savez", name_);
  archive_ = std::make_unique<Archive>();
  archive_->content = std::move(content);
  archive_->zip = open_archive(archive_->content, name_);
  const zip_int64_t count = zip_get_num_entries(archive_->zip.get(), 0);
  for (zip_int64_t i = 0; i < count; ++i) {
    const char* member = zip_get_name(archive_->zip.get(), static_cast<zip_uint64_t>(i), raw);
    std::string key = member ? member : "";
    if (!key.ends_with(".npy")) continue;
    key.resize(key.size() - 4);
    keys_.push_back(std::move(key));
    archive_->members.push_back(static_cast<zip_uint64_t>(i));
  }
  std::vector<std::string> sorted = keys_;
  std::ranges::sort(sorted);
  const auto twice = std::ranges::adjacent_find(sorted);
  if (twice != sorted.end()) throw corrupt(name_, "two members are called " + *twice);
}
Npz::~Npz() = default;
Npz::Npz(Npz&&) noexcept = default;
Npz& Npz::operator=(Npz&&) noexcept = default;

bool Npz::has(const std::string& key) const { return std::ranges::find(keys_, key) != keys_.end(); }

Bytes Npz::Archive::unpack(zip_uint64_t index, const std::string& name, uint64_t limit) const {
  zip_stat_t s;
  if (zip_stat_index(zip.get(), index, 0, &s) != 0) throw corrupt(name, zip_strerror(zip.get()));
  constexpr zip_uint64_t needed =
      ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD | ZIP_STAT_CRC;
  if ((s.valid & needed) != needed) throw corrupt(name, "a member without size or checksum");
  if (s.encryption_method != ZIP_EM_NONE) throw input_error("{}: is encrypted: save it without a password", name);
  if (s.comp_method != ZIP_CM_STORE && s.comp_method != ZIP_CM_DEFLATE)
    throw input_error("{}: is packed by method {}: save it with numpy.savez or savez_compressed", name, s.comp_method);
  if (s.size > limit)
    throw input_error("{}: has {} bytes, more than the limit of {}: use fewer rows", name, s.size, limit);
  // Deflate never exceeds 1032 : 1, so a larger size is refused before memory is asked for.
  if (s.size / 1032 > s.comp_size)
    throw corrupt(name, fmt::format("{} packed bytes cannot hold {}", s.comp_size, s.size));
  const std::unique_ptr<zip_file_t, CloseMember> file(zip_fopen_index(zip.get(), index, 0));
  if (!file) throw corrupt(name, zip_strerror(zip.get()));
  Bytes out = Bytes::make(s.size + 1);  // one more: the checksum is compared at the end
  uint64_t done = 0;
  while (done < out.size()) {
    const zip_int64_t n = zip_fread(file.get(), out.mutable_data() + done, out.size() - done);
    if (n < 0) throw corrupt(name, text_of(zip_error_code_zip(zip_file_get_error(file.get()))));
    if (n == 0) break;
    done += static_cast<uint64_t>(n);
  }
  if (done != s.size) throw corrupt(name, fmt::format("a member has {} bytes and states {}", done, s.size));
  out.truncate(done);
  return out;
}

Array Npz::read(const std::string& key, uint64_t limit) const {
  const auto it = std::ranges::find(keys_, key);
  if (it == keys_.end()) {
    std::vector<std::string> shown;
    for (const auto& k : keys_) shown.push_back(printable(k));
    throw input_error("{}: has no array '{}': it holds {}", name_, printable(key),
                      shown.empty() ? "none" : fmt::format("{}", fmt::join(shown, ", ")));
  }
  const std::string member = fmt::format("{}[{}]", name_, printable(key));
  return parse_npy(archive_->unpack(archive_->members[static_cast<size_t>(it - keys_.begin())], member, limit), member);
}

}  // namespace viva
