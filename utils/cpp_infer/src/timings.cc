#include "timings.h"

#include <algorithm>
#include <numeric>
#include <sstream>

namespace cpp_infer {
namespace {

double Mean(const std::vector<double>& values) {
  return values.empty() ? 0 : std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double Median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

std::string Timings::Report() const {
  std::ostringstream text;
  text << "NN inference cost average time: " << Mean(calls) << " ms of infer_count " << calls.size() << "\n";
  if (!calls.empty()) {
    text << "first call: " << calls.front() << " ms\n";
  }
  if (calls.size() > 1) {
    text << "median of the later calls: " << Median({calls.begin() + 1, calls.end()}) << " ms\n";
  }
  if (!images.empty()) {
    const auto count = static_cast<double>(images.size());
    text << "decoding and preprocessing per image: " << Mean(images) << " ms\n"
         << "writing per image: " << writing / count << " ms\n"
         << "whole run per image: " << whole / count << " ms\n";
  }
  return text.str();
}

}  // namespace cpp_infer
