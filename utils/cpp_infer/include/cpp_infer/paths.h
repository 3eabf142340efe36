// Finding images, and writing files that are never seen half written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace cpp_infer {

struct ImageFile {
  std::filesystem::path path;
  std::string name;  // Its path inside the folder that was searched.
  std::string stem;  // File name up to its first dot: what its result files are called.
};

// Returns an image, or those of a folder and its sub-folders, sorted by name; hidden files do not count.
// Throws UserError where there is none, or where two have one stem and so the same result files.
std::vector<ImageFile> FindImages(const std::filesystem::path& dataset);

// Returns how many files FindImages passes over in a folder; 0 for an image.
std::size_t CountOtherFiles(const std::filesystem::path& dataset);

// Returns a file name up to its first dot.
std::string StemOf(const std::filesystem::path& file);

// Throws ImageError where it cannot be read.
std::vector<std::uint8_t> ReadFile(const std::filesystem::path& path);

// Writes to a temporary name in the same folder and renames. Throws UserError where that fails, e.g. on a full disk.
void WriteFile(const std::filesystem::path& path, const void* data, std::size_t num_bytes);
void WriteFile(const std::filesystem::path& path, std::string_view text);

// Makes a folder where it is missing. Throws UserError where it cannot be made.
void MakeFolder(const std::filesystem::path& path);

}  // namespace cpp_infer
