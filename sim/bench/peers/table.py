"""Folds the lines of JSON of all engines.

  table.py        prints the table, what is missing, and the hashes of the replays; exits with 1 if they differ
  table.py best   prints the last word of the engine with the highest median rate in each case
"""

import json
import statistics
import sys


def fold(lines):
    """Returns rates, hashes and reasons for absence, by (bench, population) and then engine."""
    cases = {}
    for text in lines:
        r = json.loads(text)
        case = cases.setdefault((r["bench"], r["population"]), {"rates": {}, "hashes": {}, "missing": {}})
        if "missing" in r:
            case["missing"][r["engine"]] = r["missing"]
            continue
        case["rates"].setdefault(r["engine"], []).append(r["events"] / r["seconds"])
        if r["bench"] == "replay":
            case["hashes"].setdefault(r.get("hash", "none"), set()).add(r["engine"])
    return cases


def table(cases):
    row = "{:9} {:>10}  {:34} {:>12} {:>12} {:>12} {:>11}".format
    print(row("bench", "population", "engine", "median, 1/s", "min", "max", "flyball is"))
    for (bench, population), case in cases.items():
        medians = {engine: statistics.median(rates) for engine, rates in case["rates"].items()}
        flyball = medians.get("flyball")
        for engine in sorted(medians, key=medians.get, reverse=True):
            rates = case["rates"][engine]
            ratio = f"{flyball / medians[engine]:.2f} x" if flyball else "?"
            print(row(bench, population, engine, f"{medians[engine]:,.0f}",
                      f"{min(rates):,.0f}", f"{max(rates):,.0f}", ratio))


def missing(cases):
    """Prints which engine could not do what, and why."""
    absent = {}
    for (bench, population), case in cases.items():
        for engine, reason in case["missing"].items():
            absent.setdefault((engine, reason), []).append(f"{bench} {population}")
    for (engine, reason), where in absent.items():
        print(f"\nmissing: {engine}: {reason}\n  ({', '.join(where)})")


def hashes(cases):
    """Prints who found which hash, and returns whether each replay has one."""
    agreed = True
    for (_, population), case in cases.items():
        if not case["hashes"]:
            continue
        one = len(case["hashes"]) == 1 and "none" not in case["hashes"]
        agreed = agreed and one
        print(f"\nreplay of population {population}:", "all agree" if one else "THEY DIFFER")
        for value, engines in case["hashes"].items():
            print(f"  {value}  {', '.join(sorted(engines))}")
    return agreed


def main():
    cases = fold(sys.stdin)
    if sys.argv[1:] == ["best"]:
        for case in cases.values():
            rates = case["rates"]
            print(max(rates, key=lambda engine: statistics.median(rates[engine])).split()[-1])
        return
    table(cases)
    missing(cases)
    if not hashes(cases):
        sys.exit(1)


if __name__ == "__main__":
    main()
