// The yardsticks of README.md on ns-3, for each of its event schedulers.
//
// Three forms, from the way its users write to the least that can be called
// ns-3:
//   simulator  Simulator::Schedule of a member function, a new event each time
//   reuse      Simulator::Schedule of event objects made once and used again
//   queue      the scheduler class alone, without simulator and without a call
//              per event

#include "ns3/core-module.h"

#include <getopt.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

using namespace ns3;

// What follows an event: the process that the next one belongs to and the
// nanoseconds until then. One unit of time of a yardstick is one second.
struct Next
{
    uint32_t lp;
    int64_t delay;
};

Ptr<ExponentialRandomVariable>
Exponential(double mean)
{
    auto v = CreateObject<ExponentialRandomVariable>();
    v->SetAttribute("Mean", DoubleValue(mean));
    return v;
}

struct Hold
{
    static constexpr bool traced = false;
    Ptr<ExponentialRandomVariable> wait = Exponential(1.0);

    int64_t First(uint32_t) { return 100000000 + int64_t(wait->GetValue() * 1e9); }
    Next Step(uint32_t lp, int64_t) { return {lp, First(lp)}; }
};

// The increments of ns-3's own utils/bench-scheduler.cc.
struct HoldNs3
{
    static constexpr bool traced = false;
    Ptr<ExponentialRandomVariable> wait = Exponential(100);

    int64_t First(uint32_t) { return int64_t(wait->GetValue()); }
    Next Step(uint32_t lp, int64_t) { return {lp, First(lp)}; }
};

// As in ROSS, three draws for each event, though a remote share of 1 makes the
// first one idle.
struct Phold
{
    static constexpr bool traced = false;
    static constexpr double remote = 1.0;
    uint32_t n;
    Ptr<ExponentialRandomVariable> wait = Exponential(0.9);
    Ptr<UniformRandomVariable> uniform = CreateObject<UniformRandomVariable>();

    explicit Phold(uint32_t population) : n(population) {}

    int64_t First(uint32_t) { return 100000000 + int64_t(wait->GetValue() * 1e9); }

    Next Step(uint32_t lp, int64_t)
    {
        if (uniform->GetValue(0, 1) <= remote)
        {
            lp = uniform->GetInteger(0, n - 1);
        }
        return {lp, First(lp)};
    }
};

// Reads its luck from a file, and keeps what was executed to hash it after the
// clock has stopped.
struct Replay
{
    static constexpr bool traced = true;
    struct Pair { uint64_t dest, delay; };
    struct Executed { uint64_t time, lp; };
    const std::vector<Pair>& pairs;
    size_t next = 0;
    std::vector<Executed> trace;

    Replay(const std::vector<Pair>& p, uint64_t events) : pairs(p) { trace.reserve(events); }

    int64_t First(uint32_t) { return pairs[next++].delay; }

    Next Step(uint32_t lp, int64_t now)
    {
        trace.push_back({uint64_t(now), lp});
        const Pair& p = pairs[next++];
        return {uint32_t(p.dest), int64_t(p.delay)};
    }

    // FNV-1a, 64 bits, of time and process of each event, little-endian.
    uint64_t Hash() const
    {
        uint64_t h = 14695981039346656037u;
        for (const Executed& e : trace)
        {
            for (uint64_t word : {e.time, e.lp})
            {
                for (int byte = 0; byte < 8; byte++)
                {
                    h = (h ^ ((word >> (8 * byte)) & 0xff)) * 1099511628211u;
                }
            }
        }
        return h;
    }
};

double
Seconds(std::chrono::steady_clock::time_point start)
{
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double
TimedRun()
{
    auto start = std::chrono::steady_clock::now();
    Simulator::Run();
    double seconds = Seconds(start);
    Simulator::Destroy();
    return seconds;
}

template <class Model>
struct InSimulator
{
    Model& model;
    uint64_t left;

    void Fire(uint32_t lp)
    {
        Next n = model.Step(lp, Model::traced ? Simulator::Now().GetTimeStep() : 0);
        Simulator::Schedule(NanoSeconds(n.delay), &InSimulator::Fire, this, n.lp);
        if (--left == 0)
        {
            Simulator::Stop();
        }
    }

    double Run(uint32_t population)
    {
        for (uint32_t lp = 0; lp < population; lp++)
        {
            Simulator::Schedule(NanoSeconds(model.First(lp)), &InSimulator::Fire, this, lp);
        }
        return TimedRun();
    }
};

template <class Model>
struct Reusing
{
    struct Token : public EventImpl
    {
        Reusing* run;
        uint32_t lp;
        void Notify() override { run->Fire(this); }
    };

    Model& model;
    uint64_t left;

    void Fire(Token* t)
    {
        Next n = model.Step(t->lp, Model::traced ? Simulator::Now().GetTimeStep() : 0);
        t->lp = n.lp;
        Simulator::Schedule(Time(n.delay), Ptr<EventImpl>(t));
        if (--left == 0)
        {
            Simulator::Stop();
        }
    }

    double Run(uint32_t population)
    {
        for (uint32_t lp = 0; lp < population; lp++)
        {
            auto t = Create<Token>();
            t->run = this;
            t->lp = lp;
            Simulator::Schedule(Time(model.First(lp)), t);
        }
        return TimedRun();
    }
};

template <class Model>
double
RunQueue(Model& model, Ptr<Scheduler> queue, uint32_t population, uint64_t events)
{
    uint32_t uid = 0;
    for (uint32_t lp = 0; lp < population; lp++)
    {
        queue->Insert({nullptr, {uint64_t(model.First(lp)), uid++, lp}});
    }
    auto start = std::chrono::steady_clock::now();
    for (uint64_t i = 0; i < events; i++)
    {
        Scheduler::EventKey e = queue->RemoveNext().key;
        Next n = model.Step(e.m_context, e.m_ts);
        queue->Insert({nullptr, {e.m_ts + n.delay, uid++, n.lp}});
    }
    double seconds = Seconds(start);
    while (!queue->IsEmpty())
    {
        queue->RemoveNext();
    }
    return seconds;
}

struct Options
{
    std::string bench, file, scheduler = "map", form = "simulator";
    uint64_t population = 0, events = 0, runs = 1;
};

template <class Model>
double
RunOnce(const Options& o, ObjectFactory& scheduler, Model& model)
{
    if (o.form == "queue")
    {
        return RunQueue(model, scheduler.Create<Scheduler>(), o.population, o.events);
    }
    Simulator::SetScheduler(scheduler);
    return o.form == "reuse" ? Reusing<Model>{model, o.events}.Run(o.population)
                             : InSimulator<Model>{model, o.events}.Run(o.population);
}

[[noreturn]] void
Fail(const std::string& why)
{
    std::fprintf(stderr, "ns3: %s\n", why.c_str());
    std::exit(2);
}

// Reads the pairs, and refuses a file that is too short or leaves the population.
std::vector<Replay::Pair>
ReadPairs(const Options& o)
{
    static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the file is read as it is");
    std::vector<Replay::Pair> pairs(o.population + o.events);
    std::ifstream in(o.file, std::ios::binary);
    if (!in.read(reinterpret_cast<char*>(pairs.data()), pairs.size() * sizeof(Replay::Pair)))
    {
        Fail(o.file + ": fewer than " + std::to_string(pairs.size()) + " pairs");
    }
    for (const auto& p : pairs)
    {
        if (p.dest >= o.population)
        {
            Fail(o.file + ": a destination outside the population");
        }
    }
    return pairs;
}

// One warming run that is not printed, then the runs.
void
Bench(const Options& o, const std::string& name, ObjectFactory scheduler,
      const std::vector<Replay::Pair>& pairs)
{
    for (uint64_t run = 0; run <= o.runs; run++)
    {
        double seconds;
        std::string hash;
        if (o.bench == "hold")
        {
            Hold m;
            seconds = RunOnce(o, scheduler, m);
        }
        else if (o.bench == "hold-ns3")
        {
            HoldNs3 m;
            seconds = RunOnce(o, scheduler, m);
        }
        else if (o.bench == "phold")
        {
            Phold m(o.population);
            seconds = RunOnce(o, scheduler, m);
        }
        else
        {
            Replay m(pairs, o.events);
            seconds = RunOnce(o, scheduler, m);
            char text[64];
            std::snprintf(text, sizeof text, ",\"hash\":\"%016lx\"", (unsigned long)m.Hash());
            hash = text;
        }
        if (run > 0)
        {
            std::printf("{\"engine\":\"ns-3 %s %s %s\",\"bench\":\"%s\",\"population\":%lu,"
                        "\"events\":%lu,\"seconds\":%.9f,\"rate\":%.0f%s}\n",
                        NS3_VERSION, o.form.c_str(), name.c_str(), o.bench.c_str(),
                        (unsigned long)o.population, (unsigned long)o.events, seconds,
                        o.events / seconds, hash.c_str());
            std::fflush(stdout);
        }
    }
}

int
main(int argc, char* argv[])
{
    Options o;
    const option flags[] = {{"bench", 1, nullptr, 'b'},     {"population", 1, nullptr, 'p'},
                            {"events", 1, nullptr, 'e'},    {"runs", 1, nullptr, 'r'},
                            {"file", 1, nullptr, 'f'},      {"form", 1, nullptr, 'm'},
                            {"scheduler", 1, nullptr, 's'}, {nullptr, 0, nullptr, 0}};
    for (int c; (c = getopt_long(argc, argv, "", flags, nullptr)) != -1;)
    {
        switch (c)
        {
        case 'b': o.bench = optarg; break;
        case 'p': o.population = std::strtoull(optarg, nullptr, 10); break;
        case 'e': o.events = std::strtoull(optarg, nullptr, 10); break;
        case 'r': o.runs = std::strtoull(optarg, nullptr, 10); break;
        case 'f': o.file = optarg; break;
        case 'm': o.form = optarg; break;
        case 's': o.scheduler = optarg; break;
        default: return 2;
        }
    }
    if (o.bench != "hold" && o.bench != "hold-ns3" && o.bench != "phold" && o.bench != "replay")
    {
        Fail("--bench is hold, hold-ns3, phold or replay");
    }
    if (o.form != "simulator" && o.form != "reuse" && o.form != "queue")
    {
        Fail("--form is simulator, reuse or queue");
    }
    if (o.population == 0 || o.events == 0)
    {
        Fail("--population and --events must be above 0");
    }
    std::vector<Replay::Pair> pairs;
    if (o.bench == "replay")
    {
        pairs = ReadPairs(o);
    }

    ObjectFactory backwards("ns3::CalendarScheduler");
    backwards.Set("Reverse", BooleanValue(true));
    const std::pair<std::string, ObjectFactory> schedulers[] = {
        {"map", ObjectFactory("ns3::MapScheduler")},
        {"heap", ObjectFactory("ns3::HeapScheduler")},
        {"list", ObjectFactory("ns3::ListScheduler")},
        {"calendar", ObjectFactory("ns3::CalendarScheduler")},
        {"calendar-reverse", backwards},
        {"priority_queue", ObjectFactory("ns3::PriorityQueueScheduler")}};
    bool known = false;
    for (const auto& [name, factory] : schedulers)
    {
        if (o.scheduler == "all" && name == "list" && o.population > 2000)
        {
            std::fprintf(stderr, "ns3: list left out: it searches %lu events for each insertion\n",
                         (unsigned long)o.population);
            continue;
        }
        if (o.scheduler == "all" || o.scheduler == name)
        {
            known = true;
            Bench(o, name, factory, pairs);
        }
    }
    if (!known)
    {
        Fail("no scheduler " + o.scheduler);
    }
}
