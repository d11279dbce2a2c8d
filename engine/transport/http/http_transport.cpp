#include "engine/transport/http/http_transport.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <optional>
#include <utility>

#include "engine/core/check.hpp"
#include "engine/transport/http/connection.hpp"
#include "engine/transport/http/reply_decoder.hpp"

namespace brownout {
namespace {

using http::Breach;
using http::Connection;
using http::ReplyDecoder;

constexpr JobName attempt_job{"attempt"};

}  // namespace

class HttpTransport::Impl final : private http::ConnectionKeeper {
 public:
  class Flight;

  Impl(AsioRuntime& runtime, std::shared_ptr<const HttpEndpoints> endpoints,
       const std::vector<std::string>& targets, OnTrouble on_trouble);
  ~Impl();

  Handle start(const Attempt& attempt, AttemptListener& listener);
  static Outcome cut(Handle handle);
  HttpCounts counts() const;

 private:
  /// The connections to one endpoint.
  struct Pool {
    const HttpEndpoints::Endpoint* endpoint = nullptr;
    std::vector<std::shared_ptr<Connection>> all;
    std::vector<Connection*> idle;  // the one used last at the back
    std::deque<Flight*> waiting;
  };
  struct Target {
    Pool* pool = nullptr;
    std::string model;
  };

  void on_idle(Connection& connection) override;
  void on_closed(Connection& connection) override;
  void on_trouble(const Connection& connection, std::string_view stage,
                  const boost::system::error_code& error) override;

  Pool& pool_of(const Connection& connection);
  void find_connection(Flight& flight);
  Connection* take_idle(Pool& pool);
  void drop_outlived(Pool& pool);
  void open(Flight& flight, Pool& pool);
  void serve_waiting(Pool& pool);
  std::string request_of(const Attempt& attempt, const Target& target) const;

  AsioRuntime& runtime_;
  const std::shared_ptr<const HttpEndpoints> endpoints_;
  const OnTrouble on_trouble_;
  std::vector<Pool> pools_;  // by endpoint
  std::vector<Target> targets_;
  Flight* first_ = nullptr;  // of the attempts that have not ended, in no order
  HttpCounts counts_;
};

// One attempt. Held by itself while it goes on.
class HttpTransport::Impl::Flight final : public std::enable_shared_from_this<Flight>,
                                          private Timer,
                                          private http::ConnectionUser {
 public:
  Flight(Impl& transport, const Attempt& attempt, AttemptListener& listener);

  void begin(std::string request);
  void use(std::shared_ptr<Connection> connection, bool open);
  Pool& pool() { return *transport_.targets_[target_].pool; }
  bool wants_fresh_connection() const { return resent_; }
  Outcome cut(OutcomeKind kind);

 private:
  friend class Impl;

  void fire() override;
  void await(Duration limit);
  void on_open() override;
  void on_head(std::uint16_t status, std::span<const HeaderView> headers) override;
  void on_body(std::string_view bytes) override;
  void on_complete() override;
  void on_breach(Breach breach) override;
  void hear_text(std::string_view text);
  void hear_progress();
  std::shared_ptr<Flight> leave();
  void end(Outcome&& outcome);
  void finish();

  Impl& transport_;
  AttemptListener& listener_;
  const Limits limits_;
  const TargetId target_;
  const bool stream_;
  const Instant started_;
  ReplyDecoder decoder_;
  std::string request_;
  std::shared_ptr<Connection> connection_;
  Instant first_output_ = never;
  bool resent_ = false;
  bool generating_ = false;
  bool committed_ = false;

  // In the transport's list.
  std::shared_ptr<Flight> self_;
  Flight* previous_ = nullptr;
  Flight* next_ = nullptr;
};

HttpTransport::Impl::Flight::Flight(Impl& transport, const Attempt& attempt,
                                    AttemptListener& listener)
    : Timer(attempt_job),
      transport_(transport),
      listener_(listener),
      limits_(attempt.limits),
      target_(attempt.target),
      stream_(attempt.request->stream),
      started_(transport.runtime_.now()),
      decoder_({.dialect = pool().endpoint->options.dialect,
                .stream = stream_,
                .most_line_bytes = pool().endpoint->options.most_line_bytes,
                .input_tokens = attempt.request->input_tokens}) {}

void HttpTransport::Impl::Flight::begin(std::string request) {
  self_ = shared_from_this();
  request_ = std::move(request);
  next_ = transport_.first_;
  if (next_ != nullptr) next_->previous_ = this;
  transport_.first_ = this;
  // Nothing to send: the end comes by itself.
  if (request_.empty()) return transport_.runtime_.post(*this);
  await(limits_.connect);
  transport_.find_connection(*this);
}

// Until the next thing happens that counts as a sign of life, `limit` from now; before the first
// output that has its own limit, from the beginning.
void HttpTransport::Impl::Flight::await(Duration limit) {
  AsioRuntime& runtime = transport_.runtime_;
  Instant until = std::min(limits_.end, after(runtime.now(), limit));
  if (stream_ && !generating_) until = std::min(until, after(started_, limits_.first_token));
  runtime.disarm(*this);
  if (until != never) runtime.arm(*this, until);
}

void HttpTransport::Impl::Flight::use(std::shared_ptr<Connection> connection, bool open) {
  connection_ = std::move(connection);
  if (!open) return connection_->open(*this);
  connection_->take(*this);
  on_open();
}

void HttpTransport::Impl::Flight::on_open() {
  await(forever);
  connection_->send(request_);
}

void HttpTransport::Impl::Flight::on_head(std::uint16_t status,
                                          std::span<const HeaderView> headers) {
  decoder_.on_head(status, headers, transport_.runtime_.system_now());
}

void HttpTransport::Impl::Flight::on_body(std::string_view bytes) {
  const auto self = shared_from_this();
  decoder_.feed(bytes);
  std::string_view text;
  while (self_ != nullptr) {
    switch (decoder_.next(text)) {
      case ReplyDecoder::Step::more:
        return;
      case ReplyDecoder::Step::text:
        hear_text(text);
        break;
      case ReplyDecoder::Step::progress:
        hear_progress();
        break;
      case ReplyDecoder::Step::over:
        return finish();
    }
  }
}

void HttpTransport::Impl::Flight::hear_progress() {
  generating_ = true;
  await(limits_.idle);
}

// The listener may have detached the attempt each time.
void HttpTransport::Impl::Flight::hear_text(std::string_view text) {
  hear_progress();
  const bool is_first = first_output_ == never;
  if (is_first) first_output_ = transport_.runtime_.now();
  if (limits_.hold_output) return;
  committed_ = true;
  if (is_first && limits_.tell_first_output) listener_.on_first_output();
  if (self_ != nullptr) listener_.on_output(text);
}

void HttpTransport::Impl::Flight::on_complete() {
  connection_.reset();
  decoder_.on_complete();
  finish();
}

void HttpTransport::Impl::Flight::on_breach(Breach breach) {
  connection_.reset();
  if (breach == Breach::unheard && !resent_) {
    resent_ = true;
    ++transport_.counts_.resent;
    await(limits_.connect);
    return transport_.find_connection(*this);
  }
  breach == Breach::garbage ? decoder_.on_garbage() : decoder_.on_broken();
  finish();
}

void HttpTransport::Impl::Flight::finish() {
  Outcome outcome = decoder_.outcome();
  outcome.committed = committed_;
  outcome.first_output = first_output_;
  end(std::move(outcome));
}

void HttpTransport::Impl::Flight::fire() {
  if (request_.empty()) return end(Outcome::failure(OutcomeKind::invalid_request));
  if (decoder_.finished()) return finish();
  const auto self = self_;
  AttemptListener& listener = listener_;
  listener.on_end(cut(OutcomeKind::timed_out));
}

// What the attempt holds is given back; it is gone with the result.
std::shared_ptr<HttpTransport::Impl::Flight> HttpTransport::Impl::Flight::leave() {
  transport_.runtime_.disarm(*this);
  (previous_ != nullptr ? previous_->next_ : transport_.first_) = next_;
  if (next_ != nullptr) next_->previous_ = previous_;
  return std::move(self_);
}

void HttpTransport::Impl::Flight::end(Outcome&& outcome) {
  const auto self = leave();
  if (const auto connection = std::move(connection_)) {
    outcome.ok() ? connection->leave() : connection->close();
  }
  listener_.on_end(std::move(outcome));
}

Outcome HttpTransport::Impl::Flight::cut(OutcomeKind kind) {
  const auto self = leave();
  std::erase(pool().waiting, this);
  if (const auto connection = std::move(connection_)) connection->close();
  Outcome outcome = decoder_.cut(kind);
  outcome.committed = committed_;
  outcome.first_output = first_output_;
  return outcome;
}

HttpTransport::Impl::Impl(AsioRuntime& runtime, std::shared_ptr<const HttpEndpoints> endpoints,
                          const std::vector<std::string>& targets, OnTrouble on_trouble)
    : runtime_(runtime), endpoints_(std::move(endpoints)), on_trouble_(std::move(on_trouble)) {
  for (const HttpEndpoints::Endpoint& endpoint : endpoints_->all()) {
    pools_.emplace_back().endpoint = &endpoint;
  }
  for (const std::string& name : targets) {
    BROWNOUT_CHECK(endpoints_->reaches(name));
    const std::size_t slash = name.find('/');
    const auto pool = std::ranges::find_if(pools_, [&](const Pool& each) {
      return each.endpoint->options.provider == std::string_view(name).substr(0, slash);
    });
    targets_.push_back({&*pool, name.substr(slash + 1)});
  }
}

HttpTransport::Impl::~Impl() {
  while (first_ != nullptr) first_->cut(OutcomeKind::cancelled);
  for (Pool& pool : pools_) {
    while (!pool.all.empty()) pool.all.back()->close();
  }
}

Transport::Handle HttpTransport::Impl::start(const Attempt& attempt, AttemptListener& listener) {
  BROWNOUT_CHECK(attempt.target < targets_.size());
  ++counts_.attempts;
  const AsioRuntime::Turn turn(runtime_);
  auto flight = std::make_shared<Flight>(*this, attempt, listener);
  flight->begin(request_of(attempt, targets_[attempt.target]));
  return Handle{reinterpret_cast<std::uintptr_t>(flight.get())};
}

Outcome HttpTransport::Impl::cut(Handle handle) {
  return reinterpret_cast<Flight*>(handle)->cut(OutcomeKind::cancelled);
}

HttpCounts HttpTransport::Impl::counts() const {
  HttpCounts counts = counts_;
  for (const Pool& pool : pools_) {
    counts.open += pool.all.size();
    counts.idle += pool.idle.size();
  }
  return counts;
}

std::string HttpTransport::Impl::request_of(const Attempt& attempt, const Target& target) const {
  const HttpEndpoints::Endpoint& endpoint = *target.pool->endpoint;
  const Request& request = *attempt.request;
  if (request.credential >= endpoint.heads.size() || request.body == nullptr) return {};
  const auto body = http::encode_request(endpoint.options.dialect, *request.body,
                                         {.model = target.model,
                                          .stream = request.stream,
                                          .output_cap = output_cap(request, attempt.limits),
                                          .cap_member = endpoint.options.cap_member});
  if (!body) return {};
  std::string text = endpoint.heads[request.credential];
  text.reserve(text.size() + body->size() + 160);
  if (endpoint.options.call_headers) {
    text += fmt::format("x-brownout-call: {}\r\nx-brownout-attempt: {}\r\n", attempt.call,
                        attempt.nth_at_target);
    if (request.input_tokens > 0) {
      text += fmt::format("x-brownout-input-tokens: {}\r\n", request.input_tokens);
    }
  }
  if (endpoint.options.idempotency_key) {
    text += fmt::format("{}: brownout-{:016x}-{}\r\n",
                        http::facts(endpoint.options.dialect).idempotency_header, runtime_.seed(),
                        attempt.call);
  }
  text += fmt::format("content-length: {}\r\n\r\n", body->size());
  text += *body;
  return text;
}

void HttpTransport::Impl::find_connection(Flight& flight) {
  Pool& pool = flight.pool();
  if (!flight.wants_fresh_connection()) {
    if (Connection* const idle = take_idle(pool)) {
      ++counts_.reused;
      return flight.use(idle->shared_from_this(), true);
    }
  }
  open(flight, pool);
}

void HttpTransport::Impl::open(Flight& flight, Pool& pool) {
  drop_outlived(pool);
  if (pool.all.size() >= pool.endpoint->options.most_connections) {
    // One that is kept but not wanted makes room.
    if (pool.idle.empty()) return pool.waiting.push_back(&flight);
    pool.idle.front()->close();
  }
  ++counts_.connections;
  pool.all.push_back(std::make_shared<Connection>(runtime_, *pool.endpoint,
                                                  static_cast<http::ConnectionKeeper&>(*this)));
  flight.use(pool.all.back(), false);
}

Connection* HttpTransport::Impl::take_idle(Pool& pool) {
  while (!pool.idle.empty()) {
    Connection* const last = pool.idle.back();
    if (last->is_fresh(runtime_.now())) {
      pool.idle.pop_back();
      return last;
    }
    ++counts_.stale;
    last->close();
  }
  return nullptr;
}

// The ones used longest ago are at the front.
void HttpTransport::Impl::drop_outlived(Pool& pool) {
  while (!pool.idle.empty() && pool.idle.front()->is_outlived(runtime_.now())) {
    pool.idle.front()->close();
  }
}

HttpTransport::Impl::Pool& HttpTransport::Impl::pool_of(const Connection& connection) {
  return pools_[static_cast<std::size_t>(&connection.endpoint() - endpoints_->all().data())];
}

void HttpTransport::Impl::on_idle(Connection& connection) {
  Pool& pool = pool_of(connection);
  if (!pool.waiting.empty()) {
    Flight* const next = pool.waiting.front();
    pool.waiting.pop_front();
    ++counts_.reused;
    return next->use(connection.shared_from_this(), true);
  }
  pool.idle.push_back(&connection);
  if (pool.idle.size() > pool.endpoint->options.most_idle) pool.idle.front()->close();
  drop_outlived(pool);
}

void HttpTransport::Impl::on_closed(Connection& connection) {
  Pool& pool = pool_of(connection);
  std::erase(pool.idle, &connection);
  const auto gone =
      std::ranges::find_if(pool.all, [&](const auto& each) { return each.get() == &connection; });
  std::swap(*gone, pool.all.back());
  pool.all.pop_back();
  serve_waiting(pool);
}

void HttpTransport::Impl::serve_waiting(Pool& pool) {
  if (pool.waiting.empty() || pool.all.size() >= pool.endpoint->options.most_connections) return;
  Flight* const next = pool.waiting.front();
  pool.waiting.pop_front();
  open(*next, pool);
}

void HttpTransport::Impl::on_trouble(const Connection& connection, std::string_view stage,
                                     const boost::system::error_code& error) {
  if (!on_trouble_) return;
  on_trouble_({connection.endpoint().options.provider, stage, error, error.message()});
}

HttpTransport::HttpTransport(AsioRuntime& runtime, std::shared_ptr<const HttpEndpoints> endpoints,
                             const std::vector<std::string>& targets, OnTrouble on_trouble)
    : impl_(std::make_unique<Impl>(runtime, std::move(endpoints), targets, std::move(on_trouble))) {
}

HttpTransport::~HttpTransport() = default;

Transport::Handle HttpTransport::start(const Attempt& attempt, AttemptListener& listener) {
  return impl_->start(attempt, listener);
}

Outcome HttpTransport::detach(Handle handle) {
  return Impl::cut(handle);
}

HttpCounts HttpTransport::counts() const {
  return impl_->counts();
}

}  // namespace brownout
