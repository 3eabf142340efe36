#include "decode.h"

#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <optional>
#include <string>
#include <utility>

#include "cpp_infer/errors.h"
#include "exif.h"
#include "jpeg.h"
#include "picture_size.h"

namespace cpp_infer {
namespace {

// Grey keeps the scale 65535 to 255; of colours Pillow takes the high byte.
cv::Mat ToEightBits(const cv::Mat& image) {
  cv::Mat result(image.size(), CV_MAKETYPE(CV_8U, image.channels()));
  const bool is_grey = image.channels() == 1;
  const int num_columns = image.cols * image.channels();
  for (int y = 0; y < image.rows; ++y) {
    const auto* source = image.ptr<std::uint16_t>(y);
    auto* target = result.ptr<std::uint8_t>(y);
    for (int x = 0; x < num_columns; ++x) {
      target[x] = static_cast<std::uint8_t>(is_grey ? (source[x] + 128) / 257 : source[x] >> 8);
    }
  }
  return result;
}

cv::Mat ToRgb(cv::Mat image) {
  if (image.depth() == CV_16U) {
    image = ToEightBits(image);
  }
  if (image.depth() != CV_8U) {
    throw ImageError("has pixels whose range is not defined; save it with 8 bits per channel");
  }
  cv::Mat rgb;
  cv::cvtColor(image, rgb, image.channels() == 1 ? cv::COLOR_GRAY2RGB : cv::COLOR_BGR2RGB);
  return rgb;
}

cv::Mat DecodeByOpenCv(const std::vector<std::uint8_t>& file) {
  constexpr int kFlags = cv::IMREAD_ANYCOLOR | cv::IMREAD_ANYDEPTH | cv::IMREAD_IGNORE_ORIENTATION;
  try {
    cv::Mat image = cv::imdecode(file, kFlags);
    if (image.empty()) {
      throw ImageError("is damaged or not an image of a known format");
    }
    return ToRgb(std::move(image));
  } catch (const cv::Exception& error) {
    throw ImageError("cannot be decoded (" + error.err + ")");
  }
}

// Returns how an orientation is mirrored, after rows and columns were exchanged, in the words of cv::flip.
std::optional<int> FlipCode(int orientation) {
  constexpr int kVertically = 0;
  constexpr int kHorizontally = 1;
  constexpr int kBoth = -1;
  switch (orientation) {
    case 2:
    case 6:
      return kHorizontally;
    case 3:
    case 7:
      return kBoth;
    case 4:
    case 8:
      return kVertically;
    default:
      return std::nullopt;
  }
}

}  // namespace

cv::Mat ApplyOrientation(const cv::Mat& image, int orientation) {
  cv::Mat turned;
  if (orientation >= 5) {  // 5 to 8 have rows and columns exchanged
    cv::transpose(image, turned);
  } else {
    turned = image;
  }
  const std::optional<int> flip_code = FlipCode(orientation);
  if (!flip_code) {
    return turned;
  }
  cv::Mat mirrored;  // another one: in its own place, the caller's picture would be turned
  cv::flip(turned, mirrored, *flip_code);
  return mirrored;
}

cv::Mat DecodeImage(const std::vector<std::uint8_t>& file, std::uint64_t most_pixels) {
  if (file.empty()) {
    throw ImageError("is empty (0 bytes)");
  }
  const std::optional<std::uint64_t> num_pixels = NumPixels(file);
  if (!num_pixels) {
    throw ImageError("is damaged or not an image of a known format");
  }
  if (*num_pixels > most_pixels) {
    throw ImageError("has " + std::to_string(*num_pixels) + " pixels, at most " + std::to_string(most_pixels) +
                     " are decoded; cut it into tiles or scale it down, or raise --max_image_megapixels");
  }
  int num_channels = 0;
  if (IsJpeg(file)) {
    const JpegHeader header = ReadJpegHeader(file);
    if (!header.is_complete) {
      throw ImageError("is truncated");
    }
    num_channels = header.num_channels;
  }
  const cv::Mat image = num_channels == 4 ? DecodeCmykJpeg(file) : DecodeByOpenCv(file);
  return ApplyOrientation(image, ExifOrientation(file));
}

}  // namespace cpp_infer
