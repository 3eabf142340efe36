#include "exif.h"

#include <optional>

#include "bytes.h"

namespace cpp_infer {
namespace {

constexpr std::uint32_t kOrientationTag = 0x0112;
constexpr std::size_t kEntrySize = 12;
constexpr std::string_view kExifMark("Exif\0\0", 6);

Bytes StripMark(Bytes block) { return block.HasAt(0, kExifMark) ? block.Part(kExifMark.size(), block.size()) : block; }

std::optional<Bytes> FindInJpeg(Bytes file) {
  constexpr std::uint32_t kFirstSegment = 0xFFE1;
  constexpr std::uint32_t kStartOfScan = 0xFFDA;
  for (std::size_t at = 2; const auto marker = file.Number(at, 2, Endian::kBig);) {
    const auto length = file.Number(at + 2, 2, Endian::kBig);
    if (!length || *marker >> 8U != 0xFF || *marker == kStartOfScan) {
      return std::nullopt;
    }
    if (*marker == kFirstSegment && file.HasAt(at + 4, kExifMark)) {
      return StripMark(file.Part(at + 4, *length - 2));
    }
    at += 2 + *length;
  }
  return std::nullopt;
}

// PNG and WebP are rows of chunks of a name and a length; a PNG has a checksum behind each, a WebP an even length.
std::optional<Bytes> FindInPng(Bytes file) {
  for (std::size_t at = 8; const auto length = file.Number(at, 4, Endian::kBig);) {
    if (file.HasAt(at + 4, "eXIf")) {
      return StripMark(file.Part(at + 8, *length));
    }
    at += std::size_t{12} + *length;
  }
  return std::nullopt;
}

std::optional<Bytes> FindInWebp(Bytes file) {
  for (std::size_t at = 12; const auto length = file.Number(at + 4, 4, Endian::kLittle);) {
    if (file.HasAt(at, "EXIF")) {
      return StripMark(file.Part(at + 8, *length));
    }
    at += std::size_t{8} + *length + *length % 2;
  }
  return std::nullopt;
}

std::optional<Bytes> FindExif(Bytes file) {
  if (file.HasAt(0, "\xFF\xD8\xFF")) {
    return FindInJpeg(file);
  }
  if (file.HasAt(0, "\x89PNG")) {
    return FindInPng(file);
  }
  return file.HasAt(0, "RIFF") && file.HasAt(8, "WEBP") ? FindInWebp(file) : std::nullopt;
}

// `block` is a TIFF: its byte order, the offset of a table, and there entries of tag, type, count and value.
std::optional<std::uint32_t> FindOrientation(Bytes block) {
  const Endian endian = block.HasAt(0, "MM") ? Endian::kBig : Endian::kLittle;
  if (endian == Endian::kLittle && !block.HasAt(0, "II")) {
    return std::nullopt;
  }
  const auto table = block.Number(4, 4, endian);
  const auto num_entries = table ? block.Number(*table, 2, endian) : std::nullopt;
  for (std::size_t i = 0; num_entries && i < *num_entries; ++i) {
    const std::size_t entry = *table + 2 + i * kEntrySize;
    if (block.Number(entry, 2, endian) == kOrientationTag) {
      return block.Number(entry + 8, 2, endian);
    }
  }
  return std::nullopt;
}

}  // namespace

int ExifOrientation(const std::vector<std::uint8_t>& file) {
  const auto block = FindExif(Bytes(file.data(), file.size()));
  const auto orientation = block ? FindOrientation(*block) : std::nullopt;
  return orientation && *orientation >= 1 && *orientation <= 8 ? static_cast<int>(*orientation) : 1;
}

}  // namespace cpp_infer
