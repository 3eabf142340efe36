#include "jpeg.h"

#include <jpeglib.h>

#include <algorithm>
#include <csetjmp>
#include <cstdio>  // jpeglib.h needs FILE
#include <memory>

#include "bytes.h"
#include "cpp_infer/errors.h"

namespace cpp_infer {
namespace {

constexpr std::uint32_t kEndOfImage = 0xD9;
constexpr std::uint32_t kStartOfScan = 0xDA;

// Start of frame of any coding process: it has the size and the number of channels.
bool IsStartOfFrame(std::uint32_t marker) {
  return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

// Markers without content that stand inside the data of a scan: a stuffed zero, restarts, fill bytes.
bool IsInsideScan(std::uint32_t marker) { return marker == 0 || marker == 0xFF || (marker >= 0xD0 && marker <= 0xD7); }

// libjpeg reports an error by a call that must not return; no object with a destructor may live between the two.
struct ErrorManager {
  jpeg_error_mgr base;
  std::jmp_buf on_error;
};

void JumpOut(j_common_ptr decoder) {
  std::longjmp(reinterpret_cast<ErrorManager*>(decoder->err)->on_error, 1);  // NOLINT(cert-err52-cpp)
}

void StayQuiet(j_common_ptr /*decoder*/) {}

bool Start(jpeg_decompress_struct* decoder, ErrorManager* errors, const std::vector<std::uint8_t>& file) {
  if (setjmp(errors->on_error) != 0) {  // NOLINT(cert-err52-cpp): libjpeg's own way
    return false;
  }
  jpeg_mem_src(decoder, file.data(), file.size());
  if (jpeg_read_header(decoder, TRUE) != JPEG_HEADER_OK) {
    return false;
  }
  decoder->out_color_space = JCS_CMYK;
  return jpeg_start_decompress(decoder) == TRUE;
}

bool ReadRows(jpeg_decompress_struct* decoder, ErrorManager* errors, std::uint8_t* rows) {
  if (setjmp(errors->on_error) != 0) {  // NOLINT(cert-err52-cpp): libjpeg's own way
    return false;
  }
  const std::size_t row_size = std::size_t{4} * decoder->output_width;
  while (decoder->output_scanline < decoder->output_height) {
    JSAMPROW row = rows + decoder->output_scanline * row_size;
    (void)jpeg_read_scanlines(decoder, &row, 1);  // memory never makes it wait: one row, or the jump
  }
  return true;
}

// value * share / 255, rounded, as Pillow computes it.
int Scaled(int value, int share) {
  const int product = value * share + 128;
  return ((product >> 8) + product) >> 8;
}

// As Pillow does, it takes the numbers for how much light there is, not how much ink: Adobe's way.
cv::Mat CmykToRgb(const cv::Mat& cmyk) {
  cv::Mat rgb(cmyk.size(), CV_8UC3);
  for (int y = 0; y < cmyk.rows; ++y) {
    const auto* source = cmyk.ptr<cv::Vec4b>(y);
    auto* target = rgb.ptr<cv::Vec3b>(y);
    for (int x = 0; x < cmyk.cols; ++x) {
      const int light = source[x][3];
      for (int channel = 0; channel < 3; ++channel) {
        const int ink = 255 - source[x][channel];
        target[x][channel] = static_cast<std::uint8_t>(std::max(0, light - Scaled(ink, light)));
      }
    }
  }
  return rgb;
}

}  // namespace

bool IsJpeg(const std::vector<std::uint8_t>& file) { return Bytes(file.data(), file.size()).HasAt(0, "\xFF\xD8\xFF"); }

JpegHeader ReadJpegHeader(const std::vector<std::uint8_t>& file) {
  const Bytes bytes(file.data(), file.size());
  JpegHeader header;
  bool is_in_scan = false;
  for (std::size_t at = 2; const auto marker = bytes.Number(at, 2, Endian::kBig);) {
    const std::uint32_t code = *marker & 0xFFU;
    if (*marker >> 8U != 0xFF || (is_in_scan && IsInsideScan(code)) || code == 0xFF) {
      ++at;
      continue;
    }
    if (code == kEndOfImage) {
      header.is_complete = true;
      break;
    }
    if (IsStartOfFrame(code)) {
      header.num_channels = static_cast<int>(bytes.Number(at + 9, 1, Endian::kBig).value_or(0));
      const std::uint64_t height = bytes.Number(at + 5, 2, Endian::kBig).value_or(0);
      header.num_pixels = std::max(header.num_pixels, height * bytes.Number(at + 7, 2, Endian::kBig).value_or(0));
    }
    is_in_scan = code == kStartOfScan;
    at += 2 + bytes.Number(at + 2, 2, Endian::kBig).value_or(0);
  }
  return header;
}

cv::Mat DecodeCmykJpeg(const std::vector<std::uint8_t>& file) {
  ErrorManager errors{};
  jpeg_decompress_struct decoder{};
  decoder.err = jpeg_std_error(&errors.base);
  errors.base.error_exit = JumpOut;
  errors.base.output_message = StayQuiet;
  jpeg_create_decompress(&decoder);
  const std::unique_ptr<jpeg_decompress_struct, decltype(&jpeg_destroy_decompress)> owner(&decoder,
                                                                                          jpeg_destroy_decompress);
  if (!Start(&decoder, &errors, file)) {
    throw ImageError("has a damaged header");
  }
  cv::Mat cmyk(static_cast<int>(decoder.output_height), static_cast<int>(decoder.output_width), CV_8UC4);
  if (!ReadRows(&decoder, &errors, cmyk.data)) {
    throw ImageError("is damaged");
  }
  return CmykToRgb(cmyk);
}

}  // namespace cpp_infer
