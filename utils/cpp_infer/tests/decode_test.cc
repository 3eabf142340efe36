#include "decode.h"

#include <gtest/gtest.h>

#include <opencv2/imgcodecs.hpp>

#include "cpp_infer/errors.h"
#include "exif.h"
#include "jpeg.h"
#include "message_of.h"

namespace cpp_infer {
namespace {

using File = std::vector<std::uint8_t>;

constexpr std::uint64_t kMost = 10'000;

cv::Mat Decode(const File& file) { return DecodeImage(file, kMost); }

File Encode(const cv::Mat& image, const std::string& suffix) {
  File file;
  cv::imencode(suffix, image, file);
  return file;
}

std::string Refusal(const File& file) {
  return MessageOf<ImageError>([&] { (void)Decode(file); });
}

// An EXIF block with nothing but an orientation, as a JPEG segment.
File ExifSegment(std::uint8_t orientation) {
  return {0xFF, 0xE1, 0, 34,   'E', 'x', 'i', 'f', 0, 0, 'M', 'M',         0, 42, 0, 0, 0, 8,
          0,    1,    1, 0x12, 0,   3,   0,   0,   0, 1, 0,   orientation, 0, 0,  0, 0, 0, 0};
}

File WithOrientation(File jpeg, std::uint8_t orientation) {
  const File segment = ExifSegment(orientation);
  jpeg.insert(jpeg.begin() + 2, segment.begin(), segment.end());
  return jpeg;
}

TEST(DecodeImage, GivesRgb) {
  const cv::Mat blue(2, 3, CV_8UC3, cv::Scalar(255, 0, 0));  // OpenCV's order
  EXPECT_EQ(Decode(Encode(blue, ".png")).at<cv::Vec3b>(0, 0), cv::Vec3b(0, 0, 255));
}

// Each part of a PNG has a checksum; any bit in turn.
TEST(DecodeImage, RefusesAPngOfWhichABitHasChanged) {
  const File png = Encode(cv::Mat(5, 7, CV_8UC3, cv::Scalar(1, 200, 30)), ".png");
  const cv::Mat expected = Decode(png);
  for (std::size_t bit = 0; bit < png.size() * 8; ++bit) {
    File changed = png;
    changed[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    try {
      EXPECT_EQ(cv::norm(Decode(changed), expected, cv::NORM_INF), 0) << bit;
    } catch (const ImageError&) {  // NOLINT(bugprone-empty-catch): what most of them have to come to
    }
  }
}

TEST(DecodeImage, RepeatsGreyAndDropsAlpha) {
  EXPECT_EQ(Decode(Encode(cv::Mat(1, 1, CV_8UC1, cv::Scalar(9)), ".png")).at<cv::Vec3b>(0, 0), cv::Vec3b(9, 9, 9));
  const cv::Mat transparent(1, 1, CV_8UC4, cv::Scalar(1, 2, 3, 0));
  EXPECT_EQ(Decode(Encode(transparent, ".png")).at<cv::Vec3b>(0, 0), cv::Vec3b(3, 2, 1));
}

TEST(DecodeImage, BringsSixteenBitsToEight) {
  const cv::Mat grey(1, 1, CV_16UC1, cv::Scalar(129));  // 129 / 257 rounds to 1, its high byte is 0
  EXPECT_EQ(Decode(Encode(grey, ".png")).at<cv::Vec3b>(0, 0), cv::Vec3b(1, 1, 1));
  const cv::Mat colour(1, 1, CV_16UC3, cv::Scalar(0x1FF, 0x2FF, 0x3FF));
  EXPECT_EQ(Decode(Encode(colour, ".png")).at<cv::Vec3b>(0, 0), cv::Vec3b(3, 2, 1));
}

TEST(DecodeImage, RefusesWhatIsEmptyCutOrNoImage) {
  EXPECT_EQ(Refusal({}), "is empty (0 bytes)");
  EXPECT_EQ(Refusal({'t', 'e', 'x', 't'}), "is damaged or not an image of a known format");
  const cv::Mat noise(64, 64, CV_8UC3);
  cv::randu(noise, 0, 255);
  for (const std::string suffix : {".jpg", ".png"}) {
    File file = Encode(noise, suffix);
    file.resize(file.size() / 2);
    EXPECT_NE(Refusal(file), "") << suffix;
    file.resize(20);
    EXPECT_NE(Refusal(file), "") << suffix;
  }
}

TEST(DecodeImage, RefusesByTheHeaderWhatIsAboveTheLimit) {
  for (const std::string suffix : {".jpg", ".png", ".bmp", ".tiff", ".webp", ".ppm"}) {
    EXPECT_EQ(Decode(Encode(cv::Mat(100, 100, CV_8UC3, cv::Scalar::all(9)), suffix)).rows, 100) << suffix;
    File above = Encode(cv::Mat(100, 101, CV_8UC3, cv::Scalar::all(9)), suffix);
    const std::string sentence = "has 10100 pixels, at most 10000 are decoded";
    EXPECT_EQ(Refusal(above).substr(0, sentence.size()), sentence) << suffix;
  }
  File head = Encode(cv::Mat(100, 101, CV_8UC3, cv::Scalar::all(9)), ".png");
  head.resize(40);  // no pixel is left, and none is looked for
  EXPECT_EQ(Refusal(head).substr(0, 16), "has 10100 pixels");
}

TEST(DecodeImage, TurnsAsTheCameraSays) {
  const File jpeg = Encode(cv::Mat(8, 16, CV_8UC3, cv::Scalar::all(50)), ".jpg");
  EXPECT_EQ(Decode(WithOrientation(jpeg, 6)).size(), cv::Size(8, 16));
  EXPECT_EQ(Decode(WithOrientation(jpeg, 3)).size(), cv::Size(16, 8));
}

TEST(ExifOrientation, IsOneWhereThereIsNoneOrItIsBroken) {
  const File jpeg = Encode(cv::Mat(1, 1, CV_8UC3), ".jpg");
  EXPECT_EQ(ExifOrientation(jpeg), 1);
  EXPECT_EQ(ExifOrientation(WithOrientation(jpeg, 8)), 8);
  EXPECT_EQ(ExifOrientation(WithOrientation(jpeg, 9)), 1);
  for (std::size_t length = 0; length < 40; ++length) {
    File cut = WithOrientation(jpeg, 8);
    cut.resize(length);
    const int orientation = ExifOrientation(cut);
    EXPECT_TRUE(orientation == 1 || orientation == 8) << length;
  }
}

// The corner pixel a of a picture "a b / c d" and its neighbour, in each orientation.
TEST(ApplyOrientation, PutsTheStoredPixelsUpright) {
  cv::Mat stored(2, 2, CV_8UC3);
  stored.at<cv::Vec3b>(0, 0) = {'a', 0, 0};
  stored.at<cv::Vec3b>(0, 1) = {'b', 0, 0};
  stored.at<cv::Vec3b>(1, 0) = {'c', 0, 0};
  stored.at<cv::Vec3b>(1, 1) = {'d', 0, 0};
  const std::vector<std::string> expected = {"abcd", "badc", "dcba", "cdab", "acbd", "cadb", "dbca", "bdac"};
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const cv::Mat upright = ApplyOrientation(stored, orientation);
    std::string pixels;
    for (int i = 0; i < 4; ++i) {
      pixels += static_cast<char>(upright.at<cv::Vec3b>(i / 2, i % 2)[0]);
    }
    EXPECT_EQ(pixels, expected[static_cast<std::size_t>(orientation) - 1]) << orientation;
  }
}

TEST(JpegHeader, TellsChannelsAndWhetherTheFileIsWhole) {
  File jpeg = Encode(cv::Mat(8, 8, CV_8UC1, cv::Scalar(3)), ".jpg");
  EXPECT_EQ(ReadJpegHeader(jpeg).num_channels, 1);
  EXPECT_TRUE(ReadJpegHeader(jpeg).is_complete);
  jpeg.pop_back();
  EXPECT_FALSE(ReadJpegHeader(jpeg).is_complete);
  EXPECT_EQ(ReadJpegHeader(Encode(cv::Mat(8, 8, CV_8UC3), ".jpg")).num_channels, 3);
}

TEST(DecodeCmykJpeg, RefusesDamage) { EXPECT_THROW((void)DecodeCmykJpeg({0xFF, 0xD8, 0xFF, 0xD9}), ImageError); }

}  // namespace
}  // namespace cpp_infer
