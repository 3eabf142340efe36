#include "mindir_header.h"

#include <gtest/gtest.h>

#include "cpp_infer/paths.h"
#include "temporary_folder.h"

namespace cpp_infer {
namespace {

std::string Field(int number, const std::string& content) {
  return std::string{static_cast<char>(number * 8 + 2), static_cast<char>(content.size())} + content;
}

std::string Number(int number, int value) { return {static_cast<char>(number * 8), static_cast<char>(value)}; }

// A length of -1, as protobuf has it: ten bytes.
std::string AnyLength() { return "\x08" + std::string(9, '\xFF') + "\x01"; }

// ModelProto with producer_version, a graph of one input (dims of a tensor one by one) and one packed, mind_ir_version.
std::string Model() {
  const std::string separate = Field(5, Field(1, "images") + Field(2, AnyLength() + Number(1, 3) + Number(1, 64)));
  const std::string packed = Field(5, Field(2, Field(1, std::string("\x02\x04", 2)) + Number(2, 1)));
  return Field(3, "2.10.0") + Field(7, Field(2, "graph") + separate + packed) + Number(13, 3);
}

TEST(MindIrHeader, HasVersionsAndShapes) {
  const TemporaryFolder folder;
  WriteFile(folder / "net.mindir", Model());
  const std::optional<MindIrHeader> header = ReadMindIrHeader(folder / "net.mindir");
  ASSERT_TRUE(header);
  EXPECT_EQ(header->version, 3);
  EXPECT_EQ(header->producer_version, "2.10.0");
  EXPECT_EQ(header->input_shapes, (std::vector<std::vector<std::int64_t>>{{-1, 3, 64}, {2, 4}}));
}

TEST(MindIrHeader, IsMissingInWhatIsCutShortAtAnyPlaceInsideAField) {
  const TemporaryFolder folder;
  const std::string model = Model();
  const std::size_t graph_end = model.size() - 2;  // Without mind_ir_version it is a file of an older version.
  for (std::size_t length = 0; length < model.size(); ++length) {
    WriteFile(folder / "cut.mindir", std::string_view(model).substr(0, length));
    EXPECT_EQ(ReadMindIrHeader(folder / "cut.mindir").has_value(), length == graph_end) << length;
  }
}

TEST(MindIrHeader, IsMissingInOtherFiles) {
  const TemporaryFolder folder;
  WriteFile(folder / "text", std::string_view("this is no model, but a text of some length"));
  EXPECT_FALSE(ReadMindIrHeader(folder / "text"));
  EXPECT_FALSE(ReadMindIrHeader(folder / "absent"));
  EXPECT_FALSE(ReadMindIrHeader(folder.path()));
}

}  // namespace
}  // namespace cpp_infer
