#include "mockserver/wire/facts.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>

#include "mockserver/dialect.hpp"
#include "mockserver/wire/completion.hpp"

namespace brownout::mock::wire {
namespace {

using namespace std::chrono;

// What made_id() is asked for.
enum IdPurpose : std::uint64_t { reply_id = 1, request_id, item_id, tool_id, ray_id, uuid_id };

std::string uuid(std::uint64_t seed) {
  const std::string digits = made_id(seed, uuid_id, hexadecimal, 30);
  return fmt::format("{}-{}-4{}-a{}-{}", digits.substr(0, 8), digits.substr(8, 4),
                     digits.substr(12, 3), digits.substr(15, 3), digits.substr(18, 12));
}

void set_limit(Values& values, std::string_view limit, std::string_view remaining,
               std::string_view reset_go, std::string_view reset_date, const RateLimit& told_limit,
               const Occasion& occasion) {
  if (told_limit.limit < 0) return;
  values.set(limit, static_cast<std::uint64_t>(told_limit.limit));
  values.set(remaining, static_cast<std::uint64_t>(told_limit.remaining));
  const Duration reset = told(Duration{told_limit.reset_ns}, occasion);
  values.set(reset_go, go_duration(ceil<milliseconds>(reset)));
  values.set(reset_date, rfc3339(occasion.now + reset));
}

std::string quoted_or_null(std::string_view text) {
  return text.empty() ? "null" : fmt::format("\"{}\"", text);
}

std::string_view finish_word(const FinishWords& words, const RequestFacts& request,
                             const Plan& plan, bool calls_tool) {
  if (request.max_tokens != 0 && plan.output_tokens >= request.max_tokens) return words.length;
  return calls_tool ? words.tool : words.stop;
}

ErrorShape shape_of(const Form& form, const Plan& plan) {
  if (form.errors != nullptr) {
    const ErrorShape& own = (*form.errors)[static_cast<std::size_t>(plan.kind)];
    if (own.status != 0) return own;
  }
  ErrorShape shape = error_shape(form.dialect, plan.kind, plan.hit.limit);
  if (plan.status == 402 && !form.payment_required_type.empty()) {
    shape.type = form.payment_required_type;
    shape.code = {};
  }
  return shape;
}

std::string gemini_details(const ErrorShape& shape, const RequestFacts& request, const Plan& plan,
                           const Occasion& occasion) {
  if (shape.code.empty()) return {};
  const std::int64_t limit = plan.hit.refusal.limit == 0 ? 20 : plan.hit.refusal.limit;
  std::string details = fmt::format(
      R"(,"details":[{{"@type":"type.googleapis.com/google.rpc.Help","links":[{{"description":)"
      R"("Learn more about Gemini API quotas","url":)"
      R"("https://ai.google.dev/gemini-api/docs/rate-limits"}}]}},)"
      R"({{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{{"quotaMetric":)"
      R"("generativelanguage.googleapis.com/generate_content_free_tier_requests","quotaId":"{}",)"
      R"("quotaDimensions":{{"model":"{}","location":"global"}},"quotaValue":"{}"}}]}})",
      shape.code, json_escaped(request.model), limit);
  if (plan.retry_after) {
    const auto wait = ceil<seconds>(told(*plan.retry_after, occasion)).count();
    details += fmt::format(
        R"(,{{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"{}s"}})", wait);
  }
  return details + "]";
}

constexpr std::string_view content_filter_result =
    R"(,"param":"prompt","type":null,"status":400,"innererror":)"
    R"({"code":"ResponsibleAIPolicyViolation","content_filter_result":)"
    R"({"hate":{"filtered":false,"severity":"safe"},)"
    R"("jailbreak":{"filtered":false,"detected":false},)"
    R"("self_harm":{"filtered":false,"severity":"safe"},)"
    R"("sexual":{"filtered":false,"severity":"safe"},)"
    R"("violence":{"filtered":true,"severity":"medium"}}})";

ErrorFacts error_facts(const RequestFacts& request, const Plan& plan, const Occasion& occasion) {
  ErrorFacts facts{.model = request.model,
                   .kind = plan.kind,
                   .hit = plan.hit,
                   .status = plan.status,
                   .input_tokens = request.input_tokens,
                   .retry_after = plan.retry_after};
  facts.hit.refusal.wait = told(facts.hit.refusal.wait, occasion);
  if (facts.retry_after) facts.retry_after = told(*facts.retry_after, occasion);
  return facts;
}

bool is_sent(HeaderForm::When when, std::uint16_t status) {
  switch (when) {
    case HeaderForm::When::always:
      return true;
    case HeaderForm::When::success:
      return status < 400;
    case HeaderForm::When::failure:
      return status >= 400;
    case HeaderForm::When::limited:
      return status == 429;
  }
  return true;
}

}  // namespace

Duration told(Duration duration, const Occasion& occasion) {
  if (occasion.speed == 1 || duration == forever) return duration;
  // A hundred years and more: what is told as a date is added to today's.
  constexpr double most = 4e18;
  return Duration{
      std::llround(std::min(static_cast<double>(duration.count()) / occasion.speed, most))};
}

Values reply_values(const Form& form, const RequestFacts& request, const Plan& plan,
                    const Occasion& occasion, bool calls_tool) {
  const std::uint64_t seed = request.id_seed;
  Values values;
  values.set("id", std::string(form.id_prefix) + made_id(seed, reply_id, base62, 24));
  values.set("request_id",
             std::string(form.request_id_prefix) + made_id(seed, request_id, hexadecimal, 32));
  values.set("item_id", (calls_tool ? "fc_" : "msg_") + made_id(seed, item_id, hexadecimal, 32));
  values.set("model", json_escaped(request.model));
  const auto now = floor<seconds>(occasion.now.time_since_epoch()).count();
  values.set("created", fmt::format("{}", now));
  values.set("input", request.input_tokens);
  values.set("output", plan.output_tokens);
  values.set("total", std::uint64_t{request.input_tokens} + plan.output_tokens);
  const std::string_view finish = finish_word(form.finish, request, plan, calls_tool);
  values.set("finish", std::string(finish));
  values.set("incomplete", finish == "incomplete" ? R"({"reason":"max_output_tokens"})" : "null");
  values.set("max_tokens",
             request.max_tokens == 0 ? "null" : fmt::format("{}", request.max_tokens));
  values.set("no_usage", request.include_usage ? R"(,"usage":null)" : "");
  if (calls_tool) {
    values.set("tool", json_escaped(request.tools.front()));
    values.set("tool_id", "call_" + made_id(seed, tool_id, base62, 24));
    values.set("tool_input",
               fmt::format(R"({{"text":"{}"}})", completion_text(seed, plan.output_tokens)));
  }
  return values;
}

void add_error_values(const Form& form, const RequestFacts& request, const Plan& plan,
                      const Occasion& occasion, Values& values) {
  const ErrorShape shape = shape_of(form, plan);
  const std::string message =
      occasion.message.empty()
          ? error_message(form.dialect, shape, error_facts(request, plan, occasion))
          : occasion.message;
  values.set("message", json_escaped(message));
  values.set("type", quoted_or_null(shape.type));
  values.set("param", quoted_or_null(shape.param));
  values.set("code", quoted_or_null(shape.code));
  values.set("code_or_type", quoted_or_null(shape.code.empty() ? shape.type : shape.code));
  values.set("status", plan.status);
  const bool has_code = !shape.code.empty();
  values.set("details",
             has_code ? fmt::format(R"(,"details":{{"error_code":"{}"}})", shape.code) : "");
  values.set("details_or_null",
             has_code ? fmt::format(R"({{"error_code":"{}"}})", shape.code) : "null");
  values.set("azure_more", plan.kind == OutcomeKind::content_policy
                               ? std::string(content_filter_result)
                               : std::string{});
  values.set("gemini_details", gemini_details(shape, request, plan, occasion));
}

std::string proxy_page(const Plan& plan) {
  return error_message(DialectId::openai, {.model = {},
                                           .kind = OutcomeKind::bad_gateway,
                                           .hit = {},
                                           .status = plan.status,
                                           .retry_after = {}});
}

std::vector<Header> answer_headers(const Form& form, const RequestFacts& request, const Plan& plan,
                                   const Occasion& occasion) {
  Values values;
  const std::uint64_t seed = request.id_seed;
  values.set("request_id",
             std::string(form.request_id_prefix) + made_id(seed, request_id, hexadecimal, 32));
  values.set("ray", made_id(seed, ray_id, hexadecimal, 16));
  values.set("uuid", uuid(seed));
  const Duration until = plan.first_byte == forever ? headers_leave(plan) : plan.first_byte;
  values.set("processing_ms",
             fmt::format("{}", floor<milliseconds>(told(until, occasion)).count()));
  set_limit(values, "requests_limit", "requests_remaining", "requests_reset_go",
            "requests_reset_date", plan.told.requests, occasion);
  set_limit(values, "tokens_limit", "tokens_remaining", "tokens_reset_go", "tokens_reset_date",
            plan.told.tokens, occasion);
  set_limit(values, "input_limit", "input_remaining", "input_reset_go", "input_reset_date",
            plan.told_input, occasion);
  set_limit(values, "output_limit", "output_remaining", "output_reset_go", "output_reset_date",
            plan.told_output, occasion);
  if (plan.retry_after) {
    const Duration wait = told(*plan.retry_after, occasion);
    values.set("retry_after_s", fmt::format("{}", ceil<seconds>(wait).count()));
    values.set("retry_after_ms", fmt::format("{}", ceil<milliseconds>(wait).count()));
  }
  if (plan.should_retry) values.set("should_retry", *plan.should_retry ? "true" : "false");
  std::vector<Header> headers;
  for (const HeaderForm& header : form.headers) {
    if (!is_sent(header.when, plan.status)) continue;
    if (auto value = filled_completely(header.value, values)) {
      headers.emplace_back(header.name, std::move(*value));
    }
  }
  return headers;
}

std::string rfc3339(SystemTime time) {
  const auto whole = ceil<seconds>(time);
  const auto day = floor<days>(whole);
  const year_month_day date{day};
  const hh_mm_ss clock{whole - day};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

std::string http_date(SystemTime time) {
  constexpr std::array weekdays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array months_of_year{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto whole = floor<seconds>(time);
  const auto day = floor<days>(whole);
  const year_month_day date{day};
  const hh_mm_ss clock{whole - day};
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
                     weekdays[weekday{day}.c_encoding()], static_cast<unsigned>(date.day()),
                     months_of_year[static_cast<unsigned>(date.month()) - 1],
                     static_cast<int>(date.year()), clock.hours().count(), clock.minutes().count(),
                     clock.seconds().count());
}

std::string_view reason_phrase(std::uint16_t status) {
  struct Name {
    std::uint16_t status;
    std::string_view phrase;
  };
  constexpr std::array names{
      Name{200, "OK"},
      Name{400, "Bad Request"},
      Name{401, "Unauthorized"},
      Name{402, "Payment Required"},
      Name{403, "Forbidden"},
      Name{404, "Not Found"},
      Name{405, "Method Not Allowed"},
      Name{408, "Request Timeout"},
      Name{409, "Conflict"},
      Name{413, "Content Too Large"},
      Name{422, "Unprocessable Content"},
      Name{429, "Too Many Requests"},
      Name{431, "Request Header Fields Too Large"},
      Name{500, "Internal Server Error"},
      Name{502, "Bad Gateway"},
      Name{503, "Service Unavailable"},
      Name{504, "Gateway Timeout"},
  };
  for (const Name& name : names) {
    if (name.status == status) return name.phrase;
  }
  return {};
}

}  // namespace brownout::mock::wire
