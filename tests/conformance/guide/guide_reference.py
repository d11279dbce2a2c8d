"""What the guide's code does, run on the libraries it names, on a clock that is only told the time.

Reads cases as JSON, one per line, on stdin; writes for each a line "case N" and its trace, one
event per line, on stdout. Times in cases are ticks of 1/512 s: whole multiples of it are exact both
as the floats the libraries calculate with and as the nanoseconds of the trace.

A case is a policy or a breaker:
  {"policy": "guide-layered", "scripts": {"gpt-4": [["rate_limited", 512], ...], ...},
   "calls": [[gap, prompt], ...]}
      Attempt n at a model gets entry n of its script (which repeats): an outcome and after how many
      ticks. Calls come one at a time, each `gap` ticks after the end of the one before.
  {"breaker": "library", "events": [[gap, "enter", 0], [gap, "success", 3], ...]}
      Overlapping calls. "success" and "failure" end the call that is at that place (modulo their
      number) among those in flight, oldest first; with none in flight nothing happens.
"""

import hashlib
import json
import sys
import time

import circuitbreaker
import tenacity
from circuitbreaker import CircuitBreaker, CircuitBreakerError
from tenacity import retry, retry_if_exception_type, stop_after_attempt, stop_after_delay
from tenacity import wait_exponential

TICKS_PER_SECOND = 512
NS_PER_TICK = 1_953_125


class Clock:
    """Time as both libraries see it: it stands still but for sleeps and what the provider takes."""

    MONOTONIC_START = 1_000.0
    EPOCH_START = 1_700_000_000.0

    def __init__(self):
        self.elapsed = 0.0
        self.on_sleep = None

    def monotonic(self):
        return self.MONOTONIC_START + self.elapsed

    def time(self):
        return self.EPOCH_START + self.elapsed

    def sleep(self, seconds):
        begun = self.ns()
        self.advance(seconds)
        self.on_sleep(begun, self.ns())

    def advance(self, seconds):
        self.elapsed += seconds

    def ns(self):
        ticks = self.elapsed * TICKS_PER_SECOND
        assert ticks == int(ticks), "a time that is no multiple of a tick"
        return int(ticks) * NS_PER_TICK


CLOCK = Clock()
time.monotonic = CLOCK.monotonic
time.time = CLOCK.time
time.sleep = CLOCK.sleep
circuitbreaker.monotonic = CLOCK.monotonic


# The client's errors, by the names of its version 0.x, which the guide's code uses.


class OpenAIError(Exception):
    def __init__(self, kind):
        super().__init__(kind)
        self.kind = kind
        self.headers = {"retry-after": "20"}  # which nothing here reads


class RateLimitError(OpenAIError):  # every HTTP 429, whatever its code says
    pass


class Timeout(OpenAIError):
    pass


class APIError(OpenAIError):
    pass


class ServiceUnavailableError(OpenAIError):
    pass


class APIConnectionError(OpenAIError):
    pass


class AuthenticationError(OpenAIError):
    pass


class PermissionError(OpenAIError):
    pass


class InvalidRequestError(OpenAIError):
    pass


ERRORS = {
    "rate_limited": RateLimitError,
    "slow_down": RateLimitError,
    "request_too_large": RateLimitError,
    "quota_exhausted": RateLimitError,
    "daily_limited": RateLimitError,
    "overloaded": ServiceUnavailableError,
    "server_error": APIError,
    "bad_gateway": APIError,
    "connection": APIConnectionError,
    "timed_out": Timeout,
    "malformed_reply": APIError,
    "stream_truncated": APIConnectionError,
    "authentication": AuthenticationError,
    "permission": PermissionError,
    "not_found": InvalidRequestError,
    "context_length": InvalidRequestError,
    "content_policy": InvalidRequestError,
    "invalid_request": InvalidRequestError,
}


class Provider:
    """Answers attempts as scripted."""

    def __init__(self, scripts, trace):
        self.scripts = scripts
        self.attempts = {model: 0 for model in scripts}
        self.trace = trace

    def complete(self, model, timeout):
        number = self.attempts[model]
        self.attempts[model] += 1
        script = self.scripts[model]
        outcome, ticks = script[number % len(script)]
        duration = ticks / TICKS_PER_SECOND
        if duration > timeout:
            outcome, duration = "timed_out", timeout
        begun = CLOCK.ns()
        CLOCK.advance(duration)
        self.trace.append(f"  attempt at {model} from {begun} to {CLOCK.ns()}: {outcome}")
        if outcome == "success":
            return f"{model}#{number}"
        raise ERRORS[outcome](outcome)


class BreakerClass:
    """The guide's own breaker, written from its description: 5 failures, 60 s, 2 successes.

    What the description leaves open and is our reading: a success while closed starts the count
    over; an open breaker becomes half-open when a call is let in, once the recovery timeout has
    passed since the last failure; a success while open does nothing.
    """

    def __init__(self, failure_threshold, recovery_timeout, success_threshold):
        self.failure_threshold = failure_threshold
        self.recovery_timeout = recovery_timeout
        self.success_threshold = success_threshold
        self.failure_count = 0
        self.success_count = 0
        self.last_failure_time = None
        self.mode = "closed"

    def recovery_is_due(self):
        return time.time() - self.last_failure_time >= self.recovery_timeout

    @property
    def state(self):
        if self.mode == "open" and self.recovery_is_due():
            return "half_open"
        return self.mode

    def admit(self):
        if self.mode == "open":
            if not self.recovery_is_due():
                return False
            self.mode = "half_open"
            self.success_count = 0
        return True

    def on_success(self):
        if self.mode == "half_open":
            self.success_count += 1
            if self.success_count >= self.success_threshold:
                self.mode = "closed"
                self.failure_count = 0
        elif self.mode == "closed":
            self.failure_count = 0

    def on_failure(self):
        self.failure_count += 1
        self.last_failure_time = time.time()
        if self.failure_count >= self.failure_threshold:
            self.mode = "open"

    def __call__(self, function):
        def guarded(*args):
            if not self.admit():
                raise BreakerClassOpenError()
            try:
                result = function(*args)
            except Exception:
                self.on_failure()
                raise
            self.on_success()
            return result

        return guarded


class BreakerClassOpenError(Exception):
    pass


def library_breaker(name):
    return CircuitBreaker(failure_threshold=5, recovery_timeout=60, name=name)


def class_breaker(_name):
    return BreakerClass(failure_threshold=5, recovery_timeout=60, success_threshold=2)


def retried_call(provider, model):
    """The guide's call to one model."""

    @retry(
        stop=stop_after_attempt(3),
        wait=wait_exponential(multiplier=1, min=4, max=10),
        retry=retry_if_exception_type((RateLimitError, Timeout)),
    )
    def call_model():
        return provider.complete(model, timeout=30)

    return call_model


def patient_call(provider, model):
    """The guide's longer policy for rate limits."""

    @retry(
        stop=stop_after_delay(300),
        wait=wait_exponential(multiplier=2, min=10, max=120),
        retry=retry_if_exception_type(RateLimitError),
    )
    def call_model():
        return provider.complete(model, timeout=30)

    return call_model


class SingleModel:
    """One model, no breaker, no fallback."""

    breakers = ()

    def __init__(self, make_call, provider):
        self.call_model = make_call(provider, "gpt-4")

    def answer(self, _prompt, _trace):
        try:
            return "live " + self.call_model()
        except tenacity.RetryError as error:
            return "failed " + error.last_attempt.exception().kind
        except OpenAIError as error:
            return "failed " + error.kind


class WithFallbacks:
    """Two models, each with retry inside a breaker; then a cached reply; then a default one."""

    MODELS = ("gpt-4", "gpt-3.5-turbo")
    CACHE_TTL = 3600
    DEFAULT = {"error": "AI service unavailable", "message": "Please try again later"}

    def __init__(self, make_breaker, provider):
        self.breakers = [make_breaker(model) for model in self.MODELS]
        self.calls = [
            breaker(retried_call(provider, model))
            for breaker, model in zip(self.breakers, self.MODELS)
        ]
        self.cache = {}

    def answer(self, prompt, trace):
        key = hashlib.sha256(prompt.encode()).hexdigest()
        for model, call_model in zip(self.MODELS, self.calls):
            try:
                reply = call_model()
            except (CircuitBreakerError, BreakerClassOpenError):
                trace.append(f"  rejected by {model} at {CLOCK.ns()}")
            except Exception:
                pass
            else:
                self.cache[key] = (reply, time.time())
                return "live " + reply
        if key in self.cache:
            reply, stored_at = self.cache[key]
            if time.time() - stored_at < self.CACHE_TTL:
                return "cached " + reply
        return "default " + json.dumps(self.DEFAULT, sort_keys=True, separators=(",", ":"))


STACKS = {
    "guide-retry-only": lambda provider: SingleModel(retried_call, provider),
    "guide-rate-limit": lambda provider: SingleModel(patient_call, provider),
    "guide-layered": lambda provider: WithFallbacks(library_breaker, provider),
    "guide-breaker-class": lambda provider: WithFallbacks(class_breaker, provider),
}


def run_policy(case):
    trace = []
    stack = STACKS[case["policy"]](Provider(case["scripts"], trace))
    CLOCK.on_sleep = lambda begun, ended: trace.append(f"  wait from {begun} to {ended}")
    for gap, prompt in case["calls"]:
        CLOCK.advance(gap / TICKS_PER_SECOND)
        trace.append(f"call at {CLOCK.ns()} with prompt {prompt}")
        result = stack.answer(f"prompt {prompt}", trace)
        trace.append(f"  ends at {CLOCK.ns()}: {result}")
        for breaker, model in zip(stack.breakers, WithFallbacks.MODELS):
            trace.append(f"  breaker of {model} is {breaker.state}")
    return trace


class LibraryDoors:
    """The library's breaker, entered and left as its own decorator does."""

    def __init__(self):
        self.breaker = library_breaker("alone")

    def admit(self):
        if self.breaker.opened:
            return False
        self.breaker.__enter__()
        return True

    def on_success(self):
        self.breaker.__exit__(None, None, None)

    def on_failure(self):
        error = APIError("server_error")
        self.breaker.__exit__(APIError, error, None)

    @property
    def state(self):
        return self.breaker.state


def run_breaker(case):
    breaker = LibraryDoors() if case["breaker"] == "library" else class_breaker("alone")
    trace = []
    in_flight = []
    for number, (gap, what, place) in enumerate(case["events"]):
        CLOCK.advance(gap / TICKS_PER_SECOND)
        did = what
        if what == "enter":
            if breaker.admit():
                in_flight.append(number)
            else:
                did = "rejected"
        elif in_flight:
            did = f"{what} of {in_flight.pop(place % len(in_flight))}"
            breaker.on_success() if what == "success" else breaker.on_failure()
        else:
            did = "nothing"
        trace.append(f"{number} at {CLOCK.ns()}: {did}, {breaker.state}")
    return trace


def main():
    for number, line in enumerate(sys.stdin):
        CLOCK.elapsed = 0.0
        case = json.loads(line)
        trace = run_policy(case) if "policy" in case else run_breaker(case)
        print(f"case {number}", *trace, sep="\n")


if __name__ == "__main__":
    main()
