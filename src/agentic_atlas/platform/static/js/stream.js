// The one stream of changes, for all tabs of a browser: a SharedWorker, or a part of the page where there is none.
// Tabs say `hello` with the number up to which they show what there is, and `bye`; they are told what changed after it.
"use strict";

const RECENT = 200; // signals that are kept for tabs that were looking while these came
const LONG = 100; // tasks of one; of a longer one it is kept that everything may be different
const AGAIN = [5_000, 15_000, 60_000]; // milliseconds to the next try when the server takes no stream

const stream = {
  tabs: new Set(),
  recent: [],
  since: 0, // from here on `recent` is whole
  seq: 0,
  source: null,
  failed: 0,
  timer: 0,

  hear(tab, { hello }) {
    return hello === undefined ? this.leave(tab) : this.join(tab, hello);
  },

  join(tab, seq) {
    const alone = this.tabs.size === 0;
    this.tabs.add(tab);
    if (this.source === null) return this.begin(alone ? seq : Math.min(seq, this.seq));
    if (seq < this.since) return tab({ seq: this.seq, everything: true });
    for (const signal of this.recent) if (signal.seq > seq) tab(signal);
  },

  leave(tab) {
    this.tabs.delete(tab);
    if (this.tabs.size === 0) this.end();
  },

  begin(seq) {
    this.seq = this.since = seq;
    this.recent = [];
    this.source = new EventSource(`/events?after=${seq}`);
    this.source.onmessage = (event) => this.came(JSON.parse(event.data));
    this.source.onopen = () => { this.failed = 0; };
    this.source.onerror = () => this.wrong();
    this.source.addEventListener("refused", () => {
      this.end();
      this.tell({ over: true });
    });
  },

  came(signal) {
    this.seq = signal.seq;
    this.recent.push(signal.tasks?.length > LONG ? { seq: signal.seq, everything: true } : signal);
    if (this.recent.length > RECENT) this.since = this.recent.shift().seq;
    this.tell(signal);
  },

  wrong() {
    // A cut is mended by the browser itself, which says what it has; what it was refused it does not ask for again.
    if (this.source === null || this.source.readyState !== EventSource.CLOSED) return;
    const seq = this.seq;
    this.end();
    const wait = AGAIN[Math.min(this.failed, AGAIN.length - 1)];
    this.failed += 1;
    this.timer = setTimeout(() => { if (this.tabs.size > 0) this.begin(seq); }, wait);
  },

  end() {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  },

  tell(what) {
    for (const tab of this.tabs) tab(what);
  },
};

if (typeof SharedWorkerGlobalScope === "function" && self instanceof SharedWorkerGlobalScope) {
  self.onconnect = ({ ports: [port] }) => {
    const tab = (what) => port.postMessage(what);
    port.onmessage = ({ data }) => stream.hear(tab, data);
  };
} else {
  self.atlasStream = stream;
}
