#include "server/assets.h"

#include <brotli/decode.h>
#include <gtest/gtest.h>

#include "embedded/test_assets.h"

namespace trunkline::server {
namespace {

const Assets& assets() {
  static const Assets made(embedded::test_assets_files());
  return made;
}

std::string header(const Response& response, std::string_view name) {
  return std::string(response.headers.get(name).value_or(""));
}

TEST(Assets, gives_files_as_they_were_with_their_type) {
  const Response page = assets().answer("index.html", {});
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.content(), "<!doctype html><title>An asset</title>\n" + std::string(page.content().substr(39)));
  EXPECT_EQ(header(page, "Content-Type"), "text/html; charset=utf-8");
  EXPECT_EQ(header(page, "Cache-Control"), "no-cache");
  EXPECT_EQ(assets().answer("css/main.1a2b3c4d.css", {}).content(), "p { color: red; }\n");
}

TEST(Assets, gives_the_index_of_the_folder) {
  EXPECT_EQ(assets().answer("", {}).content(), assets().answer("index.html", {}).content());
  EXPECT_EQ(assets().answer("css/", {}).status, 404);
}

TEST(Assets, knows_no_other_files) {
  for (const char* path : {"nothing", "index.htm", "index.html/", "../index.html", "css"}) {
    EXPECT_EQ(assets().answer(path, {}).status, 404) << path;
  }
}

TEST(Assets, answers_304_to_whoever_has_it_already) {
  const std::string etag = header(assets().answer("index.html", {}), "ETag");
  for (const std::string& known : {etag, "W/" + etag, "\"other\", " + etag, std::string("*")}) {
    const Response response = assets().answer("index.html", {{"If-None-Match", known}});
    EXPECT_EQ(response.status, 304) << known;
    EXPECT_TRUE(response.content().empty());
    EXPECT_EQ(header(response, "ETag"), etag);
  }
  EXPECT_EQ(assets().answer("index.html", {{"If-None-Match", "\"other\""}}).status, 200);
}

TEST(Assets, gives_what_was_compressed_at_build_to_whoever_takes_it) {
  const Response plain = assets().answer("index.html", {});
  const Response gzip = assets().answer("index.html", {{"Accept-Encoding", "gzip"}});
  EXPECT_EQ(header(gzip, "Content-Encoding"), "gzip");
  EXPECT_EQ(gzip.content().substr(0, 2), "\x1f\x8b");
  EXPECT_LT(gzip.content().size(), plain.content().size());
  EXPECT_EQ(header(plain, "Vary"), "Accept-Encoding");
  const Response brotli = assets().answer("index.html", {{"Accept-Encoding", "gzip, deflate, br, zstd"}});
  EXPECT_EQ(header(brotli, "Content-Encoding"), "br");
  EXPECT_LT(brotli.content().size(), gzip.content().size());
  std::string decoded(plain.content().size(), '\0');
  std::size_t size = decoded.size();
  const std::string packed(brotli.content());
  EXPECT_EQ(BrotliDecoderDecompress(packed.size(), reinterpret_cast<const std::uint8_t*>(packed.data()), &size,
                                    reinterpret_cast<std::uint8_t*>(decoded.data())),
            BROTLI_DECODER_RESULT_SUCCESS);
  EXPECT_EQ(decoded.substr(0, size), plain.content());
}

TEST(Assets, chooses_the_coding_that_is_wanted_most) {
  const struct {
    const char* accepted;
    const char* chosen;
  } rows[] = {{"br, gzip", "br"},
              {"gzip, br", "br"},
              {"GZIP", "gzip"},
              {"br;q=0.5, gzip", "gzip"},
              {"br;q=0.500, gzip;q=0.499", "br"},
              {"br ; q=0 , gzip ; q=0.001", "gzip"},
              {"br;q=0, gzip;q=0.000", ""},
              {"gzip;q=0", ""},
              {"*", "br"},
              {"br;q=0, *", "gzip"},
              {"*;q=0", ""},
              {"*;q=0, gzip;q=0.1", "gzip"},
              {"identity, gzip;q=0.5", ""},
              {"identity;q=0.1, gzip;q=0.5", "gzip"},
              {"identity", ""},
              {"", ""},
              {"zstd, deflate", ""},
              {"brotli, gzipped", ""},
              {"gzip;q=2, br;q=high", ""},
              {"gzip;q=", ""},
              {"gzip;q=1.000", "gzip"}};
  for (const auto& row : rows) {
    EXPECT_EQ(header(assets().answer("index.html", {{"Accept-Encoding", row.accepted}}), "Content-Encoding"),
              row.chosen)
        << row.accepted;
  }
}

TEST(Assets, lets_files_with_a_hash_in_their_name_be_kept_for_ever) {
  EXPECT_NE(header(assets().answer("css/main.1a2b3c4d.css", {}), "Cache-Control").find("immutable"), std::string::npos);
}

}  // namespace
}  // namespace trunkline::server
