// Assay's diagnosis. It is loaded beside the probe in one extra run that is never scored, and says what the main thread
// was doing: a worker connects to the main thread's inspector, which answers also while that thread is blocked, and
// sends pieces of a CPU profile, stacks with exact lines taken inside of stalls, and samples of what is allocated.
//
// What was sent survives however the process ends. Where it is not allowed to work (node --permission), it is silent.
// Only the process that Assay started is looked at: the port is taken out of the environment, so that its children and
// its workers get none.
import { readFileSync, realpathSync, statSync } from 'node:fs';
import { Session } from 'node:inspector';
import { SourceMap } from 'node:module';
import { connect } from 'node:net';
import { relative, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Worker, isMainThread, workerData } from 'node:worker_threads';

// Not imported: the module node:process reads every property of process, stdin among them, which makes standard input non-blocking. A
// submission's readFileSync(0) would end by EAGAIN.
const { process } = globalThis;

const SAMPLE_US = 1000; // between two looks at the stack
const HEAP_BYTES = 32 * 1024; // between two looks at what is allocated, on average
const PIECE_MS = 1000;
const HEAP_MS = 2000; // or longer: V8 collects all garbage before it answers
const HEAP_SHARE = 0.05; // of the time may go into that
const BEAT_MS = 10; // how often the main thread shows that its loop turns
const STALL_MS = 30; // silence from which on a stack is taken
const LET_GO_MS = 25; // for the main thread to take note that the session has ended
const MAX_STACKS = 400;
const MAX_DEPTH = 64;
const MAX_FRAME = 4 * 1024 * 1024;
const MAX_SENT = 31 * 1024 * 1024; // the driver takes 32 MiB
const MAX_WAITING = 8 * 1024 * 1024; // in the socket
const MAX_MAP = 16 * 1024 * 1024;
const MAX_NAME = 200;
const { max, min, round } = Math;
const TYPED = /\.[cm]?tsx?$|\.jsx$/;

// OURS is what the main thread is asked to run is called in a profile.
const OURS = 'assay:';
const OVERLAP = 'assay diagnosis';

// LOOK makes the function that runs on top of whatever the main thread is doing, and tells what that is: the stack, and how many
// callbacks ran since the look before. Where debugging would slow the program down, as a pause does, an error's stack costs
// nothing. Callbacks are counted by a hook, which costs something: only while the loop does not turn.
const LOOK = `(() => {
  const { stringify } = JSON;
  const now = process.hrtime.bigint;
  let callbacks = 0;
  const hook = process.getBuiltinModule?.('node:async_hooks').createHook({ before() { callbacks += 1; } });
  const stack = () => {
    const { prepareStackTrace, stackTraceLimit } = Error;
    try {
      const seen = {};
      Error.stackTraceLimit = ${MAX_DEPTH + 8};
      Error.prepareStackTrace = (error, calls) =>
        calls.filter((call) => !call.isAsync()).map((call) => [
          call.getFunctionName() ?? '',
          call.getScriptNameOrSourceURL() ?? '',
          call.getEnclosingLineNumber?.() ?? 0,
          call.getEnclosingColumnNumber?.() ?? 0,
          call.getLineNumber() ?? 0,
          call.getColumnNumber() ?? 0,
        ]);
      Error.captureStackTrace(seen);
      return seen.stack;
    } finally {
      Error.prepareStackTrace = prepareStackTrace;
      Error.stackTraceLimit = stackTraceLimit;
    }
  };
  return (stalled) => {
    const calls = stalled ? stack() : [];
    const ran = callbacks;
    callbacks = 0;
    if (stalled) hook?.enable();
    else hook?.disable();
    return stringify({ calls, ran, at: Number(now() / 1000n) });
  };
})()`;

// MAP is the source map that Node itself knows of a file that was translated while it was loaded.
const MAP = (url) =>
  `JSON.stringify(process.getBuiltinModule?.('node:module').findSourceMap(${JSON.stringify(url)})?.payload ?? null)`;

// The cells that both threads share.
const BEAT = 0;
const READY = 1;
const FINISH = 2;
const DONE = 3;
const NEVER = 4;

function start(port) {
  const cells = new Int32Array(new SharedArrayBuffer(20));
  const { add, load, store, wait } = Atomics;
  const now = performance.now.bind(performance);
  // A wait alone would keep the inspector out: it gets its turn between the rounds.
  const waitFor = (cell, ms) => {
    for (const end = now() + ms; load(cells, cell) === 0 && now() < end; ) wait(cells, NEVER, 0, 1);
  };
  const worker = new Worker(new URL(import.meta.url), {
    workerData: { assayDiagnosis: { port, cells, app: appFolder() } },
    execArgv: [],
    env: {},
    resourceLimits: { maxOldGenerationSizeMb: 96, maxYoungGenerationSizeMb: 8 },
  });
  worker.on('error', () => store(cells, DONE, 1));
  worker.unref();
  setInterval(() => add(cells, BEAT, 1), BEAT_MS).unref();
  process.on('exit', () => {
    store(cells, FINISH, 1);
    waitFor(DONE, 1000);
  });
  waitFor(READY, 2000);
}

// appFolder is where the submission lies: beside this file, or else where the process was started.
function appFolder() {
  try {
    return realpathSync(fileURLToPath(new URL('./app', import.meta.url)));
  } catch {
    return realpathSync(process.cwd());
  }
}

async function observe({ port, cells, app }) {
  // Node aborts when this thread ends before the main thread has let go of the session: it stays, whatever happens.
  setInterval(() => {}, 60_000);
  const fail = () => {
    Atomics.store(cells, READY, 1);
    Atomics.store(cells, DONE, 1);
  };
  process.on('uncaughtException', fail);
  process.on('unhandledRejection', fail);
  const send = await sender(port, fail);
  const session = new Session();
  session.connectToMainThread();
  const post = (method, params) =>
    new Promise((resolve, reject) => {
      session.post(method, params, (error, result) => (error ? reject(error) : resolve(result)));
    });
  const evaluate = async (code) => {
    const { result } = await post('Runtime.evaluate', { expression: `${code}\n//# sourceURL=${OURS}`, silent: true });
    return typeof result.value === 'string' && result.value.length <= MAX_MAP ? JSON.parse(result.value) : undefined;
  };
  const scripts = new Scripts(app, (url) => evaluate(MAP(url)));
  const { result: look } = await post('Runtime.evaluate', { expression: `${LOOK}\n//# sourceURL=${OURS}`, silent: true });
  const watch = stallWatch(
    async (stalled) => {
      const { result } = await post('Runtime.callFunctionOn', {
        objectId: look.objectId,
        functionDeclaration: `function (stalled) { return this(stalled); }\n//# sourceURL=${OURS}\n`,
        arguments: [{ value: stalled }],
        silent: true,
      });
      return JSON.parse(result.value);
    },
    cells,
    scripts,
    send,
  );

  await post('Profiler.enable');
  await post('Profiler.setSamplingInterval', { interval: SAMPLE_US });
  await post('HeapProfiler.startSampling', { samplingInterval: HEAP_BYTES });
  await post('Profiler.start');
  send({ t: 'hello', v: 1, node: process.version, pid: process.pid });
  Atomics.store(cells, READY, 1);
  let heapDue = await heap(post, scripts, send);
  for (let last = performance.now(); ; ) {
    await new Promise((resolve) => setTimeout(resolve, BEAT_MS));
    const finish = Atomics.load(cells, FINISH) !== 0;
    const now = performance.now();
    watch(now, finish);
    if (!finish && now - last < PIECE_MS) continue;
    last = now;
    // A profiler that begins walks the whole heap to find all functions. With another profile beside it, it goes on.
    if (!finish) await evaluate(`console.profile('${OVERLAP}')`);
    const { profile } = await post('Profiler.stop');
    if (!finish) {
      await post('Profiler.start');
      await evaluate(`console.profileEnd('${OVERLAP}')`);
    }
    await sendPiece(profile, scripts, send);
    if (finish || now >= heapDue) heapDue = await heap(post, scripts, send);
    if (finish) break;
  }
  send({ t: 'end' });
  await send.finish();
  session.disconnect(); // else Node says on standard error that it waits for a debugger
  await new Promise((resolve) => setTimeout(resolve, LET_GO_MS));
  Atomics.store(cells, DONE, 1);
}

// sender writes frames: four bytes of length and JSON. What would be too much is left out and counted.
async function sender(port, fail) {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  socket.on('error', fail);
  await new Promise((resolve) => socket.once('connect', resolve));
  let sent = 0;
  let left = 0;
  const send = (message) => {
    message.at = microseconds();
    if (left > 0) message.left = left;
    const body = Buffer.from(JSON.stringify(message));
    if (body.length > MAX_FRAME || sent + body.length > MAX_SENT || socket.writableLength > MAX_WAITING) {
      left += 1;
      return;
    }
    const length = Buffer.alloc(4);
    length.writeUInt32BE(body.length);
    sent += 4 + body.length;
    socket.write(length);
    socket.write(body);
  };
  send.finish = () => new Promise((resolve) => socket.end(resolve));
  return send;
}

// microseconds of the clock that the profiler and the driver use too.
function microseconds() {
  return Number(process.hrtime.bigint() / 1000n);
}

// stallWatch tells of times in which the main thread's loop does not turn, and takes stacks in them: a profile knows the
// line of the innermost function only, a stack that of each call. They become rarer the longer it lasts.
function stallWatch(look, cells, scripts, send) {
  let beat = -1;
  let since = 0;
  let next = 0;
  let taken = 0;
  let busy = false;
  let counting = 0; // since when, in microseconds; 0 without the hook
  const take = async (stalled) => {
    const asked = microseconds();
    const { calls, ran, at } = await look(stalled);
    // What a first look counts has nothing to do with it. One that had to wait, for JSON.parse say, says when it was its turn.
    if (stalled) await sendStack(calls, asked, counting > 0 ? { ran, counted: at - counting, looked: at } : {}, scripts, send);
    counting = stalled ? at : 0;
  };
  const begin = (stalled) => {
    busy = true;
    const done = () => {
      busy = false;
    };
    take(stalled).then(done, done);
  };
  return (now, finish) => {
    const seen = Atomics.load(cells, BEAT);
    const silent = now - since;
    if (seen !== beat || finish) {
      if (beat >= 0 && silent >= STALL_MS) {
        const to = microseconds();
        send({ t: 'stall', from: to - round(silent * 1000), to });
      }
      beat = seen;
      since = now;
      next = STALL_MS;
      if (counting > 0 && !busy && !finish) begin(false);
      return;
    }
    if (silent < next || busy || taken >= MAX_STACKS) return;
    next = silent + min(max(silent / 2, STALL_MS), 1000);
    taken += 1;
    begin(true);
  };
}

// sendStack sends an exact look: each function with the line that it is at, innermost first, and how many callbacks ran in
// the microseconds before it.
async function sendStack(calls, asked, counted, scripts, send) {
  const own = calls.filter(([, url]) => url !== OURS).slice(0, MAX_DEPTH);
  await scripts.learn(own.map(([, url]) => url));
  const table = new Table(scripts);
  const stack = own.map(([functionName, url, line, column, atLine, atColumn]) => {
    const at = scripts.place(url, max(atLine - 1, 0), max(atColumn - 1, 0));
    const scriptId = url === '' && atLine === 0 ? '0' : '';
    const lineNumber = line - 1;
    return [table.index({ functionName, scriptId, url, lineNumber, columnNumber: max(column - 1, 0) }), atLine > 0 ? at.line : 0];
  });
  send({ t: 'stack', asked, ...counted, f: table.frames, k: stack });
}

// sendPiece sends a part of the CPU profile: functions, the tree of calls (each node after its caller), and the samples
// with the time since the one before.
async function sendPiece({ nodes, samples, timeDeltas, startTime, endTime }, scripts, send) {
  await scripts.learn(nodes.map((node) => node.callFrame.url));
  const table = new Table(scripts);
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const index = new Map();
  const tree = [];
  for (const root of nodes.slice(0, 1)) walk(root, -1);
  function walk(node, parent) {
    const lines = [];
    for (const { line, ticks } of node.positionTicks ?? []) {
      lines.push(scripts.line(node.callFrame, line), ticks);
    }
    index.set(node.id, tree.length);
    const at = tree.push([table.index(node.callFrame), parent, lines]) - 1;
    for (const id of node.children ?? []) walk(byId.get(id), at);
  }
  send({
    t: 'cpu',
    from: startTime,
    to: endTime,
    f: table.frames,
    n: tree,
    s: samples.map((id) => index.get(id) ?? 0),
    d: timeDeltas,
  });
}

// heap sends what is alive of the sampled allocations, as a tree of calls with bytes, and says when to do so again.
async function heap(post, scripts, send) {
  const began = performance.now();
  const from = microseconds();
  const { profile } = await post('HeapProfiler.getSamplingProfile');
  const to = microseconds();
  const usage = await post('Runtime.getHeapUsage');
  const urls = [];
  const list = (node) => {
    urls.push(node.callFrame.url);
    node.children.forEach(list);
  };
  list(profile.head);
  await scripts.learn(urls);
  const table = new Table(scripts);
  const tree = [];
  const walk = (node, parent) => {
    const at = tree.push([table.index(node.callFrame), parent, node.selfSize]) - 1;
    for (const child of node.children) walk(child, at);
  };
  walk(profile.head, -1);
  send({ t: 'heap', from, to, used: usage.usedSize, backing: usage.backingStorageSize ?? 0, f: table.frames, n: tree });
  const ended = performance.now();
  return ended + max(HEAP_MS, (ended - began) / HEAP_SHARE);
}

// Table numbers the functions of one message: [name, file, line].
class Table {
  frames = [];
  #index = new Map();
  #scripts;

  constructor(scripts) {
    this.#scripts = scripts;
  }

  index({ functionName, scriptId, url, lineNumber, columnNumber }) {
    const key = `${scriptId} ${url} ${lineNumber} ${columnNumber} ${functionName}`;
    let at = this.#index.get(key);
    if (at === undefined) {
      const { file, line } = this.#scripts.place(url, max(lineNumber, 0), max(columnNumber, 0), scriptId);
      at = this.frames.push([functionName.slice(0, MAX_NAME), file, line]) - 1;
      this.#index.set(key, at);
    }
    return at;
  }
}

// Scripts knows where each script comes from and finds the line that the candidate wrote.
class Scripts {
  #app;
  #ask;
  #own = new URL('.', import.meta.url).href;
  #scripts = new Map(); // by URL

  constructor(app, ask) {
    this.#app = app;
    this.#ask = ask;
  }

  // learn finds the source maps of scripts that were not seen before.
  async learn(urls) {
    for (const url of new Set(urls)) {
      if (this.#scripts.has(url)) continue;
      const script = { file: this.#file(url) };
      this.#scripts.set(url, script);
      if (!/^(file:|\/)/.test(url) || script.file.includes(':')) continue;
      try {
        const at = url.startsWith('/') ? pathToFileURL(url).href : url; // CommonJS has a path
        const text = this.#read(at) ?? '';
        script.lines = text.split('\n');
        const payload = this.#payload(script, at, text) ?? (TYPED.test(url) ? await this.#ask(at) : undefined);
        if (payload) script.map = new SourceMap(payload);
      } catch {
        // None, then: lines are those of what runs.
      }
    }
  }

  // place is the file and the line (from 1) of a position that counts from 0.
  place(url, line, column, scriptId = '') {
    const script = this.#scripts.get(url);
    if (!script) return { file: '', line: 0 };
    if (url === '') return scriptId === '0' ? { file: '', line: 0 } : { file: '(eval)', line: line + 1 };
    const entry = script.map?.findEntry(line, column);
    const source = entry?.originalSource && this.#source(script, entry.originalSource);
    if (source) return { file: source, line: entry.originalLine + 1 };
    return { file: script.file, line: line + 1 };
  }

  // line is where a line (from 1) of a function was written. In a file of few very long lines it says nothing, and is that
  // of the function.
  line({ url, lineNumber, columnNumber }, line) {
    const script = this.#scripts.get(url);
    if (!script?.map) return line;
    const text = script.lines[line - 1] ?? '';
    if (text.length > 500 || line > script.lines.length) return this.place(url, max(lineNumber, 0), max(columnNumber, 0)).line;
    const entry = script.map.findEntry(line - 1, max(text.search(/\S/), 0));
    return entry?.originalLine === undefined ? line : entry.originalLine + 1;
  }

  // file is how people call it: relative to the submission where it belongs to it.
  #file(url) {
    if (url === '') return '';
    if (url.startsWith(OURS)) return OURS;
    if (url.startsWith('node:')) return url.slice(0, MAX_NAME);
    if (url.startsWith('data:')) return '(data)';
    let path = url;
    if (url.startsWith('file:')) {
      if (url.startsWith(this.#own) && !url.slice(this.#own.length).includes('/')) return OURS;
      path = fileURLToPath(url);
    }
    return this.#inside(path) ?? `outside:${path}`.slice(0, MAX_NAME);
  }

  #inside(path) {
    if (!path.startsWith(this.#app + sep)) return undefined;
    return relative(this.#app, path).split(sep).join('/');
  }

  // payload is the source map that a script names: in itself, or in a file of the submission.
  #payload(script, url, text) {
    const names = [...text.slice(-MAX_MAP).matchAll(/^\/\/[#@] sourceMappingURL=(\S+)\s*$/gm)];
    const name = names.at(-1)?.[1];
    script.mapUrl = url;
    if (name === undefined) return undefined;
    if (!name.startsWith('data:')) {
      script.mapUrl = new URL(name, url).href;
      return JSON.parse(this.#read(script.mapUrl));
    }
    const comma = name.indexOf(',');
    const body = name.slice(comma + 1);
    return JSON.parse(name.slice(0, comma).endsWith(';base64') ? Buffer.from(body, 'base64').toString() : decodeURIComponent(body));
  }

  // read gives a file of the submission, and nothing else.
  #read(url) {
    const path = realpathSync(fileURLToPath(url));
    if (this.#inside(path) === undefined || statSync(path).size > MAX_MAP) return undefined;
    return readFileSync(path, 'utf8');
  }

  #source(script, name) {
    try {
      const source = new URL(name, script.mapUrl);
      return source.protocol === 'file:' ? this.#inside(fileURLToPath(source)) : undefined;
    } catch {
      return undefined;
    }
  }
}

try {
  if (isMainThread) {
    const port = Number(process.env.ASSAY_DIAGNOSE_PORT);
    delete process.env.ASSAY_DIAGNOSE_PORT;
    if (Number.isInteger(port) && port > 0 && port < 65536) start(port);
  } else if (workerData?.assayDiagnosis) {
    await observe(workerData.assayDiagnosis);
  }
} catch {
  // Not allowed to: the submission goes on undiagnosed.
}
