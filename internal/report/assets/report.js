// Makes the curves interactive. The page is complete without it: every chart is already there as SVG, which also
// stays what is printed.
(() => {
  'use strict';

  const charts = JSON.parse(document.getElementById('curves').textContent);
  const live = new Map(); // figure → {plot, run}
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

  const significant = (v) => (v === 0 ? '0' : String(Number(v.toPrecision(3))));
  const scaled = (v, step, units) => {
    let i = 0;
    for (; Math.abs(v) >= step && i < units.length - 1; i++) v /= step;
    return `${significant(v)} ${units[i]}`;
  };
  const show = {
    bytes: (v) => scaled(v, 1024, ['B', 'KB', 'MB', 'GB']),
    'bytes/s': (v) => scaled(v, 1024, ['B/s', 'KB/s', 'MB/s', 'GB/s']),
    ns: (v) => scaled(v, 1000, ['ns', 'µs', 'ms', 's']),
    share: (v) => `${significant(v * 100)} %`,
  };

  // Columns for uPlot: time, then for each curve its line, its lowest and its highest values.
  function columns(chart, run) {
    const tables = run.curves.map((c) => {
      if (!c) return [[0], [null], [null], [null]];
      const line = chart.upper ? c.hi : c.hi.map((v, i) => (v + c.lo[i]) / 2);
      const lift = (v) => (chart.log ? Math.max(v, chart.min) : v);
      return [c.t, line.map(lift), c.lo.map(lift), c.hi.map(lift)];
    });
    return uPlot.join(tables);
  }

  function series(chart) {
    const own = { stroke: colour('accent'), width: 1.6 };
    const style = { own, own2: { stroke: colour('second'), width: 1.2, dash: [4, 3] }, ref: { stroke: colour('faint'), width: 1.1 } };
    const edge = { stroke: 'transparent', width: 0, points: { show: false }, spanGaps: true };
    return chart.lines.flatMap((l) => [{ ...style[l.class], points: { show: false }, spanGaps: true }, edge, edge]);
  }

  function bands(chart) {
    return chart.lines.flatMap((l, i) => {
      if (!chart.band || l.class === 'own2') return [];
      return [{ series: [3 * i + 3, 3 * i + 2], fill: `${colour(l.class === 'own' ? 'accent' : 'faint')}33` }];
    });
  }

  // Limit, moments of findings and the peak, drawn above the curves in the places where the SVG has them.
  function marks(chart, state) {
    return (u) => {
      const { ctx, bbox } = u;
      const run = chart.runs[state.run];
      const dot = devicePixelRatio;
      const x = (v) => u.valToPos(v, 'x', true);
      const y = (v) => u.valToPos(v, 'y', true);
      const text = (s, at, top, fill, bold) => {
        const right = at > bbox.left + bbox.width * 0.8;
        ctx.fillStyle = colour(fill);
        ctx.font = `${bold ? '600 ' : ''}${12 * dot}px ${getComputedStyle(document.body).fontFamily}`;
        ctx.textAlign = right ? 'right' : 'left';
        ctx.fillText(s, at + (right ? -8 : 8) * dot, top);
      };
      const line = (x0, y0, x1, y1, dash) => {
        ctx.strokeStyle = colour('bad');
        ctx.lineWidth = dot;
        ctx.setLineDash(dash.map((d) => d * dot));
        ctx.beginPath();
        ctx.moveTo(x0, y0);
        ctx.lineTo(x1, y1);
        ctx.stroke();
      };
      ctx.save();
      if (chart.limit) {
        const at = y(chart.limit);
        line(bbox.left, at, bbox.left + bbox.width, at, [4, 4]);
        text(chart.limitLabel, bbox.left - 6 * dot, at - 5 * dot, 'bad');
      }
      for (const e of run.events ?? []) {
        const at = x(e.at);
        if (at < bbox.left || at > bbox.left + bbox.width) continue;
        line(at, bbox.top, at, bbox.top + bbox.height, [1, 3]);
        text(e.label, at - 8 * dot, bbox.top - 5 * dot, 'bad');
      }
      const at = x(run.peakAt);
      if (run.peakLabel && at >= bbox.left && at <= bbox.left + bbox.width) {
        ctx.setLineDash([]);
        ctx.strokeStyle = colour('accent');
        ctx.fillStyle = colour('paper');
        ctx.lineWidth = 1.6 * dot;
        ctx.beginPath();
        ctx.arc(at, y(run.peak), 3.5 * dot, 0, 2 * Math.PI);
        ctx.fill();
        ctx.stroke();
        const high = y(run.peak) - bbox.top < 24 * dot;
        text(run.peakLabel, at, y(run.peak) + (high ? 14 : -6) * dot, 'ink', true);
      }
      ctx.restore();
    };
  }

  // What is under the cursor, in words; curves that have no point there show their last one before it.
  function readout(chart, out) {
    return (u) => {
      const i = u.cursor.idx;
      if (i == null) {
        out.textContent = '';
        return;
      }
      const parts = chart.lines.flatMap((l, n) => {
        let at = i;
        while (at > 0 && u.data[3 * n + 1][at] == null) at--;
        const v = u.data[3 * n + 1][at];
        return v == null ? [] : [`${l.label} ${show[chart.unit](v)}`];
      });
      out.textContent = [`${u.data[0][i].toFixed(2)} s`, ...parts].join(' · ');
    };
  }

  function options(chart, state, figure) {
    const font = `12px ${getComputedStyle(document.body).fontFamily}`;
    const base = { stroke: colour('soft'), font, ticks: { show: false } };
    const narrow = innerWidth <= 760;
    return {
      width: Math.max(figure.clientWidth, 160),
      height: (chart.wide ? (narrow ? 190 : 232) : 164) + 22 + 18,
      padding: [18, 0, 0, 0],
      legend: { show: false },
      cursor: { y: false, points: { size: 6 }, drag: { x: true, y: false }, sync: { key: state.set } },
      scales: {
        x: { time: false, range: (u, min, max) => (state.zoomed ? [min, max] : [0, chart.length]) },
        y: { distr: chart.log ? 3 : 1, range: [chart.min, chart.max] },
      },
      axes: [
        { ...base, size: 22, gap: 6, grid: { show: false }, values: (u, at) => at.map((v) => `${significant(v)} s`) },
        {
          ...base,
          size: narrow ? 70 : 76,
          gap: 8,
          grid: { stroke: colour('line'), width: 1 },
          splits: () => chart.ticks.map((t) => t.at),
          filter: (u, splits) => splits,
          values: () => chart.ticks.map((t) => t.label),
        },
      ],
      series: [{}, ...series(chart)],
      bands: bands(chart),
      hooks: { draw: [marks(chart, state)], setCursor: [readout(chart, figure.querySelector('.read'))] },
    };
  }

  // Arrow keys move the cursor for those who use no mouse.
  function keys(event, state) {
    const step = { ArrowLeft: -8, ArrowRight: 8 }[event.key];
    if (!step) return;
    event.preventDefault();
    const u = state.plot;
    const left = Math.min(Math.max((u.cursor.left < 0 ? 0 : u.cursor.left) + step, 0), u.over.clientWidth - 1);
    u.setCursor({ left, top: u.over.clientHeight / 2 });
  }

  function draw(figure) {
    const chart = charts[figure.dataset.chart];
    let state = live.get(figure);
    if (!state) {
      const host = document.createElement('div');
      host.className = 'live';
      host.tabIndex = 0;
      host.setAttribute('role', 'group');
      host.setAttribute('aria-label', `${figure.querySelector('h4').textContent}: arrow keys read values`);
      host.setAttribute('aria-describedby', figure.querySelector('figcaption').id);
      figure.querySelector('.plot').after(host);
      figure.querySelector('.read').parentElement.removeAttribute('aria-hidden');
      figure.querySelector('.read').setAttribute('aria-live', 'polite');
      state = { host, run: chart.chosen, set: figure.closest('.set').querySelector('select')?.id ?? '', zoomed: false };
      host.addEventListener('keydown', (e) => keys(e, state));
      host.addEventListener('dblclick', () => { state.zoomed = false; });
      live.set(figure, state);
    }
    state.plot?.destroy();
    const opts = options(chart, state, figure);
    opts.hooks.setSelect = [() => { state.zoomed = true; }];
    state.plot = new uPlot(opts, columns(chart, chart.runs[state.run]), state.host);
    figure.classList.add('live-on');
  }

  const figures = (root) => [...root.querySelectorAll('figure[data-chart]')];
  const drawOpen = () => {
    for (const set of document.querySelectorAll('details.set[open]')) figures(set).forEach(draw);
  };

  function choose(set, run) {
    for (const figure of figures(set)) {
      const chart = charts[figure.dataset.chart];
      live.get(figure).run = run;
      figure.querySelector('figcaption').textContent = chart.runs[run].caption;
      draw(figure);
    }
  }

  document.documentElement.classList.add('script');
  for (const set of document.querySelectorAll('details.set')) {
    set.addEventListener('toggle', () => {
      if (set.open) figures(set).filter((f) => !live.has(f)).forEach(draw);
    });
    const list = set.querySelector('select');
    if (!list) continue;
    list.closest('.choose').hidden = false;
    list.addEventListener('change', () => choose(set, Number(list.value)));
  }
  drawOpen();
  dark.addEventListener('change', drawOpen);
  let width = innerWidth;
  addEventListener('resize', () => {
    if (innerWidth === width) return;
    width = innerWidth;
    drawOpen();
  });
})();
