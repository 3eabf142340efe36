#include "cpp_infer/paths.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <fstream>
#include <iomanip>
#include <iterator>
#include <map>
#include <sstream>
#include <system_error>

#include "cpp_infer/errors.h"

namespace cpp_infer {
namespace {

namespace fs = std::filesystem;

// As utils/images.py has them.
constexpr std::array kSuffixes = {".jpg",  ".jpeg", ".jpe", ".png", ".bmp", ".tif",
                                  ".tiff", ".webp", ".gif", ".ppm", ".jp2"};

bool IsImageName(const fs::path& path) {
  std::string suffix = path.extension().string();
  std::transform(suffix.begin(), suffix.end(), suffix.begin(),
                 [](unsigned char letter) { return std::tolower(letter); });
  const bool is_hidden = path.filename().string().rfind('.', 0) == 0;
  return !is_hidden && std::find(kSuffixes.begin(), kSuffixes.end(), suffix) != kSuffixes.end();
}

std::string SuffixList() {
  std::string list;
  for (const char* suffix : kSuffixes) {
    list += (list.empty() ? "" : ", ") + std::string(suffix);
  }
  return list;
}

std::vector<ImageFile> ListFolder(const fs::path& folder) {
  std::vector<ImageFile> files;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
    if (IsImageName(entry.path()) && entry.is_regular_file()) {
      files.push_back({entry.path(), entry.path().lexically_relative(folder).generic_string(), StemOf(entry.path())});
    }
  }
  const auto is_earlier = [](const ImageFile& one, const ImageFile& other) { return one.name < other.name; };
  std::sort(files.begin(), files.end(), is_earlier);
  return files;
}

void RefuseEqualStems(const std::vector<ImageFile>& files) {
  std::map<std::string, std::string> name_of_stem;
  for (const ImageFile& file : files) {
    const auto [found, is_new] = name_of_stem.emplace(file.stem, file.name);
    if (!is_new) {
      throw UserError("'" + found->second + "' and '" + file.name + "' would have the same result files, '" +
                      file.stem + "_0.bin': rename one of them, in its annotations too");
    }
  }
}

// What is free on the disk of a folder, behind a comma; nothing where that is not known.
std::string FreeSpace(const fs::path& folder) {
  std::error_code error;
  const fs::space_info space = fs::space(folder.empty() ? fs::path(".") : folder, error);
  if (error) {
    return "";
  }
  constexpr double kMegabyte = 1e6;
  std::ostringstream text;
  text << ", " << std::fixed << std::setprecision(1) << static_cast<double>(space.available) / kMegabyte
       << " MB are free";
  return text.str();
}

}  // namespace

std::vector<ImageFile> FindImages(const fs::path& dataset) {
  std::error_code ignored;  // What cannot be looked at is neither file nor folder.
  if (fs::is_regular_file(dataset, ignored)) {
    return {{dataset, dataset.filename().string(), StemOf(dataset)}};
  }
  if (!fs::is_directory(dataset, ignored)) {
    throw UserError("'" + dataset.string() + "' does not exist: give a folder of images with --dataset_path");
  }
  try {
    std::vector<ImageFile> files = ListFolder(dataset);
    if (files.empty()) {
      throw UserError("no image (" + SuffixList() + ") is in '" + dataset.string() +
                      "' or its sub-folders: give another folder with --dataset_path");
    }
    RefuseEqualStems(files);
    return files;
  } catch (const fs::filesystem_error& error) {
    throw UserError("'" + error.path1().string() + "' cannot be listed (" + error.code().message() +
                    "): change its permissions");
  }
}

std::size_t CountOtherFiles(const fs::path& dataset) {
  std::error_code ignored;  // What cannot be listed is told by FindImages.
  std::size_t count = 0;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(dataset, ignored)) {
    count += entry.is_directory(ignored) || IsImageName(entry.path()) ? 0 : 1;
  }
  return count;
}

std::string StemOf(const fs::path& file) {
  const std::string name = file.filename().string();
  return name.substr(0, name.find('.'));
}

std::vector<std::uint8_t> ReadFile(const fs::path& path) {
  std::error_code error;
  const std::uintmax_t size = fs::file_size(path, error);
  if (error) {
    throw ImageError("cannot be read (" + error.message() + ")");
  }
  std::ifstream file(path, std::ios::binary);
  std::vector<std::uint8_t> bytes(size);
  if (!file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()))) {
    throw ImageError("cannot be read (" + std::generic_category().message(errno) + ")");
  }
  return bytes;
}

void WriteFile(const fs::path& path, const void* data, std::size_t num_bytes) {
  const fs::path temporary = path.parent_path() / ("." + path.filename().string() + "." + std::to_string(getpid()));
  std::ofstream file(temporary, std::ios::binary | std::ios::trunc);
  file.write(static_cast<const char*>(data), static_cast<std::streamsize>(num_bytes));
  file.close();
  std::error_code error(errno, std::generic_category());
  if (file) {
    fs::rename(temporary, path, error);
    if (!error) {
      return;
    }
  }
  std::error_code ignored;  // The first error is the one to tell.
  fs::remove(temporary, ignored);
  throw UserError("'" + path.string() + "' cannot be written (" + error.message() + FreeSpace(path.parent_path()) +
                  "): free some space, or work in another folder");
}

void WriteFile(const fs::path& path, std::string_view text) { WriteFile(path, text.data(), text.size()); }

void MakeFolder(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) {
    throw UserError("folder '" + path.string() + "' cannot be made (" + error.message() +
                    "): work in a folder that you may write to");
  }
}

}  // namespace cpp_infer
