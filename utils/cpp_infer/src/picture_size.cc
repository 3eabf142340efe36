#include "picture_size.h"

#include <algorithm>
#include <map>
#include <string_view>

#include "bytes.h"
#include "jpeg.h"

namespace cpp_infer {
namespace {

using Pixels = std::optional<std::uint64_t>;
using Side = std::optional<std::uint32_t>;

Pixels Product(Side width, Side height) {
  return width && height ? Pixels(std::uint64_t{*width} * *height) : std::nullopt;
}

// A height below 0 stands for rows from the top downwards.
Side Magnitude(Side side) { return side && *side >> 31U != 0 ? Side(~*side + 1) : side; }

Pixels OfBmp(Bytes file) {
  constexpr std::uint32_t kOldHeaderSize = 12;  // its sides have 16 bits
  if (file.Number(14, 4, Endian::kLittle) == kOldHeaderSize) {
    return Product(file.Number(18, 2, Endian::kLittle), file.Number(20, 2, Endian::kLittle));
  }
  return Product(Magnitude(file.Number(18, 4, Endian::kLittle)), Magnitude(file.Number(22, 4, Endian::kLittle)));
}

// An offset or a value of a TIFF of 64 bits, as far as it fits into 32.
Side WideNumber(Bytes file, std::size_t at, Endian endian) {
  const Side high = file.Number(endian == Endian::kBig ? at : at + 4, 4, endian);
  return high == 0U ? file.Number(endian == Endian::kBig ? at + 4 : at, 4, endian) : std::nullopt;
}

// The first table of a TIFF has entries of tag, type, count and value. A tile is decoded whole: where it is larger than
// the picture, it counts.
Pixels OfTiff(Bytes file) {
  constexpr std::uint32_t kWidth = 256;
  constexpr std::uint32_t kHeight = 257;
  constexpr std::uint32_t kTileWidth = 322;
  constexpr std::uint32_t kTileHeight = 323;
  constexpr std::uint32_t kShortType = 3;
  const Endian endian = file.HasAt(0, "MM") ? Endian::kBig : Endian::kLittle;
  const bool is_wide = file.Number(2, 2, endian) == 43U;
  const Side table = is_wide ? WideNumber(file, 8, endian) : file.Number(4, 4, endian);
  const std::size_t entry_size = is_wide ? 20 : 12;
  const Side num_entries = !table    ? std::nullopt
                           : is_wide ? WideNumber(file, *table, endian)
                                     : file.Number(*table, 2, endian);
  std::map<std::uint32_t, Side> sides = {{kWidth, {}}, {kHeight, {}}, {kTileWidth, {}}, {kTileHeight, {}}};
  for (std::size_t i = 0; num_entries && i < *num_entries; ++i) {
    const std::size_t entry = std::size_t{*table} + (is_wide ? 8 : 2) + i * entry_size;
    const Side tag = file.Number(entry, 2, endian);
    if (!tag) {
      break;
    }
    if (const auto side = sides.find(*tag); side != sides.end()) {
      const std::size_t length = file.Number(entry + 2, 2, endian) == kShortType ? 2 : 4;
      const std::size_t value = entry + (is_wide ? 12 : 8);
      const bool is_long_wide = is_wide && file.Number(entry + 2, 2, endian) == 16U;
      side->second = is_long_wide ? WideNumber(file, value, endian) : file.Number(value, length, endian);
    }
  }
  const Pixels picture = Product(sides[kWidth], sides[kHeight]);
  const Pixels tile = Product(sides[kTileWidth], sides[kTileHeight]);
  return picture ? std::max(picture, tile) : std::nullopt;
}

Pixels OfWebp(Bytes file) {
  constexpr std::uint32_t kFourteenBits = 0x3FFF;
  const auto side = [](Side number, std::uint32_t shift) {
    return number ? Side((*number >> shift & kFourteenBits) + 1) : std::nullopt;
  };
  if (file.HasAt(12, "VP8X")) {
    const Side width = file.Number(24, 3, Endian::kLittle);
    const Side height = file.Number(27, 3, Endian::kLittle);
    return width && height ? Product(*width + 1, *height + 1) : std::nullopt;
  }
  if (file.HasAt(12, "VP8L")) {
    const Side both = file.Number(21, 4, Endian::kLittle);
    return Product(side(both, 0), side(both, 14));
  }
  const Side width = file.Number(26, 2, Endian::kLittle);
  const Side height = file.Number(28, 2, Endian::kLittle);
  return file.HasAt(12, "VP8 ") && width && height ? Product(*width & kFourteenBits, *height & kFourteenBits)
                                                   : std::nullopt;
}

// The code stream of JPEG 2000 begins with its size; in a .jp2 file it is in one of the boxes of length, name, content.
Pixels OfCodeStream(Bytes stream) {
  if (!stream.HasAt(0, "\xFF\x4F\xFF\x51")) {
    return std::nullopt;
  }
  const Side right = stream.Number(8, 4, Endian::kBig);
  const Side bottom = stream.Number(12, 4, Endian::kBig);
  return Product(right, bottom);  // the offsets that are subtracted from both are left out: at least as many
}

Pixels OfJpeg2000(Bytes file) {
  constexpr std::uint32_t kShortestBox = 8;
  for (std::size_t at = 0; const Side length = file.Number(at, 4, Endian::kBig);) {
    if (file.HasAt(at + 4, "jp2c")) {
      return OfCodeStream(file.Part(at + (*length == 1 ? 16 : 8), file.size()));
    }
    if (*length < kShortestBox) {
      break;
    }
    at += *length;
  }
  return std::nullopt;
}

// "P6 width height ...", with comments from # to the end of a line.
Pixels OfPpm(Bytes file) {
  std::uint32_t sides[2] = {0, 0};
  std::size_t at = 2;
  for (std::uint32_t& side : sides) {
    Side letter = file.Number(at, 1, Endian::kBig);
    while (letter && (*letter < '0' || *letter > '9')) {
      const bool is_comment = *letter == '#';
      do {
        letter = file.Number(++at, 1, Endian::kBig);
      } while (is_comment && letter && *letter != '\n');
    }
    for (; letter && *letter >= '0' && *letter <= '9'; letter = file.Number(++at, 1, Endian::kBig)) {
      constexpr std::uint32_t kMost = 100'000'000;
      side = std::min(kMost, side * 10 + (*letter - '0'));
    }
  }
  return Product(sides[0], sides[1]);
}

Pixels OfJpeg(const std::vector<std::uint8_t>& file) {
  const JpegHeader header = ReadJpegHeader(file);
  return header.num_channels > 0 ? Pixels(header.num_pixels) : std::nullopt;
}

bool IsPpm(Bytes file) {
  const Side kind = file.Number(1, 1, Endian::kBig);
  return file.HasAt(0, "P") && kind && *kind >= '1' && *kind <= '6';
}

}  // namespace

std::optional<std::uint64_t> NumPixels(const std::vector<std::uint8_t>& file) {
  const Bytes bytes(file.data(), file.size());
  if (IsJpeg(file)) {
    return OfJpeg(file);
  }
  if (bytes.HasAt(0, "\x89PNG\r\n\x1a\n") && bytes.HasAt(12, "IHDR")) {
    return Product(bytes.Number(16, 4, Endian::kBig), bytes.Number(20, 4, Endian::kBig));
  }
  if (bytes.HasAt(0, "BM")) {
    return OfBmp(bytes);
  }
  if (bytes.HasAt(0, "II") || bytes.HasAt(0, "MM")) {
    return OfTiff(bytes);
  }
  if (bytes.HasAt(0, "RIFF") && bytes.HasAt(8, "WEBP")) {
    return OfWebp(bytes);
  }
  if (bytes.HasAt(0, "GIF8")) {
    return Product(bytes.Number(6, 2, Endian::kLittle), bytes.Number(8, 2, Endian::kLittle));
  }
  if (bytes.HasAt(4, "jP  \r\n\x87\n")) {
    return OfJpeg2000(bytes);
  }
  return IsPpm(bytes) ? OfPpm(bytes) : OfCodeStream(bytes);
}

}  // namespace cpp_infer
