// What makes the pages pleasant. Each page works without it.
'use strict';

// Times in the reader's own zone.
function localTimes(root) {
  const minute = { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' };
  const day = { day: 'numeric', month: 'long' };
  const year = { year: 'numeric' };
  const styles = { minute, yearminute: { ...minute, ...year }, second: { ...minute, ...year, second: '2-digit' }, day, yearday: { ...day, ...year } };
  for (const el of root.querySelectorAll('time[data-local]')) {
    const at = new Date(el.dateTime);
    el.title = el.textContent;
    el.textContent = new Intl.DateTimeFormat(document.documentElement.lang, styles[el.dataset.local]).format(at);
    el.removeAttribute('data-local');
  }
}

// Buttons that copy say so when they have.
function copyButtons(root) {
  for (const button of root.querySelectorAll('button[data-copy]')) {
    if (!navigator.clipboard) continue;
    button.hidden = false;
    if (button.dataset.ready) continue;
    button.dataset.ready = 'yes';
    const label = button.firstChild;
    const before = label.textContent;
    button.addEventListener('click', async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
      label.textContent = button.dataset.done;
      setTimeout(() => { label.textContent = before; }, 2000);
    });
  }
}

// The clock goes by the server's time: what counts is how long ago the page was made, not what this machine's clock says.
const warnings = [30, 10, 5, 1]; // minutes
let warned = Infinity;

function tick() {
  const clock = document.querySelector('[data-clock]');
  if (!clock) return;
  const d = clock.dataset;
  d.since ??= performance.now();
  const left = Math.max(0, Number(d.ends) - Number(d.now) - (performance.now() - Number(d.since)));
  const seconds = Math.ceil(left / 1000);
  const h = Math.floor(seconds / 3600);
  const m = Math.floor(seconds / 60) % 60;
  const words = seconds === 0 ? d.over
    : h > 0 ? `${h} ${d.h} ${m} ${d.m}`
      : m >= 5 ? `${m} ${d.m}` : `${m} ${d.m} ${seconds % 60} ${d.s}`;
  const shown = clock.querySelector('.left');
  if (shown.textContent !== words) shown.textContent = words;
  clock.classList.toggle('short', left < 10 * 60e3);
  const due = warnings.filter((w) => left <= w * 60e3).at(-1) ?? Infinity;
  if (due !== warned && (seconds === 0 || due < warned) && due !== Infinity) {
    clock.querySelector('[data-announce]').textContent = seconds === 0 ? d.over : `${d.warn} ${words}`;
  }
  warned = due;
}

// What may be out of date is asked for again. Where the page itself is over, its successor is shown.
async function look() {
  const page = await fetch(location.pathname, { method: 'HEAD' });
  if (page.redirected) location.assign(page.url);
  else if (page.status === 410) location.reload();
  else document.body.dispatchEvent(new CustomEvent('assay:changed'));
}

// News from the server: "changed" says no more than that, "clock" carries a new end.
function listen() {
  const el = document.querySelector('[data-events]');
  if (!el || !window.EventSource) return;
  const source = new EventSource(el.dataset.events);
  source.addEventListener('changed', look);
  source.addEventListener('clock', (e) => {
    const news = JSON.parse(e.data);
    const clock = document.querySelector('[data-clock]');
    if (!clock) return; // where it stands; that it runs again is a change
    Object.assign(clock.dataset, { ends: news.ends, now: news.now, since: performance.now() });
    const end = clock.querySelector('time');
    end.dateTime = new Date(news.ends).toISOString();
    end.dataset.local = 'minute';
    localTimes(clock);
    tick();
  });
  addEventListener('pagehide', () => source.close());
}

// A file may be dropped where one can be chosen.
function dropZones() {
  for (const zone of document.querySelectorAll('[data-drop]')) {
    const input = zone.querySelector('input[type=file]');
    const status = zone.closest('form').querySelector('[data-status]');
    const over = (on) => (e) => { e.preventDefault(); zone.classList.toggle('over', on); };
    zone.addEventListener('dragover', over(true));
    zone.addEventListener('dragleave', over(false));
    zone.addEventListener('drop', (e) => {
      over(false)(e);
      const folder = e.dataTransfer.items[0]?.webkitGetAsEntry?.()?.isDirectory;
      status.textContent = folder ? zone.closest('form').dataset.folder : '';
      if (!folder && e.dataTransfer.files.length) input.files = e.dataTransfer.files;
    });
  }
}

// An upload shows how far it is. Where it leads is decided by the server, as without the script.
function uploads() {
  for (const form of document.querySelectorAll('form[data-upload]')) {
    form.addEventListener('submit', (e) => {
      e.preventDefault();
      const status = form.querySelector('[data-status]');
      const bar = form.querySelector('progress');
      const button = form.querySelector('button');
      if (form.querySelector('input[type=file]').files[0]?.size > Number(form.dataset.max)) {
        status.textContent = form.dataset.large;
        return;
      }
      const request = new XMLHttpRequest();
      request.open('POST', form.action);
      request.upload.addEventListener('progress', (p) => { if (p.lengthComputable) bar.value = 100 * p.loaded / p.total; });
      request.addEventListener('load', () => {
        if (request.status < 400) return location.assign(request.responseURL);
        const answer = new DOMParser().parseFromString(request.responseText, 'text/html');
        const main = answer.querySelector('main');
        if (!main) return failed();
        document.querySelector('main').replaceWith(main);
        start(main);
        main.querySelector('.problems')?.focus();
      });
      const failed = () => {
        status.textContent = form.dataset.failed;
        bar.hidden = true;
        button.disabled = false;
      };
      request.addEventListener('error', failed);
      status.textContent = form.dataset.sending;
      bar.hidden = false;
      button.disabled = true;
      request.send(new FormData(form));
    });
  }
}

// A list's filter is folded on a small screen, unless something is filtered for. On a large one it is open.
function folds() {
  const small = matchMedia('(max-width: 760px)');
  const fold = () => {
    for (const el of document.querySelectorAll('details[data-fold]')) el.open = !small.matches || 'keep' in el.dataset;
  };
  small.addEventListener('change', fold);
  fold();
}

// A time that is asked for in UTC is shown in the reader's zone as well.
function utcFields() {
  for (const el of document.querySelectorAll('[data-local-of]')) {
    const input = document.getElementById(el.dataset.localOf);
    const show = () => {
      const at = new Date(`${input.value}Z`);
      el.hidden = Number.isNaN(at.getTime()) || at.getTimezoneOffset() === 0;
      if (!el.hidden) el.textContent = `${el.dataset.words} ${new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: 'long', timeStyle: 'short' }).format(at)}`;
    };
    input.addEventListener('input', show);
    show();
  }
}

// How many challenges are chosen, and how long they take together.
function sums() {
  for (const el of document.querySelectorAll('[data-sum]')) {
    const boxes = [...el.closest('fieldset').querySelectorAll('input[data-minutes]')];
    const show = () => {
      const chosen = boxes.filter((b) => b.checked);
      const minutes = chosen.reduce((sum, b) => sum + Number(b.dataset.minutes), 0);
      el.textContent = chosen.length === 0 ? '' : el.dataset.sum.replace('#n', chosen.length).replace('#m', minutes);
    };
    for (const b of boxes) b.addEventListener('change', show);
    show();
  }
}

function start(root) {
  localTimes(root);
  copyButtons(root);
  dropZones();
  uploads();
  tick();
  if (root !== document) window.htmx?.process(root);
}

// An answer that lacks what was asked for, such as an error, takes nothing away from the page.
document.addEventListener('htmx:before:swap', (e) => {
  const { select, text } = e.detail.ctx;
  if (select && !new DOMParser().parseFromString(text, 'text/html').querySelector(select)) e.preventDefault();
});

// The list of candidates refreshes itself, but not under somebody who is choosing.
document.addEventListener('htmx:before:request', (e) => {
  if (e.target.id === 'list' && e.target.querySelector(':checked')) e.preventDefault();
});

folds();
utcFields();
sums();
start(document);
listen();
setInterval(tick, 1000);
document.addEventListener('htmx:after:swap', () => { localTimes(document); copyButtons(document); tick(); });
