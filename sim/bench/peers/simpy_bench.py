"""The yardsticks of README.md on SimPy.

Two forms: "process", as its users write, where each event in flight is a
process that waits; "callback", a function called by each timeout, the fastest
that SimPy's public interface permits.
"""

import random
import time
from array import array

import simpy
from simpy.events import Timeout

import replay

REMOTE, LOOKAHEAD, RATE = 1.0, 0.1, 1 / 0.9  # phold: mean 1.0 = 0.1 + 0.9


def hold_process(env, args):
    def lane():
        while True:
            yield env.timeout(0.1 + random.expovariate(1.0))

    for _ in range(args.population):
        env.process(lane())


def hold_callback(env, args):
    draw = random.expovariate

    def fire(event):
        Timeout(env, 0.1 + draw(1.0), event._value).callbacks.append(fire)

    for lp in range(args.population):
        Timeout(env, 0.1 + draw(1.0), lp).callbacks.append(fire)


def phold_process(env, args):
    n = args.population

    def token(lp):
        while True:
            yield env.timeout(random.expovariate(RATE) + LOOKAHEAD)
            if random.random() <= REMOTE:
                lp = random.randrange(n)

    for lp in range(n):
        env.process(token(lp))


def phold_callback(env, args):
    n, draw, uniform = args.population, random.expovariate, random.random

    def fire(event):
        lp = int(uniform() * n) if uniform() <= REMOTE else event._value
        Timeout(env, draw(RATE) + LOOKAHEAD, lp).callbacks.append(fire)

    for lp in range(n):
        Timeout(env, draw(RATE) + LOOKAHEAD, lp).callbacks.append(fire)


def replay_process(env, args):
    pairs = iter(zip(*args.pairs))
    executed = array("Q")

    def token(lp):
        _, delay = next(pairs)
        while True:
            yield env.timeout(delay)
            executed.append(env.now)
            executed.append(lp)
            lp, delay = next(pairs)

    for lp in range(args.population):
        env.process(token(lp))
    return executed


def replay_callback(env, args):
    pairs = iter(zip(*args.pairs))
    executed = array("Q")

    def fire(event):
        executed.append(env._now)
        executed.append(event._value)
        lp, delay = next(pairs)
        Timeout(env, delay, lp).callbacks.append(fire)

    for lp in range(args.population):
        _, delay = next(pairs)
        Timeout(env, delay, lp).callbacks.append(fire)
    return executed


FORMS = {"process": {"hold": hold_process, "phold": phold_process, "replay": replay_process},
         "callback": {"hold": hold_callback, "phold": phold_callback, "replay": replay_callback}}


def run(form, args):
    """Returns the seconds that args.events events took, and the hash of a replay."""
    env = simpy.Environment()
    executed = FORMS[form][args.bench](env, args)
    if form == "process":
        for _ in range(args.population):  # the start of a process is an event too: not ours
            env.step()
    step = env.step
    start = time.perf_counter()
    for _ in range(args.events):
        step()
    seconds = time.perf_counter() - start
    return seconds, {} if executed is None else {"hash": replay.digest(executed)}


def main():
    parser = replay.flags("the yardsticks on SimPy", ["hold", "phold", "replay"])
    parser.add_argument("--form", choices=FORMS, default="process")
    args = parser.parse_args()
    if args.bench == "replay":
        args.pairs = replay.read(args.file, args.population, args.events)
    for i in range(args.runs + 1):
        seconds, more = run(args.form, args)
        if i > 0:
            replay.line(f"SimPy {simpy.__version__} {args.form}", args, seconds, **more)


if __name__ == "__main__":
    main()
