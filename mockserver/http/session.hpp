#pragma once

// One provider as its clients meet it: script, clock, journal and who called. The server has one
// for everybody, and one more for every value of the header `x-brownout-test`, which begins when
// that value is first seen, so that tests on one server do not meet each other.

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/core/draw.hpp"
#include "engine/core/result.hpp"
#include "engine/core/time.hpp"
#include "mockserver/distribution.hpp"
#include "mockserver/foresight.hpp"
#include "mockserver/http/api_request.hpp"
#include "mockserver/http/correlator.hpp"
#include "mockserver/http/journal.hpp"
#include "mockserver/script.hpp"
#include "mockserver/scripted_provider.hpp"
#include "mockserver/wire/reply.hpp"

namespace brownout::mock::http {

/// Whoever wants to know what became of calls. `test` names the session ("" is everybody's).
class CallListener {
 public:
  virtual ~CallListener() = default;
  /// A call is over; `phase` is the one in which its first try arrived.
  virtual void on_call(std::string_view test, const ServedCall& call, std::size_t phase) = 0;
  /// The session's provider begins anew: what was told of its calls before is not of this one.
  virtual void on_anew(std::string_view test) = 0;
  /// The session has ended, and all its calls were told of.
  virtual void on_end(std::string_view test) = 0;
};

struct SessionOptions {
  const Script* script = nullptr;  ///< must outlive the session
  std::uint64_t seed = 1;
  double speed = 1;       ///< seconds of scenario time in one second
  Duration start{};       ///< where in the scenario the clock begins
  SystemTime calendar{};  ///< calendar time at real instant 0

  /// The clients' clocks run as fast as the scenario's, and show `starts_at` at its beginning: they
  /// are told durations and dates as they are in the scenario. Default: clients live in real time,
  /// and what they are told is divided by `speed`.
  bool clients_keep_pace = false;
  SystemTime starts_at{};

  const Distribution* output_tokens = nullptr;    ///< lengths of replies; null: 100 tokens each
  CallListener* calls = nullptr;                  ///< must outlive the session; may be null
  std::function<void(std::string_view)> on_line;  ///< gets every line of the journal; may be empty

  std::size_t journal_lines = 10'000;   ///< kept for the admin API
  std::size_t known_calls = 1'000'000;  ///< by key, path and body: of more, the oldest are over
};

/// What one session has seen since its provider last began anew, or several together.
struct SessionTotals {
  std::uint64_t calls = 0;
  std::uint64_t attempts = 0;
  std::uint64_t guessed = 0;                            ///< attempts, as Correlator::guessed() says
  std::array<std::uint64_t, finding_count> findings{};  ///< by Finding
  /// Requests that were refused before the script was asked, by status: they are no calls.
  std::map<std::uint16_t, std::uint64_t> refused{};
  std::vector<FaultCount> faults{};  ///< of the script, by FaultId

  void add(const SessionTotals& other);
};

class Session;
class World;

/// One request to the provider, from its arrival to the end of its reply.
struct Exchange {
  std::uint64_t connection = 0;  ///< the server's; means nothing here
  ApiRequest request;
  std::size_t phase = 0;  ///< in which it arrived
  JournalEntry entry;

  bool waits = false;  ///< in the queue: there is no reply yet
  Ticket ticket;
  Plan plan;
  // By Session::timed(), which does not jump.
  Instant arrived{};
  Instant started{};  ///< of the plan
  Duration started_real{};
  std::optional<wire::WireReply> reply;
  wire::Piece piece;  ///< the next to leave
  bool has_piece = false;

  std::shared_ptr<Session> session;
  std::shared_ptr<World> world;            ///< what `plan` counts in
  std::shared_ptr<Correlator> correlator;  ///< what knows its call
  ScriptedProvider* owner = nullptr;       ///< of `plan`; null: the script was not asked
  std::uint64_t resets = 0;                ///< of the session before it arrived
};

/// *Threads*: none of its own; one at a time. *Time*: real instants are Durations since any one
/// fixed point and must not go backwards.
/// *Determinism*: what is drawn for a request is keyed by its call and attempt (Correlator), output
/// lengths by Purpose::output_tokens, "workload" and the call, as the simulator's workload does.
class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(SessionOptions options, std::string test, Duration real_now);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  /// Scenario time.
  Instant now(Duration real) const;
  /// The same clock, but for where it begins, and that nobody moves it: for whatever lasts.
  Instant timed(Duration real) const;
  double speed() const { return options_.speed; }
  const std::string& test() const { return test_; }
  std::uint64_t seed() const { return options_.seed; }

  /// A request arrives. Afterwards it either waits, or has begun its reply.
  void arrive(Exchange& exchange, const RequestHead& head, std::string_view body, Duration real);

  /// The reply has been played to its end; returns a request that waited and has now begun its
  /// reply, or null. The entry tells by whom the connection was closed.
  Exchange* finish(Exchange& exchange, Duration real);
  /// The client (or the server, when it ends) left before that. The same.
  Exchange* leave(Exchange& exchange, Duration real);

  // The admin API.

  std::size_t phase(Duration real) const;
  /// Moves the clock to the beginning of a phase. Going back begins the provider anew: full
  /// buckets, no calls, no findings, no injected faults. Requires: phase < script().phases.size().
  void set_phase(std::size_t phase, Duration real);
  /// Begins provider, calls, findings, journal and clock anew.
  void reset(Duration real);
  void set_seed(std::uint64_t seed, Duration real);

  /// A fault, as a scenario's timeline has it, that hits requests before the script is asked, until
  /// `lasts` of scenario time have passed. A request that it hits is answered by it alone and
  /// charged to no limit. Returns its number. Errors: invalid.
  Result<std::uint64_t> inject(const std::string& fault, Duration lasts, Duration real);
  /// False when there is no such fault any more.
  bool revert(std::uint64_t number);
  void revert_all() { injected_.clear(); }

  struct Injected {
    std::uint64_t number = 0;
    std::string fault;
    Instant until{};
    FaultCount count;
  };
  std::vector<Injected> injected(Duration real);

  /// Whether connections are refused, whatever their requests are: script and injected faults
  /// refuse every model. Known until `until` (real), unless the admin API changes something.
  struct Refusal {
    bool is_total = false;
    Duration until = forever;
  };
  Refusal refusal(Duration real);

  const Script& script() const { return *options_.script; }
  const ScriptedProvider& provider() const;
  const Journal& journal() const { return journal_; }
  const Correlator& correlator() const { return *correlator_; }
  std::uint64_t requests() const { return requests_; }
  std::size_t under_way() const { return under_way_; }
  const std::map<std::uint16_t, std::uint64_t>& refused() const { return refused_; }
  SessionTotals totals() const;

  /// No more requests: tells of all calls.
  void end();

 private:
  // A fault of the admin API.
  struct Injection {
    Injection(Script injected, std::uint64_t seed)
        : script(std::move(injected)), provider(script, seed) {}

    std::uint64_t number = 0;
    Script script;
    ScriptedProvider provider;
    Instant from{};
    Instant until{};
  };

  void begin_anew();
  Duration scaled(Duration real) const;
  Duration content_window_here() const;
  void drop_expired(Instant now);
  Fate fate(ModelId model, Instant now, Instant& until) const;
  Instant advance(World& world, Duration real) const;
  void ask(Exchange& exchange, Instant now);
  bool ask_injected(Exchange& exchange, const ProviderRequest& request, Instant now);
  void begin(Exchange& exchange, Instant now, Duration real);
  Exchange* start(const std::optional<Start>& start, World& world, Duration real);
  void record(Exchange& exchange, Duration real, bool left);
  std::uint32_t output_tokens(const ApiRequest& request, CallId call) const;
  std::size_t phase_at(Instant at) const;

  SessionOptions options_;
  std::string test_;
  Duration born_real_;
  Duration origin_real_;
  Instant origin_;
  DrawFamily output_;
  std::shared_ptr<World> world_;
  std::vector<std::unique_ptr<Injection>> injected_;
  std::uint64_t injections_ = 0;
  std::shared_ptr<Correlator> correlator_;
  Journal journal_;
  std::uint64_t requests_ = 0;
  std::uint64_t resets_ = 0;
  std::size_t under_way_ = 0;
  std::map<std::uint16_t, std::uint64_t> refused_;
};

}  // namespace brownout::mock::http
