#include "result_files.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "temporary_folder.h"

namespace cpp_infer {
namespace {

using nlohmann::json;

// Two images with two numbers each: {1, 2} and {3, 4}.
Tensor TwoImages() { return {"uint8", {2, 2}, {std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}}}; }

std::vector<TensorDescription> Outputs() { return {{"scores", "float32", {kAnyLength, 2}}}; }

json ReadIndex(const TemporaryFolder& folder) { return json::parse(ReadFile(folder / "result_Files.json")); }

TEST(ResultFiles, HaveEachImagesPartOfTheBatch) {
  const TemporaryFolder folder;
  ResultFiles results(folder.path(), Outputs());
  results.Add({"", "a.jpg", "a"}, {{}, 5, 7, 0.5, 0.25}, {TwoImages()}, 0, 2);
  results.Add({"", "sub/b.jpg", "b"}, {{}, 5, 7, 0.5, 0.25}, {TwoImages()}, 1, 2);
  EXPECT_EQ(ReadFile(folder / "result_Files/a_0.bin"), (std::vector<std::uint8_t>{1, 2}));
  EXPECT_EQ(ReadFile(folder / "result_Files/b_0.bin"), (std::vector<std::uint8_t>{3, 4}));
}

TEST(ResultFiles, AreDescribedInAJson) {
  const TemporaryFolder folder;
  ResultFiles results(folder.path(), Outputs());
  results.Add({"", "sub/b.jpg", "b"}, {{}, 5, 7, 0.5, 0.25}, {TwoImages()}, 1, 2);
  results.AddSkipped({"", "c\xFF.jpg", "c"}, "is empty");
  results.Finish("toy", "/m/toy.mindir", "python");
  const json index = ReadIndex(folder);
  EXPECT_EQ(index["suite"], "toy");
  EXPECT_EQ(index["model"], "/m/toy.mindir");
  EXPECT_EQ(index["engine"], "python");
  EXPECT_EQ(index["outputs"], json::parse(R"([{"name": "scores", "dtype": "uint8", "shape": [2]}])"));
  EXPECT_EQ(index["images"], json::parse(R"([{"file": "sub/b.jpg", "stem": "b", "height": 5, "width": 7,
                                              "scale_y": 0.5, "scale_x": 0.25}])"));
  EXPECT_EQ(index["skipped"][0]["reason"], "is empty");
}

TEST(ResultFiles, OfAnOlderRunLoseTheirJson) {
  const TemporaryFolder folder;
  ResultFiles(folder.path(), Outputs()).Finish("toy", "m", "python");
  const ResultFiles again(folder.path(), Outputs());
  EXPECT_FALSE(std::filesystem::exists(folder / "result_Files.json"));
}

TEST(ResultFiles, RefuseOutputsThatAreNotAsDescribed) {
  const TemporaryFolder folder;
  ResultFiles results(folder.path(), Outputs());
  EXPECT_THROW(results.Add({}, {}, {}, 0, 2), std::runtime_error);
  EXPECT_THROW(results.Add({}, {}, {TwoImages()}, 0, 1), std::runtime_error);
}

}  // namespace
}  // namespace cpp_infer
