#include "base/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>

#include "base/error.h"

namespace viva {
namespace {

constexpr uint64_t chunk = uint64_t{1} << 30;  // zlib counts in 32 bits

// One zlib stream: the input is consumed from the front of `in`, in pieces that fit zlib's counters.
class Inflater {
 public:
  Inflater(ByteSpan in, int window_bits, const std::string& name) : in_(in), name_(name) {
    if (inflateInit2(&z_, window_bits) != Z_OK) throw internal_error("zlib does not start: {}", message());
  }
  ~Inflater() { inflateEnd(&z_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  ByteSpan left() const { return in_; }
  bool ended() const { return ended_; }
  void restart() {
    inflateReset(&z_);
    ended_ = false;
  }

  // Fills as much of `out` as the stream gives and returns how much; less than asked for only at the stream's end.
  size_t fill(std::span<std::byte> out) {
    size_t done = 0;
    while (!ended_ && done < out.size()) {
      const auto give = static_cast<uInt>(std::min<uint64_t>(in_.size(), chunk));
      const auto want = static_cast<uInt>(std::min<uint64_t>(out.size() - done, chunk));
      z_.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(in_.data()));
      z_.avail_in = give;
      z_.next_out = reinterpret_cast<Bytef*>(out.data() + done);
      z_.avail_out = want;
      const int status = inflate(&z_, Z_NO_FLUSH);
      in_ = in_.subspan(give - z_.avail_in);
      done += want - z_.avail_out;
      if (status == Z_STREAM_END) ended_ = true;
      else if (status == Z_BUF_ERROR || (status == Z_OK && in_.empty() && z_.avail_out > 0)) {
        throw input_error("{}: the compressed data end too early: the file was cut off; fetch it again", name_);
      } else if (status == Z_MEM_ERROR) {
        throw input_error("{}: no memory to decompress it", name_);
      } else if (status != Z_OK) {
        throw input_error("{}: the compressed data are corrupt ({}): fetch the file again", name_, message());
      }
    }
    return done;
  }

 private:
  const char* message() const { return z_.msg ? z_.msg : "no details"; }

  z_stream z_{};
  ByteSpan in_;
  const std::string& name_;
  bool ended_ = false;
};

Bytes grown(const Bytes& old, size_t used, size_t capacity) {
  Bytes b = Bytes::make(capacity);
  if (used > 0) std::memcpy(b.mutable_data(), old.data(), used);
  return b;
}

// The trailer holds the size modulo 2^32 of the last member: a guess only, and deflate never exceeds 1032 : 1.
size_t guess_size(ByteSpan content, uint64_t limit) {
  const uint64_t stated = content.size() < 18 ? 0 : read_little<uint32_t>(&content[content.size() - 4]);
  return std::min({stated, content.size() * 1032, limit}) + 1;
}

}  // namespace

bool is_gzip(ByteSpan content) {
  return content.size() >= 2 && content[0] == std::byte{0x1f} && content[1] == std::byte{0x8b};
}

Bytes gunzip(ByteSpan content, const std::string& name, uint64_t limit) {
  Inflater z(content, 15 + 16, name);
  Bytes out = Bytes::make(guess_size(content, limit));
  size_t used = 0;
  for (;;) {
    used += z.fill({out.mutable_data() + used, out.size() - used});
    if (used > limit) throw input_error("{}: more than {} bytes when decompressed, which is the limit", name, limit);
    if (z.ended()) {
      if (z.left().empty()) break;
      if (!is_gzip(z.left()))
        throw input_error("{}: {} bytes follow the compressed data: fetch the file again", name, z.left().size());
      z.restart();
    }
    if (used == out.size()) out = grown(out, used, static_cast<size_t>(std::min<uint64_t>(used * 2, limit + 1)));
  }
  out.truncate(used);
  return out;
}

Bytes inflate_raw(ByteSpan content, const std::string& name, uint64_t size) {
  if (size / 1032 > content.size())
    throw input_error("{}: {} bytes cannot hold the {} that it states: the file is corrupt", name, content.size(),
                      size);
  Inflater z(content, -15, name);
  Bytes out = Bytes::make(size + 1);  // one more shows a stream that gives too much
  const size_t used = z.fill({out.mutable_data(), out.size()});
  if (used != size || !z.left().empty())
    throw input_error("{}: the compressed data do not give the {} bytes stated: the file is corrupt", name, size);
  out.truncate(size);
  return out;
}

uint32_t crc32_of(ByteSpan content) {
  return static_cast<uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(content.data()), content.size()));
}

}  // namespace viva
