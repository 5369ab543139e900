import { parentPort, workerData } from 'node:worker_threads';

parentPort.postMessage(rebuild(workerData));

function rebuild(text) {
  let body;
  try {
    body = JSON.parse(text);
  } catch {
    return { error: 'The body is not JSON' };
  }
  const { cells, iterations } = body ?? {};
  if (!Array.isArray(cells) || cells.length === 0) return { error: 'cells must be an array with something in it' };
  if (!Number.isInteger(iterations) || iterations < 1 || iterations > 1000000) {
    return { error: 'iterations must be a whole number from 1 to 1,000,000' };
  }
  for (const cell of cells) {
    if (!isWhole(cell?.id, 2147483647) || !isWhole(cell.demand, 1000000) || !isWhole(cell.supply, 1000000)) {
      return { error: 'id, demand and supply must be whole numbers in their range' };
    }
  }
  if (new Set(cells.map((cell) => cell.id)).size < cells.length) return { error: 'a cell is there twice' };

  cells.sort((a, b) => a.id - b.id);
  const t = cells.map(({ demand, supply }) =>
    Math.min(50000, Math.max(10000, Math.floor((10000 * demand) / Math.max(supply, 1)))),
  );
  const m = smooth(t, iterations);
  return { checksum: checksum(m), multipliers: new Map(cells.map((cell, i) => [cell.id, m[i]])) };
}

function isWhole(n, max) {
  return Number.isInteger(n) && n >= 0 && n <= max;
}

function smooth(t, iterations) {
  const n = t.length;
  let m = [...t];
  let next = [...t];
  for (let j = 1; j <= iterations; j++) {
    for (let i = 0; i < n; i++) {
      const left = i === 0 ? n - 1 : i - 1;
      const right = i === n - 1 ? 0 : i + 1;
      next[i] = Math.floor((m[left] + 2 * m[i] + m[right] + 4 * t[(i + j) % n]) / 8);
    }
    [m, next] = [next, m];
  }
  return m;
}

function checksum(m) {
  let hash = 0x811c9dc5;
  for (const value of m) {
    for (let shift = 0; shift < 32; shift += 8) {
      hash ^= (value >> shift) & 0xff;
      hash = Math.imul(hash, 0x01000193);
    }
  }
  return (hash >>> 0).toString(16).padStart(8, '0');
}
