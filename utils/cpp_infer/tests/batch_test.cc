#include "batch.h"

#include <gtest/gtest.h>

#include <cstring>

#include "cpp_infer/errors.h"
#include "message_of.h"

namespace cpp_infer {
namespace {

ModelDescription Description(std::int64_t batch_size) {
  ModelDescription description;
  description.inputs = {{"images", "float32", {batch_size, 3, 1, 1}}, {"image_metas", "float32", {batch_size, 4}}};
  return description;
}

std::vector<BatchItem> Items(int count) {
  std::vector<BatchItem> items;
  for (int i = 0; i < count; ++i) {
    const auto value = static_cast<float>(i);
    items.push_back({nullptr, {{value, value, value}, 10 + i, 20, 0.5, 0.25}});
  }
  return items;
}

std::vector<float> Floats(const Tensor& tensor) {
  std::vector<float> values(tensor.data.size() / sizeof(float));
  std::memcpy(values.data(), tensor.data.data(), tensor.data.size());
  return values;
}

TEST(BatchInputs, OfAnyNumberOfImagesHasThatNumber) {
  const std::vector<Tensor> inputs = BatchInputs(Description(kAnyLength), Items(2));
  EXPECT_EQ(inputs[0].shape, (std::vector<std::int64_t>{2, 3, 1, 1}));
  EXPECT_EQ(Floats(inputs[0]), (std::vector<float>{0, 0, 0, 1, 1, 1}));
  EXPECT_EQ(Floats(inputs[1]), (std::vector<float>{10, 20, 0.5, 0.25, 11, 20, 0.5, 0.25}));
}

TEST(BatchInputs, OfAFixedNumberRepeatTheLastImage) {
  const std::vector<Tensor> inputs = BatchInputs(Description(3), Items(2));
  EXPECT_EQ(Floats(inputs[0]), (std::vector<float>{0, 0, 0, 1, 1, 1, 1, 1, 1}));
  EXPECT_EQ(inputs[1].shape, (std::vector<std::int64_t>{3, 4}));
}

TEST(BatchInputs, LeaveOutMetasThatTheModelDoesNotTake) {
  ModelDescription description = Description(1);
  description.inputs.pop_back();
  EXPECT_EQ(BatchInputs(description, Items(1)).size(), 1U);
}

TEST(BatchSize, IsTheModelsOwnOrAnyThatIsWished) {
  EXPECT_EQ(BatchSize(Description(3), 0), 3);
  EXPECT_EQ(BatchSize(Description(3), 3), 3);
  EXPECT_EQ(MessageOf<UserError>([] { (void)BatchSize(Description(3), 2); }),
            "--batch_size is 2 and the model was exported for 3 images: leave the flag out or export it again");
  EXPECT_EQ(MessageOf<UserError>([] { (void)BatchSize(Description(1), 2); }),
            "--batch_size is 2 and the model was exported for 1 image: leave the flag out or export it again");
  EXPECT_EQ(BatchSize(Description(kAnyLength), 0), 1);
  EXPECT_EQ(BatchSize(Description(kAnyLength), 5), 5);
}

}  // namespace
}  // namespace cpp_infer
