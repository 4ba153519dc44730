//! What authentication adds to proxying: the same small GET, with a session and open to everybody.
//!
//! Prints requests a second, latency, and the CPU time that the gateway's cores spend on a request. Everything runs in
//! this process: the upstream and the clients on threads of their own, so that the cores' CPU time can be told apart.
//! Rounds alternate; compare figures of one run only.

#[path = "support/upstream.rs"]
mod upstream;
#[path = "../examples/bench_gateway/world.rs"]
mod world;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use world::{Kept, World};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CLIENTS: usize = 16;
const ROUND: Duration = Duration::from_secs(2);
const ROUNDS: usize = 5;

fn main() -> anyhow::Result<()> {
    let upstream = upstream::start()?;
    let listen = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let control = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let world = control.block_on(World::start(
        listen,
        upstream,
        Kept {
            store: "sqlite::memory:",
            provider: "",
        },
    ))?;
    let cases = [
        Case {
            name: "open to everybody",
            path: "/open/small",
            cookie: None,
        },
        Case {
            name: "with a session",
            path: "/small",
            cookie: Some(world.cookie.clone()),
        },
    ];
    let mut results: [Vec<Round>; 2] = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for (case, rounds) in cases.iter().zip(&mut results) {
            rounds.push(case.round(listen)?);
        }
    }
    control.block_on(world.gateway.stop(Duration::ZERO));
    report(&cases, &results);
    Ok(())
}

struct Case {
    name: &'static str,
    path: &'static str,
    cookie: Option<String>,
}

struct Round {
    requests: usize,
    seconds: f64,
    cpu_us: f64,
    latencies_us: Vec<u32>,
}

impl Case {
    fn round(&self, gateway: SocketAddr) -> anyhow::Result<Round> {
        let cookie = self
            .cookie
            .as_ref()
            .map(|cookie| format!("Cookie: {cookie}\r\n"))
            .unwrap_or_default();
        let request = format!("GET {} HTTP/1.1\r\nHost: {gateway}\r\n{cookie}\r\n", self.path);
        let stop = Arc::new(AtomicBool::new(false));
        let (before, began) = (cores_cpu_us()?, Instant::now());
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let (request, stop) = (request.clone(), Arc::clone(&stop));
                std::thread::spawn(move || client(gateway, &request, &stop))
            })
            .collect();
        std::thread::sleep(ROUND);
        stop.store(true, Ordering::Relaxed);
        let mut latencies_us = Vec::new();
        for client in clients {
            latencies_us.extend(client.join().map_err(|_| anyhow::anyhow!("a client failed"))??);
        }
        let (seconds, spent) = (began.elapsed().as_secs_f64(), cores_cpu_us()? - before);
        latencies_us.sort_unstable();
        let requests = latencies_us.len();
        anyhow::ensure!(requests > 0, "no request was answered");
        Ok(Round {
            requests,
            seconds,
            cpu_us: spent / as_f64(requests),
            latencies_us,
        })
    }
}

fn client(gateway: SocketAddr, request: &str, stop: &AtomicBool) -> anyhow::Result<Vec<u32>> {
    let mut stream = TcpStream::connect(gateway)?;
    stream.set_nodelay(true)?;
    let mut answer = [0; 4096];
    let mut latencies = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        stream.write_all(request.as_bytes())?;
        let read = stream.read(&mut answer)?;
        let answer = answer.get(..read).unwrap_or_default();
        anyhow::ensure!(
            answer.starts_with(b"HTTP/1.1 200"),
            "{}",
            String::from_utf8_lossy(answer)
        );
        latencies.push(u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX));
    }
    Ok(latencies)
}

/// CPU time of the gateway's core threads so far, in microseconds (`/proc/self/task/*/schedstat`, nanoseconds).
fn cores_cpu_us() -> anyhow::Result<f64> {
    let mut nanos = 0_u64;
    for task in std::fs::read_dir("/proc/self/task")? {
        let task = task?.path();
        if std::fs::read_to_string(task.join("comm")).is_ok_and(|name| name.starts_with("core")) {
            let stat = std::fs::read_to_string(task.join("schedstat"))?;
            let on_cpu = stat.split_whitespace().next().context("no schedstat")?;
            nanos += on_cpu.parse::<u64>()?;
        }
    }
    anyhow::ensure!(nanos > 0, "the gateway's cores were not found among the threads");
    Ok(f64::from(u32::try_from(nanos / 1000).unwrap_or(u32::MAX)))
}

fn as_f64(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
fn report(cases: &[Case; 2], results: &[Vec<Round>; 2]) {
    println!(
        "\nsmall GET, {CLIENTS} connections, {ROUNDS} rounds of {} s each, alternating",
        ROUND.as_secs()
    );
    println!(
        "{:<20}{:>10}{:>10}{:>10}{:>14}{:>12}",
        "", "req/s", "p50 us", "p99 us", "CPU us/req", "best"
    );
    let mut best = Vec::new();
    for (case, rounds) in cases.iter().zip(results) {
        let mut latencies: Vec<u32> = rounds
            .iter()
            .flat_map(|round| &round.latencies_us)
            .copied()
            .collect();
        latencies.sort_unstable();
        let rate = median(
            rounds
                .iter()
                .map(|round| as_f64(round.requests) / round.seconds)
                .collect(),
        );
        let cpu: Vec<f64> = rounds.iter().map(|round| round.cpu_us).collect();
        let least = cpu.iter().copied().fold(f64::INFINITY, f64::min);
        best.push(least);
        println!(
            "{:<20}{rate:>10.0}{:>10}{:>10}{:>14.2}{least:>12.2}",
            case.name,
            quantile(&latencies, 50),
            quantile(&latencies, 99),
            median(cpu),
        );
    }
    if let [open, session] = best.as_slice() {
        println!(
            "\nauthentication adds {:.1} % CPU (best rounds)",
            (session / open - 1.0) * 100.0
        );
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn quantile(sorted: &[u32], percent: usize) -> u32 {
    sorted
        .get(sorted.len() * percent / 100)
        .or(sorted.last())
        .copied()
        .unwrap_or(0)
}
