#include "engine/store/redis_store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "engine/core/document_text.hpp"
#include "engine/store/redis_worker.hpp"

namespace brownout {
namespace {

constexpr JobName delivery_job{"redis answers"};
constexpr std::size_t longest_prefix = 256;

std::size_t bytes_of(const Reply& reply) {
  return reply_header_bytes + (reply.text ? reply.text->size() : 0);
}

Errors problems_of(const RedisOptions& options) {
  Errors errors;
  const auto refuse = [&](bool wrong, const char* what) {
    if (wrong) errors.push_back({ErrorKind::invalid, what, {}});
  };
  refuse(options.unix_socket.empty() && options.host.empty(), "redis: there is no host");
  refuse(options.unix_socket.empty() && options.port == 0, "redis: there is no port 0");
  refuse(options.key_prefix.size() > longest_prefix, "redis: the key prefix exceeds 256 bytes");
  refuse(options.connect_timeout <= Duration{0}, "redis: the connect timeout must be positive");
  refuse(options.command_timeout <= Duration{0}, "redis: the command timeout must be positive");
  refuse(options.first_reconnect_wait <= Duration{0}, "redis: the reconnect wait must be positive");
  refuse(options.longest_reconnect_wait < options.first_reconnect_wait,
         "redis: the longest reconnect wait is shorter than the first");
  refuse(options.most_pending == 0, "redis: at least one command must be able to wait");
  refuse(options.most_pending_bytes == 0, "redis: at least one byte must be able to wait");
  return errors;
}

}  // namespace

// The worker's knock on the runtime's door.
class RedisStore::Delivery final : public Timer {
 public:
  explicit Delivery(RedisStore& store) : Timer(delivery_job), store_(store) {}
  void fire() override { store_.deliver(); }

 private:
  RedisStore& store_;
};

Result<std::unique_ptr<RedisStore>> RedisStore::open(Runtime& runtime, RedisOptions options) {
  Errors errors = problems_of(options);
  std::string password;
  if (!options.password_variable.empty()) {
    const char* value = std::getenv(options.password_variable.c_str());
    if (value != nullptr) password = value;
    if (password.empty()) {
      errors.push_back({ErrorKind::environment,
                        "redis: the environment variable " + quoted(options.password_variable) +
                            " holds no password",
                        {}});
    }
  }
  if (!errors.empty()) return tl::unexpected(std::move(errors));
  return std::unique_ptr<RedisStore>(
      new RedisStore(runtime, std::move(options), std::move(password)));
}

RedisStore::RedisStore(Runtime& runtime, RedisOptions options, std::string password)
    : runtime_(runtime),
      options_(std::move(options)),
      delivery_(std::make_unique<Delivery>(*this)),
      worker_(std::make_unique<RedisWorker>(options_, std::move(password),
                                            [this] { runtime_.post_from_anywhere(*delivery_); })) {}

RedisStore::~RedisStore() {
  worker_.reset();
  runtime_.withdraw(*delivery_);
}

void RedisStore::get(const CacheKey& key, ReplyLookup& lookup) {
  RedisCommand* const command = worker_->connected() ? acquire() : nullptr;
  if (command != nullptr) {
    command->is_put = false;
    command->key = key;
    waiting_.add(*command, lookup);
    if (submit(*command)) return;
    waiting_.remove(*command);
    recycle(*command);
  }
  ++counts_.skipped;
  lookup.on_lookup(nullptr);
}

void RedisStore::cancel(ReplyLookup& lookup) {
  RedisCommand* const command = waiting_.find(lookup);
  if (command == nullptr) return;
  waiting_.remove(*command);
  command->cancelled.store(true, std::memory_order_relaxed);
}

void RedisStore::put(const CacheKey& key, const Reply& reply, Instant now, Duration keep_for) {
  if (keep_for <= Duration{0}) return;
  const std::size_t bytes = bytes_of(reply);
  const bool fits = bytes <= options_.most_pending_bytes - pending_bytes_;
  RedisCommand* const command = fits && worker_->connected() ? acquire() : nullptr;
  if (command != nullptr) {
    command->is_put = true;
    command->key = key;
    command->keep_for = keep_for;
    command->record = {reply, runtime_.system_now() - (runtime_.now() - now)};
    if (submit(*command)) {
      pending_bytes_ += bytes;
      return;
    }
    recycle(*command);
  }
  ++counts_.puts_dropped;
}

bool RedisStore::connected() const {
  return worker_->connected();
}

RedisCounts RedisStore::counts() const {
  RedisCounts counts = counts_;
  counts.connections = worker_->connections();
  counts.connections_lost = worker_->connections_lost();
  return counts;
}

std::string RedisStore::last_error() const {
  return worker_->last_error();
}

// Null when too much is pending.
RedisCommand* RedisStore::acquire() {
  if (!free_.empty()) {
    RedisCommand* const command = free_.back();
    free_.pop_back();
    return command;
  }
  if (commands_.size() == options_.most_pending) return nullptr;
  commands_.push_back(std::make_unique<RedisCommand>());
  free_.reserve(commands_.size());
  return commands_.back().get();
}

void RedisStore::recycle(RedisCommand& command) {
  command.record = {};
  free_.push_back(&command);
}

bool RedisStore::submit(RedisCommand& command) {
  command.cancelled.store(false, std::memory_order_relaxed);
  return worker_->submit(command);
}

void RedisStore::deliver() {
  RedisCommands answers = worker_->take_answers();
  while (!answers.empty()) {
    RedisCommand& command = answers.pop();
    command.is_put ? end_put(command) : end_lookup(command);
  }
}

void RedisStore::end_put(RedisCommand& command) {
  ++(command.fate == RedisFate::stored ? counts_.stored : counts_.puts_failed);
  pending_bytes_ -= bytes_of(command.record.reply);
  recycle(command);
}

void RedisStore::end_lookup(RedisCommand& command) {
  if (command.lookup == nullptr) {
    ++counts_.cancelled;
    return recycle(command);
  }
  ReplyLookup& lookup = waiting_.remove(command);
  std::optional<StoredReply> found;
  switch (command.fate) {
    case RedisFate::found:
      ++counts_.found;
      found = stored_reply(command.record);
      break;
    case RedisFate::missed:
      ++counts_.missed;
      break;
    case RedisFate::undecodable:
      ++counts_.undecodable;
      break;
    case RedisFate::stored:
    case RedisFate::failed:
      ++counts_.unanswered;
      break;
  }
  recycle(command);
  lookup.on_lookup(found ? &*found : nullptr);
}

// Calendar time becomes an age, and the age an instant on this runtime's clock.
StoredReply RedisStore::stored_reply(const ReplyRecord& record) const {
  const SystemTime stored_at = std::max(record.stored_at, SystemTime{});
  const Duration age = std::max(Duration{0}, runtime_.system_now() - stored_at);
  return {record.reply, runtime_.now() - age};
}

}  // namespace brownout
