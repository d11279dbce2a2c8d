"""What tenacity and circuitbreaker cost a call, in nanoseconds of CPU time.

Prints JSON: for each library and path the best of several rounds, beside the floor: a function
call. Usage: peers.py [SECONDS_PER_ROUND]
"""

import json
import platform
import sys
import time
from importlib.metadata import version

import circuitbreaker
import tenacity

ROUNDS = 5
ROUND_SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 0.2


def succeed():
    return "An answer."


def fail():
    raise ConnectionError("the provider is down")


def once(call):
    try:
        call()
        return True
    except Exception:
        return False


def measure(call, should_succeed=True):
    """Nanoseconds for a call, which must end as its path should."""
    if once(call) != should_succeed:
        raise RuntimeError("a call did not end as it should")

    def batch(calls):
        begin = time.process_time_ns()
        if should_succeed:
            for _ in range(calls):
                call()
        else:
            for _ in range(calls):
                once(call)
        return time.process_time_ns() - begin

    calls = 1000
    while batch(calls) < ROUND_SECONDS * 1e9:
        calls *= 2
    return min(batch(calls) / calls for _ in range(ROUNDS))


def retried(function):
    return tenacity.retry(
        stop=tenacity.stop_after_attempt(3),
        wait=tenacity.wait_exponential(multiplier=1, min=4, max=10),
        reraise=True,
    )(function)


def guarded(function):
    return circuitbreaker.CircuitBreaker(failure_threshold=5, recovery_timeout=60)(function)


def opened():
    call = guarded(fail)
    for _ in range(5):
        once(call)
    return call


def main():
    result = {
        "runtime": f"CPython {platform.python_version()}",
        "floor": measure(succeed),
        "floor_rejected": measure(fail, should_succeed=False),
        "libraries": {
            f"tenacity {version('tenacity')}": {"retry": measure(retried(succeed))},
            f"circuitbreaker {version('circuitbreaker')}": {
                "breaker": measure(guarded(succeed)),
                "rejected": measure(opened(), should_succeed=False),
            },
            "circuitbreaker around tenacity": {
                "breaker_retry": measure(guarded(retried(succeed))),
            },
        },
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
