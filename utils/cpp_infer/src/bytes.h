// Reading numbers out of a part of a file, with a check at every step.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

namespace cpp_infer {

enum class Endian { kBig, kLittle };

// A part of a file; it does not own the bytes.
class Bytes {
 public:
  Bytes(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}

  std::size_t size() const { return size_; }

  // Returns an unsigned number of `length` bytes, nothing where the part ends before it does.
  std::optional<std::uint32_t> Number(std::size_t offset, std::size_t length, Endian endian) const {
    if (offset > size_ || length > size_ - offset) {
      return std::nullopt;
    }
    std::uint32_t number = 0;
    for (std::size_t i = 0; i < length; ++i) {
      number = number << 8U | data_[offset + (endian == Endian::kBig ? i : length - 1 - i)];
    }
    return number;
  }

  bool HasAt(std::size_t offset, std::string_view text) const {
    return offset <= size_ && text.size() <= size_ - offset &&
           std::memcmp(data_ + offset, text.data(), text.size()) == 0;
  }

  // Returns at most `size` bytes from `offset` on.
  Bytes Part(std::size_t offset, std::size_t size) const {
    const std::size_t start = offset < size_ ? offset : size_;
    return {data_ + start, size < size_ - start ? size : size_ - start};
  }

 private:
  const std::uint8_t* data_;
  std::size_t size_;
};

}  // namespace cpp_infer
