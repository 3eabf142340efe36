#include "picture_size.h"

#include <gtest/gtest.h>

#include <opencv2/imgcodecs.hpp>
#include <string>

namespace cpp_infer {
namespace {

using File = std::vector<std::uint8_t>;

File Encode(const std::string& suffix, const std::vector<int>& options = {}) {
  File file;
  cv::imencode(suffix, cv::Mat(64, 300, CV_8UC3, cv::Scalar::all(7)), file, options);
  return file;
}

File FromText(const std::string& text) { return {text.begin(), text.end()}; }

TEST(NumPixels, IsWhatTheHeaderOfEachKindSays) {
  for (const std::string suffix : {".jpg", ".png", ".bmp", ".tiff", ".webp", ".ppm", ".jp2"}) {
    EXPECT_EQ(NumPixels(Encode(suffix)), 19200U) << suffix;
  }
  EXPECT_EQ(NumPixels(Encode(".webp", {cv::IMWRITE_WEBP_QUALITY, 101})), 19200U) << "without loss";
  EXPECT_EQ(NumPixels(Encode(".jpg", {cv::IMWRITE_JPEG_PROGRESSIVE, 1})), 19200U) << "progressive";
}

TEST(NumPixels, IsReadOfHeadersThatOpenCvDoesNotWrite) {
  EXPECT_EQ(NumPixels(FromText(std::string("GIF89a\x2C\x01\x05\x00", 10))), 1500U);
  EXPECT_EQ(NumPixels(FromText("P5 # rows # follow\n300 # and\n5\n255\n")), 1500U);
  const std::string extended("RIFF\0\0\0\0WEBPVP8X\x0A\0\0\0\0\0\0\0\x2B\x01\0\x04\0\0", 30);
  EXPECT_EQ(NumPixels(FromText(extended)), 1500U);
  const std::string upside_down =
      "BM" + std::string(12, '\0') + std::string("\x28\0\0\0\x2C\x01\0\0\xFB\xFF\xFF\xFF", 12);
  EXPECT_EQ(NumPixels(FromText(upside_down)), 1500U);
  const std::string wide_tiff(
      "MM\0\x2B\0\x08\0\0\0\0\0\0\0\0\0\x10\0\0\0\0\0\0\0\x02"
      "\x01\0\0\x03\0\0\0\0\0\0\0\x01\x01\x2C\0\0\0\0\0\0"
      "\x01\x01\0\x04\0\0\0\0\0\0\0\x01\0\0\0\x05\0\0\0\0",
      64);
  EXPECT_EQ(NumPixels(FromText(wide_tiff)), 1500U);
}

TEST(NumPixels, IsThatOfATileWhereItIsLargerThanThePicture) {
  const std::string tiled(
      "II*\0\x08\0\0\0\x04\0"
      "\0\x01\x03\0\x01\0\0\0\x2C\x01\0\0"
      "\x01\x01\x03\0\x01\0\0\0\x05\0\0\0"
      "\x42\x01\x04\0\x01\0\0\0\0\x10\0\0"
      "\x43\x01\x04\0\x01\0\0\0\0\x20\0\0",
      58);
  EXPECT_EQ(NumPixels(FromText(tiled)), 4096U * 8192U);
}

TEST(NumPixels, IsNothingForOtherFiles) {
  for (const std::string text : {"", "P", "P6", "text", "BM", "II*", "RIFF", "#?RADIANCE\n-Y 5 +X 300\n"}) {
    EXPECT_EQ(NumPixels(FromText(text)).value_or(0), 0U) << text;
  }
}

// A cut header is never read past its end; the sanitizers watch.
TEST(NumPixels, BearsCutFiles) {
  for (const std::string suffix : {".jpg", ".png", ".bmp", ".tiff", ".webp", ".ppm", ".jp2"}) {
    const File whole = Encode(suffix);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const File cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      EXPECT_LE(NumPixels(cut).value_or(0), 19200U) << suffix << size;
    }
  }
}

}  // namespace
}  // namespace cpp_infer
