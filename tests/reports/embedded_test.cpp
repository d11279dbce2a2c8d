#include "reports/embedded.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

namespace brownout::embedded {

std::span<const File> test_files();

namespace {

std::string on_disk(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

TEST(Embedded, EveryByteSurvives) {
  const auto bytes = find(test_files(), "every-byte.bin");
  ASSERT_TRUE(bytes);
  ASSERT_EQ(bytes->size(), 256U);
  for (std::size_t i = 0; i < 256; ++i) {
    EXPECT_EQ(static_cast<unsigned char>((*bytes)[i]), i);
  }
}

TEST(Embedded, AFileOfSeventyKilobytesIsWhatItIsOnDisk) {
  const auto bytes = find(test_files(), "policy.schema.json");
  ASSERT_TRUE(bytes);
  EXPECT_GT(bytes->size(), 70'000U);
  EXPECT_EQ(*bytes, on_disk("scenarios/schema/policy.schema.json"));
}

TEST(Embedded, AFileMayBeEmpty) {
  const auto bytes = find(test_files(), "empty.bin");
  ASSERT_TRUE(bytes);
  EXPECT_TRUE(bytes->empty());
}

TEST(Embedded, FilesKeepTheirOrderAndOthersAreNotFound) {
  const auto files = test_files();
  ASSERT_EQ(files.size(), 3U);
  EXPECT_EQ(files[0].name, "every-byte.bin");
  EXPECT_EQ(files[1].name, "policy.schema.json");
  EXPECT_EQ(files[2].name, "empty.bin");
  EXPECT_FALSE(find(files, "schema.json"));
}

TEST(Embedded, AZeroFollows) {
  for (const File& file : test_files()) EXPECT_EQ(file.bytes.data()[file.bytes.size()], '\0');
}

}  // namespace
}  // namespace brownout::embedded
