#include "cpp_infer/description.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cpp_infer/errors.h"
#include "cpp_infer/paths.h"
#include "message_of.h"
#include "temporary_folder.h"

namespace cpp_infer {
namespace {

using nlohmann::json;

json Example() {
  return json::parse(R"({
    "suite": "toy", "file": "toy.mindir", "file_format": "MINDIR",
    "inputs": [{"name": "images", "dtype": "float32", "shape": [null, 3, 4, 6]},
               {"name": "image_metas", "dtype": "float32", "shape": [null, 4]}],
    "outputs": [{"name": "boxes", "dtype": "float32", "shape": [null, 10, 4]}],
    "preprocessing": {"channel_order": "RGB", "resize": "keep_ratio", "height": 4, "width": 6, "mean": [1.5, 2, 3],
                      "std": [4, 5, 6], "padding": "bottom_right", "padding_value": 0.5, "rounding": "half_up"},
    "class_names": ["a"], "category_ids": [1], "postprocessing": {}, "format_version": 1})");
}

class Description : public testing::Test {
 protected:
  ModelDescription Read(const json& values) {
    WriteFile(folder_ / "toy.json", values.dump());
    return ReadDescription(folder_ / "toy.json");
  }

  std::string Refusal(const json& values) {
    return MessageOf<UserError>([&] { (void)Read(values); });
  }

  std::string RefusalWith(const std::string& pointer, const json& value) {
    json values = Example();
    values[json::json_pointer(pointer)] = value;
    return Refusal(values);
  }

 private:
  TemporaryFolder folder_;
};

TEST_F(Description, IsReadWhole) {
  const ModelDescription description = Read(Example());
  EXPECT_EQ(description.suite, "toy");
  EXPECT_EQ(description.file, "toy.mindir");
  EXPECT_EQ(description.batch_size(), kAnyLength);
  EXPECT_TRUE(description.takes_metas());
  EXPECT_EQ(description.outputs[0].shape, (std::vector<std::int64_t>{kAnyLength, 10, 4}));
  const Preprocessing& rules = description.preprocessing;
  EXPECT_EQ(rules.channel_order, ChannelOrder::kRgb);
  EXPECT_EQ(rules.resize, ResizeRule::kKeepRatio);
  EXPECT_EQ(rules.rounding, Rounding::kHalfUp);
  EXPECT_EQ(rules.padding, Padding::kBottomRight);
  EXPECT_EQ(rules.height, 4);
  EXPECT_EQ(rules.width, 6);
  EXPECT_EQ(rules.mean, (std::array<double, 3>{1.5, 2, 3}));
  EXPECT_EQ(rules.std, (std::array<double, 3>{4, 5, 6}));
  EXPECT_EQ(rules.padding_value, 0.5F);
}

TEST_F(Description, WithoutMetasAndOfAFixedBatchIsRead) {
  json values = Example();
  values["inputs"].erase(1);
  values["inputs"][0]["shape"][0] = 8;
  const ModelDescription description = Read(values);
  EXPECT_FALSE(description.takes_metas());
  EXPECT_EQ(description.batch_size(), 8);
}

TEST_F(Description, IsRefusedWhereAFieldIsMissingOrOfAnotherType) {
  json values = Example();
  values.erase("suite");
  EXPECT_NE(Refusal(values).find("'suite'"), std::string::npos);
  EXPECT_NE(RefusalWith("/preprocessing/height", "tall"), "");
  EXPECT_NE(RefusalWith("/preprocessing/mean", json::array({1, 2})), "");
  EXPECT_NE(Refusal(json::array()), "");
}

TEST_F(Description, IsRefusedWhereARuleIsUnknownOrTheInputsAreOthers) {
  EXPECT_NE(RefusalWith("/preprocessing/resize", "crop").find("resize is 'crop', wanted keep_ratio or stretch"),
            std::string::npos);
  EXPECT_NE(RefusalWith("/preprocessing/std/0", 0), "");
  EXPECT_NE(RefusalWith("/preprocessing/padding", "none"), "");
  EXPECT_NE(RefusalWith("/inputs/0/dtype", "float16"), "");
  EXPECT_NE(RefusalWith("/inputs/0/shape/2", 5), "");
  EXPECT_NE(RefusalWith("/inputs/1/shape/0", 2), "");
  EXPECT_NE(RefusalWith("/inputs", json::array()), "");
  EXPECT_NE(RefusalWith("/outputs", json::array()), "");
}

TEST_F(Description, OfANewerLayoutSaysSo) {
  EXPECT_NE(RefusalWith("/format_version", 2).find("has layout 2, this program reads up to 1"), std::string::npos);
}

TEST(ReadDescription, RefusesAMissingFileAndOneThatIsNoJson) {
  const TemporaryFolder folder;
  EXPECT_THROW((void)ReadDescription(folder / "absent.json"), UserError);
  WriteFile(folder / "cut.json", "{\"suite\":");
  EXPECT_THROW((void)ReadDescription(folder / "cut.json"), UserError);
}

TEST(AgreesWith, ComparesWhatIsKnown) {
  const TensorDescription described = {"images", "float32", {2, 3, 4}};
  EXPECT_TRUE(AgreesWith({"x", "float32", {2, 3, 4}}, described));
  EXPECT_TRUE(AgreesWith({"x", "", {kAnyLength, 3, 4}}, described));
  EXPECT_TRUE(AgreesWith({"x", "", {-2}}, described));  // MindSpore's shape of any rank
  EXPECT_FALSE(AgreesWith({"x", "float16", {2, 3, 4}}, described));
  EXPECT_FALSE(AgreesWith({"x", "float32", {2, 3, 5}}, described));
  EXPECT_FALSE(AgreesWith({"x", "float32", {2, 3}}, described));
  EXPECT_FALSE(AgreesWith({"x", "float32", {2, 3, 4}}, {"images", "float32", {kAnyLength, 3, 4}}));
}

TEST(TextOfTensors, NamesTypesAndLengths) {
  EXPECT_EQ(Text({{"images", "float32", {kAnyLength, 3}}, {"metas", "", {4}}}), "float32[?,3] and [4]");
  EXPECT_EQ(Text({}), "nothing");
}

TEST(DescriptionPath, LiesBesideTheModel) {
  EXPECT_EQ(DescriptionPath("/a/net.mindir"), "/a/net.json");
  EXPECT_EQ(DescriptionPath("/a/net_graph.mindir"), "/a/net.json");
  EXPECT_EQ(DescriptionPath("net.v2.mindir"), "net.v2.json");
  EXPECT_EQ(DescriptionPath("/a/net.onnx"), "/a/net.json");
  EXPECT_EQ(DescriptionPath("/a/net"), "/a/net.json");
}

TEST(DescriptionPath, IsTheOneThatAnotherFormatHasMoved) {
  const TemporaryFolder folder;
  EXPECT_EQ(DescriptionPath(folder / "twice.mindir"), folder / "twice.json");
  WriteFile(folder / "twice.mindir.json", "{}");
  EXPECT_EQ(DescriptionPath(folder / "twice.mindir"), folder / "twice.mindir.json");
  EXPECT_EQ(DescriptionPath(folder / "twice.v2.mindir"), folder / "twice.v2.json");
}

}  // namespace
}  // namespace cpp_infer
