#include "engine/store/redis_connection.hpp"

#include <fmt/format.h>
#include <hiredis/hiredis.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <utility>

#include "engine/core/check.hpp"

namespace brownout {
namespace {

constexpr std::size_t key_digits = 32;

struct FreeReply {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
using OwnedReply = std::unique_ptr<redisReply, FreeReply>;

template <std::size_t words>
bool append_command(redisContext& context, const std::array<std::string_view, words>& command) {
  std::array<const char*, words> data;
  std::array<std::size_t, words> sizes;
  for (std::size_t i = 0; i < words; ++i) {
    data[i] = command[i].data();
    sizes[i] = command[i].size();
  }
  return redisAppendCommandArgv(&context, static_cast<int>(words), data.data(), sizes.data()) ==
         REDIS_OK;
}

// Whole milliseconds, at least one: PSETEX refuses 0. At most ten years, so that Redis can add them
// to its clock.
std::int64_t milliseconds(Duration keep_for) {
  constexpr std::int64_t longest = std::int64_t{10} * 366 * 24 * 3600 * 1000;
  const auto rounded = std::chrono::ceil<std::chrono::milliseconds>(
      std::min(keep_for, Duration{std::chrono::milliseconds{longest}}));
  return std::max<std::int64_t>(1, rounded.count());
}

}  // namespace

void RedisConnection::Free::operator()(redisContext* context) const {
  redisFree(context);
}

RedisConnection::RedisConnection(const RedisOptions& options, std::string password)
    : options_(options),
      password_(std::move(password)),
      key_(options.key_prefix + std::string(key_digits, '0')) {}

RedisConnection::~RedisConnection() = default;

void RedisConnection::begin(Time now) {
  BROWNOUT_CHECK(state_ == State::down);
  context_.reset(options_.unix_socket.empty()
                     ? redisConnectNonBlock(options_.host.c_str(), options_.port)
                     : redisConnectUnixNonBlock(options_.unix_socket.c_str()));
  has_answered_ = false;
  greeted_by_ = now + options_.connect_timeout;
  if (context_ == nullptr) return give_up("out of memory");
  if (context_->err != 0) return give_up(context_->errstr);
  state_ = State::connecting;
  wants_to_write_ = true;  // a socket can be written to once it is connected
}

// Everything at once: the server answers in order, and refuses what it refuses.
void RedisConnection::greet() {
  state_ = State::greeting;
  greetings_ = 1;
  bool appended = true;
  if (!password_.empty() && !options_.user.empty()) {
    appended = append_command<3>(*context_, {"AUTH", options_.user, password_});
  } else if (!password_.empty()) {
    appended = append_command<2>(*context_, {"AUTH", password_});
  }
  if (!password_.empty()) ++greetings_;
  if (options_.database != 0) {
    appended &= append_command<2>(*context_, {"SELECT", std::to_string(options_.database)});
    ++greetings_;
  }
  appended &= append_command<1>(*context_, {"PING"});
  if (!appended) return give_up(context_->errstr);
  flush();
}

void RedisConnection::send(RedisCommand& command, Time now) {
  BROWNOUT_CHECK(state_ == State::ready);
  command.overdue = now + options_.command_timeout;
  in_flight_.push(command);
  set_key(command.key);
  bool appended = false;
  if (command.is_put) {
    encode_reply(command.record, value_);
    appended = append_command<4>(
        *context_, {"PSETEX", key_, std::to_string(milliseconds(command.keep_for)), value_});
  } else {
    appended = append_command<2>(*context_, {"GET", key_});
  }
  if (!appended) return give_up(context_->errstr);
  flush();
}

void RedisConnection::set_key(const CacheKey& key) {
  fmt::format_to_n(key_.data() + options_.key_prefix.size(), key_digits, "{:016x}{:016x}", key.high,
                   key.low);
}

void RedisConnection::progress(bool readable, bool writable) {
  if (state_ == State::connecting) {
    if (!readable && !writable) return;
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(socket(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    if (error != 0) return give_up(std::strerror(error));
    return greet();
  }
  if (readable) receive();
  if (writable && state_ != State::down) flush();
}

void RedisConnection::flush() {
  int done = 0;
  if (redisBufferWrite(context_.get(), &done) != REDIS_OK) return give_up(context_->errstr);
  wants_to_write_ = done == 0;
}

void RedisConnection::receive() {
  if (redisBufferRead(context_.get()) != REDIS_OK) return give_up(context_->errstr);
  while (state_ != State::down) {
    void* next = nullptr;
    if (redisGetReplyFromReader(context_.get(), &next) != REDIS_OK) {
      return give_up(context_->errstr);
    }
    if (next == nullptr) return;
    const OwnedReply reply(static_cast<redisReply*>(next));
    accept(*reply);
  }
}

void RedisConnection::accept(redisReply& reply) {
  if (state_ == State::greeting) {
    if (reply.type == REDIS_REPLY_ERROR) return give_up(std::string(reply.str, reply.len));
    if (reply.type != REDIS_REPLY_STATUS) return give_up("this server does not speak as Redis");
    if (--greetings_ == 0) state_ = State::ready;
    return;
  }
  if (in_flight_.empty()) return give_up("an answer nobody asked for");
  has_answered_ = true;
  RedisCommand& command = in_flight_.pop();
  answer(command, reply);
  answered_.push(command);
}

void RedisConnection::answer(RedisCommand& command, const redisReply& reply) {
  if (command.is_put) {
    command.fate = reply.type == REDIS_REPLY_STATUS ? RedisFate::stored : RedisFate::failed;
    return;
  }
  if (reply.type == REDIS_REPLY_NIL) {
    command.fate = RedisFate::missed;
    return;
  }
  if (reply.type != REDIS_REPLY_STRING) {
    // Of the wrong type is as foreign as of the wrong format; other errors are the server's.
    const bool foreign = reply.type == REDIS_REPLY_ERROR &&
                         std::string_view(reply.str, reply.len).starts_with("WRONGTYPE");
    command.fate = foreign ? RedisFate::undecodable : RedisFate::failed;
    return;
  }
  auto record = decode_reply({reply.str, reply.len});
  command.fate = record ? RedisFate::found : RedisFate::undecodable;
  if (record) command.record = std::move(*record);
}

void RedisConnection::check(Time now) {
  if (now < overdue()) return;
  const Duration waited =
      state_ == State::ready ? options_.command_timeout : options_.connect_timeout;
  give_up("no answer within " + format_duration(waited));
}

RedisConnection::Time RedisConnection::overdue() const {
  switch (state_) {
    case State::down:
      return Time::max();
    case State::connecting:
    case State::greeting:
      return greeted_by_;
    case State::ready:
      return in_flight_.empty() ? Time::max() : in_flight_.front().overdue;
  }
  BROWNOUT_UNREACHABLE("a connection has one of four states");
}

int RedisConnection::socket() const {
  return context_->fd;
}

RedisCommands RedisConnection::take_answered() {
  return std::exchange(answered_, {});
}

void RedisConnection::give_up(std::string reason) {
  reason_ = std::move(reason);
  state_ = State::down;
  wants_to_write_ = false;
  while (!in_flight_.empty()) {
    RedisCommand& command = in_flight_.pop();
    command.fate = RedisFate::failed;
    answered_.push(command);
  }
  context_.reset();
}

}  // namespace brownout
