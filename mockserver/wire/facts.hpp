#pragma once

// The values of templates: what a plan, its request and the occasion come to in texts.

#include <string>

#include "mockserver/wire/fill.hpp"
#include "mockserver/wire/form.hpp"
#include "mockserver/wire/reply.hpp"

namespace brownout::mock::wire {

/// A duration as it is told when time is compressed.
Duration told(Duration duration, const Occasion& occasion);

/// Ids, dates and sizes: all that templates of a reply need, but `text` and `sequence`.
Values reply_values(const Form& form, const RequestFacts& request, const Plan& plan,
                    const Occasion& occasion, bool calls_tool);

/// Adds what templates of an error need. Requires: plan.kind is a failure.
void add_error_values(const Form& form, const RequestFacts& request, const Plan& plan,
                      const Occasion& occasion, Values& values);

/// The page of a proxy that answers for the provider.
std::string proxy_page(const Plan& plan);

/// The headers of the answer, but for content-type.
std::vector<Header> answer_headers(const Form& form, const RequestFacts& request, const Plan& plan,
                                   const Occasion& occasion);

/// "2026-08-21T12:40:59Z", the next whole second.
std::string rfc3339(SystemTime time);
/// "Fri, 21 Aug 2026 12:40:59 GMT".
std::string http_date(SystemTime time);

/// "Too Many Requests"; empty for a status that has no name.
std::string_view reason_phrase(std::uint16_t status);

}  // namespace brownout::mock::wire
