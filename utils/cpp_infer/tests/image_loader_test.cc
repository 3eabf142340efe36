#include "image_loader.h"

#include <gtest/gtest.h>

#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>

#include "cpp_infer/errors.h"
#include "temporary_folder.h"

namespace cpp_infer {
namespace {

Preprocessing OnePixel() {
  Preprocessing rules;
  rules.resize = ResizeRule::kStretch;
  rules.height = rules.width = 1;
  rules.std = {1, 1, 1};
  return rules;
}

// Picture number i is i grey levels bright; number 5 is none.
std::vector<ImageFile> MakePictures(const TemporaryFolder& folder, int count) {
  std::vector<ImageFile> files;
  for (int i = 0; i < count; ++i) {
    const std::string name = std::to_string(i) + ".png";
    cv::imwrite((folder / name).string(), cv::Mat(4, 4, CV_8UC3, cv::Scalar::all(i)));
    files.push_back({folder / name, name, std::to_string(i)});
  }
  WriteFile(files[5].path, "no picture");
  return files;
}

TEST(ImageLoader, GivesAllImagesInOrderAndTheErrorOfABadOne) {
  const TemporaryFolder folder;
  const std::vector<ImageFile> files = MakePictures(folder, 20);
  const Preprocessing rules = OnePixel();
  ImageLoader loader(files, rules, kMostPixels, 3, 4);
  for (std::size_t i = 0; i < files.size(); ++i) {
    const LoadedImage image = loader.Next();
    if (i == 5) {
      EXPECT_THROW(std::rethrow_exception(image.error), ImageError);
    } else {
      EXPECT_EQ(image.error, nullptr);
      EXPECT_EQ(image.input.pixels, std::vector<float>(3, static_cast<float>(i)));
    }
  }
}

TEST(ImageLoader, CanBeGivenUpInTheMiddle) {
  const TemporaryFolder folder;
  const std::vector<ImageFile> files = MakePictures(folder, 20);
  const Preprocessing rules = OnePixel();
  ImageLoader loader(files, rules, kMostPixels, 2, 2);
  (void)loader.Next();
}

}  // namespace
}  // namespace cpp_infer
