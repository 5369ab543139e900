// Assay's probe. It is loaded into the submission's process before the submission (node --import) and sends one small
// record each 100 ms by UDP to the driver: how late the event loop is, how full the heap is, how long garbage
// collection took. Its word is never scored; it explains what was measured from outside.
//
// It must not be felt: it keeps nothing alive, prints nothing, throws nothing, and gives up silently where it is not
// allowed to work (node --permission). Functions are taken before the submission can replace them, which resists
// ordinary patching and no more.
import { createSocket } from 'node:dgram';
import { PerformanceObserver, monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { threadId } from 'node:worker_threads';

// Not imported: the module node:process reads every property of process, stdin among them, which makes standard input non-blocking. A
// submission's readFileSync(0) would end by EAGAIN.
const { process } = globalThis;

const INTERVAL_MS = 100;
const RESOLUTION_MS = 10; // of the delay histogram, which includes it in every value
const MAX_BYTES = 1024;
const STARVED_MS = 100; // timers later than this …
const TICK_GAP_MS = 25; // … while ticks came at least so often: starvation, not one long function

const { stringify } = JSON;
const { max, min, round } = Math;
const now = performance.now.bind(performance);
const utilization = performance.eventLoopUtilization.bind(performance);
const memoryUsage = process.memoryUsage.bind(process);
const setTimer = globalThis.setInterval;
const toBuffer = Buffer.from.bind(Buffer);

function start(port) {
  const delay = delayHistogram();
  const gc = { count: 0, ms: 0 };
  const ticks = watchTicks();
  let observer;
  try {
    observer = new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        gc.count += 1;
        gc.ms += entry.duration;
      }
    });
    observer.observe({ entryTypes: ['gc'] });
  } catch {
    // No garbage collection figures, then.
  }

  // An own lookup answers at once, so that the socket is ready before the submission's first line runs.
  const socket = createSocket({ type: 'udp4', lookup: (name, options, found) => found(null, '127.0.0.1', 4) });
  socket.on('error', () => {}); // nobody listens (any more)
  socket.unref();
  const sendNow = socket.send.bind(socket);

  let sequence = 0;
  let connected = false;
  let last = now(); // of the previous record
  let lastUse = utilization();

  const send = (kind) => {
    try {
      const at = now();
      const use = utilization();
      const memory = memoryUsage();
      const seen = delay.take();
      // A loop that is blocked when the process exits never gets to note its delay: the lateness of this record does.
      const late = kind === 'tick' || kind === 'exit' ? max(0, at - last - INTERVAL_MS) : 0;
      const record = {
        v: 1,
        k: kind,
        p: process.pid,
        t: threadId,
        n: sequence,
        d: [round(max(seen.max, late * 1e6)), round(seen.p50), round(seen.p99)],
        u: [ratio(utilization(use, lastUse).utilization), ratio(use.utilization)],
        h: [memory.heapUsed, memory.heapTotal, memory.external, memory.arrayBuffers, memory.rss],
        g: [gc.count, round(gc.ms * 1e6)],
        s: late > STARVED_MS && ticks.longestGap(at) < min(TICK_GAP_MS, late / 4) ? round(late * 1e6) : 0,
      };
      if (kind === 'start') record.V = process.version;
      sequence += 1;
      last = at;
      lastUse = use;
      gc.count = 0;
      gc.ms = 0;
      ticks.next(at + INTERVAL_MS);
      const bytes = toBuffer(stringify(record));
      if (connected && bytes.length <= MAX_BYTES) sendNow(bytes, () => {});
    } catch {
      // Silence is all right: the driver notes the gap.
    }
  };

  atOnce(() =>
    socket.connect(port, '127.0.0.1', (error) => {
      if (error) return;
      connected = true;
      send('start');
    }),
  );
  setTimer(() => send('tick'), INTERVAL_MS).unref();
  process.on('exit', () => atOnce(() => send('exit')));
}

// watchTicks notes when process.nextTick and queueMicrotask are called while a record is overdue. Work that is cut up with them
// never lets the loop go on, and looks from outside like one long function; from inside, the calls go on all the time. One reading
// of the clock for each call is all it costs.
function watchTicks() {
  let due = Infinity; // the time of the next record
  let last = 0;
  let longest = 0;
  const called = () => {
    const at = now();
    if (at <= due) return;
    longest = max(longest, at - max(last, due));
    last = at;
  };
  try {
    const { nextTick } = process;
    process.nextTick = function (...args) {
      called();
      return nextTick.apply(this, args);
    };
    const { queueMicrotask: queue } = globalThis;
    globalThis.queueMicrotask = function (...args) {
      called();
      return queue.apply(this, args);
    };
  } catch {
    // Frozen objects: starvation is then told as a block.
  }
  return {
    longestGap: (at) => max(longest, at - max(last, due)),
    next(time) {
      due = time;
      last = 0;
      longest = 0;
    },
  };
}

// atOnce runs what hands a datagram to the system without the tick that dgram puts in between: a submission may block
// in its first line, and after 'exit' there is no tick.
function atOnce(action) {
  const { nextTick } = process;
  try {
    process.nextTick = (callback, ...args) => callback(...args);
    action();
  } catch {
    // A frozen process object: no record.
  } finally {
    try {
      process.nextTick = nextTick;
    } catch {
      // Frozen.
    }
  }
}

// delayHistogram reads and resets the loop's delay. The accessors are taken from the prototype now.
function delayHistogram() {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  const getMax = accessor(histogram, 'max');
  const percentile = histogram.percentile.bind(histogram);
  const reset = histogram.reset.bind(histogram);
  const beyond = (ns) => max(0, min(ns, 1e15) - RESOLUTION_MS * 1e6);
  return {
    take() {
      const seen = { max: beyond(getMax()), p50: beyond(percentile(50)), p99: beyond(percentile(99)) };
      reset();
      return seen;
    },
  };
}

function accessor(object, name) {
  for (let proto = object; proto; proto = Object.getPrototypeOf(proto)) {
    const found = Object.getOwnPropertyDescriptor(proto, name);
    if (found?.get) return found.get.bind(object);
  }
  return () => object[name];
}

function ratio(value) {
  return round(value * 1e4) / 1e4;
}

try {
  const port = Number(process.env.ASSAY_PROBE_PORT);
  if (Number.isInteger(port) && port > 0 && port < 65536) start(port);
} catch {
  // Not allowed to: the submission goes on without a probe.
}
