#include "cpp_infer/paths.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "cpp_infer/errors.h"
#include "message_of.h"
#include "temporary_folder.h"

namespace cpp_infer {
namespace {

void MakeFile(const std::filesystem::path& path) {
  MakeFolder(path.parent_path());
  WriteFile(path, "content");
}

std::vector<std::string> NamesIn(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  for (const ImageFile& file : FindImages(folder)) {
    names.push_back(file.name);
  }
  return names;
}

TEST(FindImages, ListsAFolderAndItsSubFoldersSorted) {
  const TemporaryFolder folder;
  for (const std::string name :
       {"b.jpg", "a.PNG", "sub folder/c.jpeg", "notes.txt", ".hidden.jpg", "d.bmp", "e.WebP", "f.tiff"}) {
    MakeFile(folder / name);
  }
  const std::vector<std::string> wanted = {"a.PNG", "b.jpg", "d.bmp", "e.WebP", "f.tiff", "sub folder/c.jpeg"};
  EXPECT_EQ(NamesIn(folder.path()), wanted);
  EXPECT_EQ(CountOtherFiles(folder.path()), 2U);
  EXPECT_EQ(CountOtherFiles(folder / "a.PNG"), 0U);
}

TEST(FindImages, TakesOneFileOfAnySuffix) {
  const TemporaryFolder folder;
  MakeFile(folder / "photo.dat");
  const std::vector<ImageFile> files = FindImages(folder / "photo.dat");
  ASSERT_EQ(files.size(), 1U);
  EXPECT_EQ(files[0].name, "photo.dat");
}

TEST(FindImages, RefusesTwoFilesOfOneStem) {
  const TemporaryFolder folder;
  MakeFile(folder / "a.jpg");
  MakeFile(folder / "a.small.png");
  EXPECT_EQ(MessageOf<UserError>([&] { (void)FindImages(folder.path()); }),
            "'a.jpg' and 'a.small.png' would have the same result files, 'a_0.bin': rename one of them, in its "
            "annotations too");
}

TEST(FindImages, RefusesAFolderWithoutImagesAndWhatIsNotThere) {
  const TemporaryFolder folder;
  EXPECT_THROW((void)FindImages(folder.path()), UserError);
  EXPECT_THROW((void)FindImages(folder / "absent"), UserError);
}

TEST(StemOf, EndsAtTheFirstDot) {
  EXPECT_EQ(StemOf("/x.y/000000000139.jpg"), "000000000139");
  EXPECT_EQ(StemOf("a.b.c"), "a");
  EXPECT_EQ(StemOf("no_suffix"), "no_suffix");
}

TEST(ReadFile, ReturnsAllBytesAndRefusesWhatCannotBeRead) {
  const TemporaryFolder folder;
  WriteFile(folder / "file", std::string_view("a\0b", 3));
  EXPECT_EQ(ReadFile(folder / "file"), (std::vector<std::uint8_t>{'a', 0, 'b'}));
  EXPECT_THROW((void)ReadFile(folder / "absent"), ImageError);
  EXPECT_THROW((void)ReadFile(folder.path()), ImageError);
}

TEST(WriteFile, ReplacesAFileAndLeavesNothingElse) {
  const TemporaryFolder folder;
  WriteFile(folder / "file", "old and long");
  WriteFile(folder / "file", "new");
  EXPECT_EQ(ReadFile(folder / "file").size(), 3U);
  const std::filesystem::directory_iterator entries(folder.path());
  EXPECT_EQ(std::distance(begin(entries), end(entries)), 1);
}

TEST(WriteFile, RefusesAFolderThatIsNotThereOrInTheWay) {
  const TemporaryFolder folder;
  EXPECT_THROW(WriteFile(folder / "absent" / "file", "text"), UserError);
  MakeFolder(folder / "in the way");
  EXPECT_THROW(WriteFile(folder / "in the way", "text"), UserError);
  EXPECT_TRUE(std::filesystem::is_empty(folder / "in the way"));
}

TEST(MakeFolder, RefusesAFileInItsPlace) {
  const TemporaryFolder folder;
  MakeFile(folder / "file");
  EXPECT_THROW(MakeFolder(folder / "file"), UserError);
}

}  // namespace
}  // namespace cpp_infer
