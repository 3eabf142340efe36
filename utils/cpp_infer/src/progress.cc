#include "progress.h"

#include <iomanip>
#include <sstream>

#include "words.h"

namespace cpp_infer {
namespace {

constexpr std::chrono::milliseconds kTerminalPause{200};  // Looks alive and costs nothing.
constexpr std::chrono::seconds kLogPause{10};             // As progress.py: does not flood a log.

}  // namespace

std::string DurationText(std::chrono::seconds duration) {
  constexpr long kSixty = 60;
  const long seconds = duration.count();
  const long minutes = seconds / kSixty;
  if (minutes == 0) {
    return std::to_string(seconds) + " s";
  }
  if (minutes < kSixty) {
    return std::to_string(minutes) + " min " + std::to_string(seconds % kSixty) + " s";
  }
  return std::to_string(minutes / kSixty) + " h " + std::to_string(minutes % kSixty) + " min";
}

Progress::Progress(std::ostream& stream, bool is_terminal, std::size_t total)
    : stream_(stream), is_terminal_(is_terminal), total_(total) {}

void Progress::Show(std::size_t num_done, Clock::time_point now) {
  const bool is_last = num_done == total_;
  if (!is_last && now - last_shown_ < (is_terminal_ ? Clock::duration(kTerminalPause) : Clock::duration(kLogPause))) {
    return;
  }
  last_shown_ = now;
  const double seconds = std::chrono::duration<double>(now - start_).count();
  const double rate = seconds > 0 ? static_cast<double>(num_done) / seconds : 0;
  std::ostringstream text;
  text << num_done << "/" << total_ << " " << Agreed(total_, "image") << ", " << std::fixed
       << std::setprecision(rate < 10 ? 2 : 0) << rate << " images/s";
  if (!is_last && rate > 0) {
    const auto left = static_cast<double>(total_ - num_done) / rate;
    text << ", " << DurationText(std::chrono::seconds(static_cast<long>(left))) << " left";
  }
  constexpr char kClearLine[] = "\r\033[K";
  stream_ << (is_terminal_ ? kClearLine : "") << text.str() << (is_terminal_ && !is_last ? "" : "\n") << std::flush;
  is_line_open_ = is_terminal_ && !is_last;
}

void Progress::Say(const std::string& line) {
  stream_ << (is_line_open_ ? "\n" : "") << line << std::endl;
  is_line_open_ = false;
}

}  // namespace cpp_infer
