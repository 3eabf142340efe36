#include "preprocess.h"

#include <gtest/gtest.h>

namespace cpp_infer {
namespace {

Preprocessing Rules(int height, int width) {
  Preprocessing rules;
  rules.height = height;
  rules.width = width;
  rules.mean = {10, 20, 30};
  rules.std = {1, 2, 4};
  rules.padding = Padding::kBottomRight;
  rules.padding_value = -7;
  return rules;
}

TEST(ScaledSize, JustFitsIntoTheInput) {
  EXPECT_EQ(ScaledSize({200, 100}, Rules(64, 64)), cv::Size(64, 32));
  EXPECT_EQ(ScaledSize({100, 200}, Rules(64, 64)), cv::Size(32, 64));
  EXPECT_EQ(ScaledSize({10, 10}, Rules(40, 80)), cv::Size(40, 40));
}

TEST(ScaledSize, RoundsHalvesAsTheDescriptionSays) {
  Preprocessing rules = Rules(2, 100);  // a picture of 4 rows: scale 1/2, so that 5 columns become 2.5 and 7 become 3.5
  EXPECT_EQ(ScaledSize({5, 4}, rules).width, 2);
  EXPECT_EQ(ScaledSize({7, 4}, rules).width, 4);
  rules.rounding = Rounding::kHalfUp;
  EXPECT_EQ(ScaledSize({5, 4}, rules).width, 3);
  EXPECT_EQ(ScaledSize({7, 4}, rules).width, 4);
}

TEST(ScaledSize, IsAtLeastAPixel) { EXPECT_EQ(ScaledSize({1000, 1}, Rules(64, 64)), cv::Size(64, 1)); }

TEST(ScaledSize, OfStretchIsTheInput) {
  Preprocessing rules = Rules(64, 32);
  rules.resize = ResizeRule::kStretch;
  EXPECT_EQ(ScaledSize({500, 3}, rules), cv::Size(32, 64));
}

TEST(Preprocess, NormalisesEachChannelAndPadsBelowAndOnTheRight) {
  const cv::Mat picture(1, 2, CV_8UC3, cv::Scalar(11, 24, 38));
  const ImageInput input = Preprocess(picture, Rules(2, 2));
  const std::vector<float> expected = {1, 1, -7, -7, 2, 2, -7, -7, 2, 2, -7, -7};
  EXPECT_EQ(input.pixels, expected);
  EXPECT_EQ(input.height, 1);
  EXPECT_EQ(input.width, 2);
  EXPECT_EQ(input.scale_y, 1);
  EXPECT_EQ(input.scale_x, 1);
}

TEST(Preprocess, TurnsTheChannelsWhereTheInputIsBgr) {
  Preprocessing rules = Rules(1, 1);
  rules.channel_order = ChannelOrder::kBgr;
  const cv::Mat picture(1, 1, CV_8UC3, cv::Scalar(34, 24, 14));  // red, green, blue
  EXPECT_EQ(Preprocess(picture, rules).pixels, (std::vector<float>{4, 2, 1}));
}

TEST(Preprocess, InterpolatesBetweenPixelCentres) {
  cv::Mat picture(1, 2, CV_8UC3);
  picture.at<cv::Vec3b>(0, 0) = {10, 20, 30};
  picture.at<cv::Vec3b>(0, 1) = {50, 20, 30};
  const ImageInput input = Preprocess(picture, Rules(2, 4));
  // Centres of the new columns lie at -0.25, 0.25, 0.75 and 1.25 of the old ones.
  const std::vector<float> first_row(input.pixels.begin(), input.pixels.begin() + 4);
  EXPECT_EQ(first_row, (std::vector<float>{0, 10, 30, 40}));
}

TEST(Preprocess, GivesTheScaleOfEachAxis) {
  const cv::Mat picture(10, 40, CV_8UC3);
  Preprocessing rules = Rules(5, 10);
  EXPECT_EQ(Preprocess(picture, rules).scale_y, 0.2);  // 2.5 rows are 2
  EXPECT_EQ(Preprocess(picture, rules).scale_x, 0.25);
  EXPECT_EQ(Preprocess(cv::Mat(1, 400, CV_8UC3), rules).scale_y, 1);  // 0.025 rows are 1
  rules.resize = ResizeRule::kStretch;
  EXPECT_EQ(Preprocess(picture, rules).scale_y, 0.5);
  EXPECT_EQ(Preprocess(picture, rules).scale_x, 0.25);
}

}  // namespace
}  // namespace cpp_infer
