// A bare cpp-httplib server that answers everything with one constant body: what `brownout serve`
// is measured against.
//
//     serve_floor PORT BODY_BYTES THREADS

#include <httplib.h>
#include <sys/socket.h>

#include <cstdlib>
#include <span>
#include <string>

namespace {

// As Debian compiles it, the library listens with a backlog of 5.
class Floor : public httplib::Server {
 public:
  bool listen_long() { return ::listen(svr_sock_, 4096) == 0 && listen_after_bind(); }
};

}  // namespace

int main(int argc, char** argv) {
  const std::span arguments(argv, static_cast<std::size_t>(argc));
  if (argc != 4) return 2;
  const std::string body(static_cast<std::size_t>(std::atoi(arguments[2])), 'x');
  const auto threads = static_cast<std::size_t>(std::atoi(arguments[3]));
  Floor server;
  server.new_task_queue = [threads] { return new httplib::ThreadPool(threads); };
  server.set_keep_alive_max_count(1'000'000'000);
  server.set_tcp_nodelay(true);
  server.Post("/v1/chat/completions", [&](const httplib::Request&, httplib::Response& response) {
    response.set_content(body, "application/json");
  });
  if (!server.bind_to_port("127.0.0.1", std::atoi(arguments[1]))) return 5;
  return server.listen_long() ? 0 : 5;
}
