#include "progress.h"

#include <gtest/gtest.h>

#include <sstream>

#include "timings.h"

namespace cpp_infer {
namespace {

using std::chrono::seconds;

TEST(DurationText, IsShort) {
  EXPECT_EQ(DurationText(seconds(9)), "9 s");
  EXPECT_EQ(DurationText(seconds(125)), "2 min 5 s");
  EXPECT_EQ(DurationText(seconds(3845)), "1 h 4 min");
}

TEST(Progress, WritesALineNowAndThenIntoALog) {
  std::ostringstream log;
  Progress progress(log, false, 100);
  const auto start = Progress::Clock::now();
  progress.Show(1, start + seconds(1));
  EXPECT_EQ(log.str(), "");
  progress.Show(50, start + seconds(25));
  EXPECT_EQ(log.str(), "50/100 images, 2.00 images/s, 25 s left\n");
  progress.Show(100, start + seconds(26));
  EXPECT_NE(log.str().find("\n100/100 images, 3.85 images/s\n"), std::string::npos);
}

TEST(Progress, OfOneImageSaysSo) {
  std::ostringstream log;
  Progress progress(log, false, 1);
  progress.Show(1, Progress::Clock::now() + seconds(20));
  EXPECT_EQ(log.str().find("1/1 image, 0.05 images/s\n"), 0U);
}

TEST(Progress, RewritesItsLineOnATerminal) {
  std::ostringstream terminal;
  Progress progress(terminal, true, 10);
  progress.Show(5, Progress::Clock::now() + seconds(5));
  EXPECT_EQ(terminal.str().find('\n'), std::string::npos);
  progress.Say("warning");
  EXPECT_NE(terminal.str().find("left\nwarning\n"), std::string::npos);
}

TEST(Timings, AreReportedAsDocumented) {
  Timings timings;
  timings.calls = {40, 10, 10};
  timings.images = {1, 3};
  timings.writing = 4;
  timings.whole = 30;
  EXPECT_EQ(timings.Report(),
            "NN inference cost average time: 20 ms of infer_count 3\nfirst call: 40 ms\n"
            "median of the later calls: 10 ms\ndecoding and preprocessing per image: 2 ms\nwriting per image: 2 ms\n"
            "whole run per image: 15 ms\n");
}

}  // namespace
}  // namespace cpp_infer
