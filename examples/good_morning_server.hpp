#pragma once

// Stands where your provider is: answers every request with the same stream, a word at a time, as
// OpenAI would.

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <string>
#include <thread>

class GoodMorningServer {
 public:
  GoodMorningServer() : thread_([this] { serve(); }) {}
  ~GoodMorningServer() {
    // A visitor wakes it, and there is none after that.
    ending_ = true;
    boost::asio::ip::tcp::socket visitor(context_);
    boost::system::error_code ignored;
    visitor.connect(acceptor_.local_endpoint(), ignored);
    visitor.close(ignored);
    thread_.join();
  }
  GoodMorningServer(const GoodMorningServer&) = delete;
  GoodMorningServer& operator=(const GoodMorningServer&) = delete;

  /// A connections file whose providers are all here.
  std::string connections() const {
    const std::string here = R"({ "url": "http://127.0.0.1:)" +
                             std::to_string(acceptor_.local_endpoint().port()) + "\" }";
    return R"({ "kind": "connections", "version": 1, "providers": { "openai": )" + here +
           R"(, "anthropic": )" + here + " } }";
  }

 private:
  void serve() {
    while (!ending_) {
      boost::system::error_code error;
      boost::asio::ip::tcp::socket socket(context_);
      acceptor_.accept(socket, error);
      boost::asio::streambuf request;
      boost::asio::read_until(socket, request, "\r\n\r\n", error);
      const auto say = [&](const std::string& text) {
        boost::asio::write(socket, boost::asio::buffer(text), error);
      };
      if (!error) say("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n");
      for (const char* word : {"good ", "morning, ", "streams"}) {
        if (error) break;
        say(R"(data: {"choices":[{"index":0,"delta":{"content":")" + std::string(word) +
            "\"}}]}\n\n");
        std::this_thread::sleep_for(std::chrono::milliseconds{20});
      }
      if (error) continue;
      say("data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
          "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":4,\"completion_tokens\":3}}\n\n"
          "data: [DONE]\n\n");
    }
  }

  boost::asio::io_context context_;
  boost::asio::ip::tcp::acceptor acceptor_{context_, {boost::asio::ip::address_v4::loopback(), 0}};
  std::atomic<bool> ending_ = false;
  std::thread thread_;
};
