#include "result_writer.h"

#include <gtest/gtest.h>

#include "temporary_folder.h"

namespace cpp_infer {
namespace {

std::vector<TensorDescription> ScoreOutputs() { return {{"scores", "uint8", {kAnyLength, 1}}}; }

// What an engine may return for two images.
std::vector<Tensor> Values(int first) {
  return {{"uint8", {2, 1}, {static_cast<std::byte>(first), static_cast<std::byte>(first + 1)}}};
}

TEST(ResultWriter, WritesAllBatchesInTheirOrder) {
  const TemporaryFolder folder;
  ResultFiles results(folder.path(), ScoreOutputs());
  std::vector<ImageFile> files;
  for (int i = 0; i < 20; ++i) {
    files.push_back({"", std::to_string(i), std::to_string(i)});
  }
  ResultWriter writer(results);
  for (std::size_t i = 0; i < files.size(); i += 2) {
    writer.Add({{&files[i], {}}, {&files[i + 1], {}}}, Values(static_cast<int>(i)), 2);
  }
  EXPECT_GT(writer.Finish(), 0);
  EXPECT_EQ(results.num_images(), files.size());
  for (std::size_t i = 0; i < files.size(); ++i) {
    const std::vector<std::uint8_t> wanted = {static_cast<std::uint8_t>(i)};
    EXPECT_EQ(ReadFile(folder / ("result_Files/" + files[i].stem + "_0.bin")), wanted);
  }
}

TEST(ResultWriter, ThrowsWhatWentWrongOnceItIsAskedAgain) {
  const TemporaryFolder folder;
  ResultFiles results(folder.path(), ScoreOutputs());
  const ImageFile file = {"", "a", "a"};
  ResultWriter writer(results);
  writer.Add({{&file, {}}}, {}, 2);  // An output is missing.
  EXPECT_THROW(writer.Finish(), std::runtime_error);
  EXPECT_THROW(writer.Add({{&file, {}}}, Values(1), 2), std::runtime_error);
}

TEST(ResultWriter, EndsWithoutBeingFinished) {
  const TemporaryFolder folder;
  ResultFiles results(folder.path(), ScoreOutputs());
  const ImageFile file = {"", "a", "a"};
  ResultWriter writer(results);
  writer.Add({{&file, {}}, {&file, {}}}, Values(1), 2);
}

}  // namespace
}  // namespace cpp_infer
