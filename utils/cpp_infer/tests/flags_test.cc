#include "cpp_infer/flags.h"

#include <gtest/gtest.h>

#include "cpp_infer/errors.h"
#include "cpp_infer/options.h"
#include "message_of.h"

namespace cpp_infer {
namespace {

const std::vector<Flag>& TwoFlags() {
  static const std::vector<Flag> kFlags = {{"model_path", "", "the model"}, {"device_id", "0", "the device"}};
  return kFlags;
}

std::string ArgumentsRefusal(const std::vector<std::string>& arguments) {
  return MessageOf<UserError>([&] { const Flags flags(TwoFlags(), arguments); });
}

TEST(Flags, TakeTheirValueAfterAnEqualsSignOrAsTheNextArgument) {
  const Flags flags(TwoFlags(), {"--model_path=a b=c", "--device_id", "7"});
  EXPECT_EQ(flags.Text("model_path"), "a b=c");
  EXPECT_EQ(flags.Integer("device_id", 0, 9), 7);
}

TEST(Flags, HaveTheirDefaultsAndTheLastOfANameCounts) {
  EXPECT_EQ(Flags(TwoFlags(), {}).Text("device_id"), "0");
  EXPECT_EQ(Flags(TwoFlags(), {"--device_id=1", "--device_id=2"}).Text("device_id"), "2");
}

TEST(Flags, RefuseAnUnknownNameAndNameTheNearest) {
  EXPECT_EQ(ArgumentsRefusal({"--mdel_path=x"}),
            "flag --mdel_path is unknown, the nearest one is --model_path: see --help for all");
}

TEST(Flags, RefuseWhatIsNoFlagAndAFlagWithoutValue) {
  EXPECT_EQ(ArgumentsRefusal({"model"}), "'model' is no flag: write --name=value, see --help");
  EXPECT_EQ(ArgumentsRefusal({"--model_path"}), "flag --model_path has no value: write --model_path=value");
  EXPECT_EQ(ArgumentsRefusal({"--model_path", "--device_id=1"}),
            "flag --model_path has no value: write --model_path=value");
}

TEST(Flags, RefuseAnEmptyRequiredValue) {
  const Flags flags(TwoFlags(), {"--model_path="});
  EXPECT_THROW((void)flags.Required("model_path"), UserError);
}

TEST(Flags, RefuseNumbersOutOfRangeAndTextThatIsNone) {
  for (const std::string value : {"-1", "10", "1x", "", " 1", "1.0", "99999999999999999999"}) {
    const Flags flags(TwoFlags(), {"--device_id=" + value});
    EXPECT_THROW((void)flags.Integer("device_id", 0, 9), UserError) << value;
  }
}

TEST(Flags, HelpIsAskedForByTwoNames) {
  EXPECT_TRUE(Flags(TwoFlags(), {"--help"}).is_help());
  EXPECT_TRUE(Flags(TwoFlags(), {"-h"}).is_help());
  EXPECT_NE(FlagsHelp(TwoFlags()).find("--model_path"), std::string::npos);
}

TEST(NearestName, NeedsTheFewestChanges) {
  EXPECT_EQ(NearestName("kitten", {"sitting", "mitten", "kit"}), "mitten");
  EXPECT_EQ(NearestName("x", {}), "");
}

TEST(Options, NameTheFlagThatIsMissingOrWrong) {
  const auto refusal = [](const std::vector<std::string>& arguments) {
    return MessageOf<UserError>([&] { (void)ReadOptions(Flags(KnownFlags(), arguments)); });
  };
  EXPECT_EQ(refusal({}), "flag --mindir_path is missing: give it a value, see --help");
  EXPECT_EQ(refusal({"--mindir_path=m", "--dataset_path=d", "--engine=onnx"}),
            "--engine is 'onnx': choose one of auto, python, lite, openvino");
  EXPECT_EQ(refusal({"--mindir_path=/no/m.mindir", "--dataset_path=d"}),
            "'/no/m.mindir' is no file: give one with --mindir_path");
}

}  // namespace
}  // namespace cpp_infer
