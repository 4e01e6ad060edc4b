"""The shared luck of the replay yardstick: writes the file, and runs it by the book.

  replay.py write --population N --events M --seed S --file F
  replay.py --bench replay --population N --events M --runs R --file F

The second form is the reference: the definition in README.md on heapq, with
the flags and the output of all the programs here.
"""

import argparse
import heapq
import json
import math
import random
import sys
import time
from array import array

MILLISECOND = 1_000_000


def pairs(population, events, seed):
    """Yields N+M pairs (destination, delay in ns).

    A sixteenth of the delays is zero and the others, 0.1 s and an exponential
    of mean 0.9 s, are whole milliseconds: so there are ties everywhere, and an
    engine that breaks them in another order than first come, first served
    cannot print the right hash.
    """
    rng = random.Random(seed)
    for _ in range(population + events):
        dest = int(rng.random() * population)
        wait = 100 + int(-900 * math.log(1 - rng.random()))
        yield dest, 0 if rng.random() < 1 / 16 else wait * MILLISECOND


def write(path, population, events, seed):
    words = array("Q", (word for pair in pairs(population, events, seed) for word in pair))
    if sys.byteorder == "big":
        words.byteswap()
    with open(path, "wb") as f:
        words.tofile(f)


def read(path, population, events):
    """Returns the destinations and the delays of N+M pairs."""
    words = array("Q")
    with open(path, "rb") as f:
        words.fromfile(f, 2 * (population + events))
    if sys.byteorder == "big":
        words.byteswap()
    dests, delays = words[0::2].tolist(), words[1::2].tolist()
    if max(dests) >= population:
        raise ValueError(path + ": a destination outside the population")
    return dests, delays


def run(dests, delays, population, events):
    """Returns time and lp of each executed event in their order, all in one row.

    Equal times go by the order of scheduling. Here 0 and 1 are due at 5, and 0
    was scheduled first; its successor, at 5 too, has to wait for 1:

    >>> run([0, 0, 0, 1, 0], [5, 5, 0, 3, 9], 2, 3)
    array('Q', [5, 0, 5, 1, 5, 0])
    """
    queue = [(delays[lp], lp, lp) for lp in range(population)]  # time, sequence, lp
    heapq.heapify(queue)
    executed = array("Q")
    for sequence in range(population, population + events):
        now, _, lp = queue[0]
        executed.append(now)
        executed.append(lp)
        heapq.heapreplace(queue, (now + delays[sequence], sequence, dests[sequence]))
    return executed


def fnv1a(data):
    """FNV-1a, 64 bits, against its authors' test vectors:

    >>> "%016x" % fnv1a(b"")
    'cbf29ce484222325'
    >>> "%016x" % fnv1a(b"foobar")
    '85944171f73967e8'
    """
    h = 14695981039346656037
    for byte in data:
        h = (h ^ byte) * 1099511628211 & 0xFFFFFFFFFFFFFFFF
    return h


def digest(executed):
    words = executed[:]
    if sys.byteorder == "big":
        words.byteswap()
    return "%016x" % fnv1a(words.tobytes())


def line(engine, args, seconds, **more):
    """Prints what every program here prints for a run."""
    print(json.dumps({"engine": engine, "bench": args.bench, "population": args.population,
                      "events": args.events, "seconds": round(seconds, 9),
                      "rate": round(args.events / seconds), **more},
                     separators=(",", ":")), flush=True)


def flags(description, benches):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--bench", choices=benches, required=True)
    parser.add_argument("--population", type=int, required=True)
    parser.add_argument("--events", type=int, required=True)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--file")
    return parser


def main():
    if sys.argv[1:2] == ["write"]:
        parser = argparse.ArgumentParser()
        parser.add_argument("--population", type=int, required=True)
        parser.add_argument("--events", type=int, required=True)
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--file", required=True)
        args = parser.parse_args(sys.argv[2:])
        write(args.file, args.population, args.events, args.seed)
        return
    args = flags("the replay yardstick on heapq", ["replay"]).parse_args()
    dests, delays = read(args.file, args.population, args.events)
    for i in range(args.runs + 1):
        start = time.perf_counter()
        executed = run(dests, delays, args.population, args.events)
        seconds = time.perf_counter() - start
        if i > 0:
            line("reference heapq", args, seconds, hash=digest(executed))


if __name__ == "__main__":
    main()
