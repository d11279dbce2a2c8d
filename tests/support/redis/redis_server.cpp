#include "tests/support/redis/redis_server.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <hiredis/hiredis.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <memory>
#include <stdexcept>
#include <thread>

namespace brownout::testing {
namespace {

using namespace std::chrono_literals;

std::uint16_t free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(fd, generic, size) != 0 || getsockname(fd, generic, &size) != 0) {
    throw std::runtime_error("no free port");
  }
  close(fd);
  return ntohs(address.sin_port);
}

std::filesystem::path make_folder() {
  std::string path = (std::filesystem::temp_directory_path() / "brownout-redis-XXXXXX").string();
  if (mkdtemp(path.data()) == nullptr) throw std::runtime_error("no temporary folder");
  return path;
}

std::string text_of(const redisReply& reply) {
  switch (reply.type) {
    case REDIS_REPLY_ERROR:
      return "error: " + std::string(reply.str, reply.len);
    case REDIS_REPLY_INTEGER:
      return std::to_string(reply.integer);
    case REDIS_REPLY_NIL:
      return "nil";
    default:
      return {reply.str, reply.len};
  }
}

}  // namespace

RedisServer::RedisServer(std::vector<std::string> arguments)
    : arguments_(std::move(arguments)), folder_(make_folder()), port_(free_port()) {}

RedisServer::~RedisServer() {
  if (pid_ != 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

pid_t RedisServer::spawn() const {
  std::vector<std::string> words{"redis-server", "--port",       std::to_string(port_),
                                 "--bind",       "127.0.0.1",    "--unixsocket",
                                 socket_path(),  "--save",       "",
                                 "--appendonly", "no",           "--daemonize",
                                 "no",           "--dir",        folder_.string(),
                                 "--logfile",    folder_ / "log"};
  words.insert(words.end(), arguments_.begin(), arguments_.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const pid_t pid = fork();
  if (pid != 0) return pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // gone with the test, however that ends
  execvp(argv.front(), argv.data());
  _exit(127);
}

void RedisServer::start() {
  const auto give_up = std::chrono::steady_clock::now() + 10s;
  while (std::chrono::steady_clock::now() < give_up) {
    if (pid_ == 0) pid_ = spawn();
    if (answers()) return;
    std::this_thread::sleep_for(5ms);
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) != pid_) continue;
    pid_ = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127) break;
  }
  throw std::runtime_error("redis-server does not start: is it installed (packages.txt)?");
}

void RedisServer::stop() {
  kill(pid_, SIGTERM);
  waitpid(pid_, nullptr, 0);
  pid_ = 0;
}

void RedisServer::freeze() {
  kill(pid_, SIGSTOP);
  waitpid(pid_, nullptr, WUNTRACED);
}

void RedisServer::thaw() {
  kill(pid_, SIGCONT);
}

bool RedisServer::answers() const {
  const std::string answer = ask({"PING"});
  return answer == "PONG" || answer.starts_with("error: NOAUTH");
}

std::string RedisServer::ask(const std::vector<std::string>& command) const {
  const std::unique_ptr<redisContext, void (*)(redisContext*)> context(
      redisConnectWithTimeout("127.0.0.1", port_, {1, 0}), redisFree);
  if (context == nullptr || context->err != 0) return "error: no connection";
  std::vector<const char*> words;
  std::vector<std::size_t> sizes;
  for (const std::string& word : command) {
    words.push_back(word.data());
    sizes.push_back(word.size());
  }
  const std::unique_ptr<redisReply, void (*)(void*)> reply(
      static_cast<redisReply*>(redisCommandArgv(context.get(), static_cast<int>(words.size()),
                                                words.data(), sizes.data())),
      freeReplyObject);
  return reply == nullptr ? "error: no answer" : text_of(*reply);
}

}  // namespace brownout::testing
