#include "cli/in_parallel.hpp"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

namespace brownout::cli {
namespace {

class Pool {
 public:
  Pool(std::size_t count, std::size_t jobs, const std::function<void(std::size_t)>& work)
      : count_(count), ahead_(jobs * ahead_per_job), work_(work) {
    const std::size_t threads = std::min(jobs, count);
    try {
      while (threads_.size() < threads) threads_.emplace_back([this] { serve(); });
    } catch (...) {
      end();
      throw;
    }
  }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  ~Pool() { end(); }

  // Waits until work(i) is done. Asked for in order. Throws what it threw.
  void wait_for(std::size_t i) {
    std::unique_lock lock(mutex_);
    told_ = i;
    changed_.notify_all();
    changed_.wait(lock, [&] { return ended_.contains(i); });
    const std::exception_ptr thrown = ended_.extract(i).mapped();
    if (thrown) std::rethrow_exception(thrown);
  }

 private:
  static constexpr std::size_t ahead_per_job = 64;

  void serve() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [&] { return stopped_ || next_ < told_ + ahead_ || next_ == count_; });
      if (stopped_ || next_ == count_) return;
      const std::size_t i = next_++;
      lock.unlock();
      std::exception_ptr thrown;
      try {
        work_(i);
      } catch (...) {
        thrown = std::current_exception();
      }
      lock.lock();
      ended_.emplace(i, thrown);
      changed_.notify_all();
    }
  }

  void end() {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

  const std::size_t count_;
  const std::size_t ahead_;
  const std::function<void(std::size_t)>& work_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t next_ = 0;  // to be begun
  std::size_t told_ = 0;  // being waited for
  bool stopped_ = false;
  std::map<std::size_t, std::exception_ptr> ended_;  // and not told yet
  std::vector<std::thread> threads_;
};

}  // namespace

std::size_t default_jobs() {
  return std::max<std::size_t>(1, std::thread::hardware_concurrency());
}

void in_parallel(std::size_t count, std::size_t jobs, const std::function<void(std::size_t)>& work,
                 const std::function<bool(std::size_t)>& done) {
  Pool pool(count, jobs, work);
  for (std::size_t i = 0; i < count; ++i) {
    pool.wait_for(i);
    if (!done(i)) return;
  }
}

}  // namespace brownout::cli
