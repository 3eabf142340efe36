#include "words.h"

#include <gtest/gtest.h>

namespace cpp_infer {
namespace {

TEST(Counted, HasThePluralForAllButOne) {
  EXPECT_EQ(Counted(0, "image"), "0 images");
  EXPECT_EQ(Counted(1, "image"), "1 image");
  EXPECT_EQ(Counted(2, "image"), "2 images");
  EXPECT_EQ(Counted(12, "infer call"), "12 infer calls");
}

}  // namespace
}  // namespace cpp_infer
