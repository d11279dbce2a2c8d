#include "reports/html/page.hpp"

#include <fmt/format.h>

#include <charconv>
#include <span>

#include "engine/core/check.hpp"
#include "reports/embedded.hpp"
#include "reports/html/markup.hpp"

namespace brownout::embedded {
std::span<const File> report_assets();
}

namespace brownout::reports::html {
namespace {

// Bytes in hexadecimal digits, in base 64.
std::string base64_of_hex(std::string_view hex) {
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < hex.size(); i += 6) {
    const std::string_view part = hex.substr(i, 6);  // three bytes, four digits
    std::uint32_t bits = 0;
    std::from_chars(part.data(), part.data() + part.size(), bits, 16);
    bits <<= 4 * (6 - part.size());
    for (std::size_t digit = 0; digit < 4; ++digit) {
      const bool is_padding = digit > part.size() / 2;
      text += is_padding ? '=' : digits[(bits >> (18 - 6 * digit)) & 63];
    }
  }
  return text;
}

// What the page lets run, by what it is: "'sha256-…'".
std::string hash_of(std::string_view name) {
  const std::string_view hashes = asset("hashes.txt");
  const std::size_t end = hashes.find(fmt::format(" {}\n", name));
  BROWNOUT_CHECK(end != std::string_view::npos && end >= 64);
  return fmt::format("'sha256-{}'", base64_of_hex(hashes.substr(end - 64, 64)));
}

std::string hashes_of(const std::vector<std::string_view>& names) {
  std::string text;
  for (const std::string_view name : names) text += (text.empty() ? "" : " ") + hash_of(name);
  return text.empty() ? "'none'" : text;
}

}  // namespace

std::string_view asset(std::string_view name) {
  const auto bytes = embedded::find(embedded::report_assets(), name);
  BROWNOUT_CHECK(bytes.has_value());
  return *bytes;
}

std::string page(const Page& page) {
  std::string html = fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src {}; "
      "style-src {}; img-src data:; base-uri 'none'; form-action 'none'\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n"
      "<link rel=\"icon\" href=\"data:,\">\n<title>{} - brownout</title>\n",
      hashes_of(page.scripts), hashes_of(page.styles), escaped(page.title));
  for (const std::string_view style : page.styles) {
    html += fmt::format("<style>{}</style>\n", asset(style));
  }
  html += "</head>\n<body>\n" + page.content;
  for (const std::string_view script : page.scripts) {
    html += fmt::format("<script>{}</script>\n", asset(script));
  }
  return html + "</body>\n</html>\n";
}

}  // namespace brownout::reports::html
